"""What waits without a worker outlives every process; what is spread over workers loses none."""

import random
import time

import pytest

from atom.records import State
from tests.support.operating import resumed
from tests.support.roles import TestAtom
from tests.support.waiting import until

ROLES = ("listener", "worker", "callbacks", "recovery")


@pytest.fixture
def atom(tmp_path):
    atom = TestAtom(tmp_path, "tests.support.lasting")
    try:
        atom.start_all(["--concurrency=1"])
        yield atom
    finally:
        atom.close()


def kill_everything(atom):
    for role in list(atom.processes):
        atom.kill(role)
    atom.redis.process.kill()
    atom.redis.stop()


def test_what_sleeps_while_everything_is_killed_goes_on_at_its_line(atom, tmp_path):
    file = tmp_path / "lines"
    flow = atom.run("Sleeps", {"Seconds": 20, "File": str(file)}, service="Lasting")
    found = until(lambda: atom.store.get(atom.execution_of(flow).id), "the execution")
    until(lambda: atom.store.get(found.id).state is State.SUSPENDED, "it to sleep")
    # Redis writes what it was told to its disk once a second.
    time.sleep(1.5)
    due = atom.store.get(found.id).wait.until
    kill_everything(atom)
    atom.redis.start()
    atom.start_all(["--concurrency=1"])
    assert resumed(flow)[0] == {"Text": "attempt 1"}
    assert file.read_text() == "before\nafter\n"
    found = atom.store.get(found.id)
    assert (found.attempts, found.losses) == (1, 0)
    assert found.runs[1].started_at >= due


def test_a_map_over_workers_that_are_killed_has_every_result_once(atom, tmp_path):
    file = tmp_path / "lines"
    for number in range(2, 5):
        atom.start(f"worker-{number}", "worker", "--queues=processes", "--concurrency=1")
    count = 120
    inputs = {"Count": count, "Concurrency": 8, "File": str(file)}
    flow = atom.run("Squares", inputs, service="Lasting")
    workers = ["worker", *(f"worker-{number}" for number in range(2, 5))]
    chance = random.Random(8)
    for _ in range(4):
        time.sleep(0.5)
        worker = chance.choice(workers)
        atom.kill(worker)
        atom.start(worker, "worker", "--queues=processes", "--concurrency=1")
    assert resumed(flow)[0] == {"Text": ",".join(str(n * n) for n in range(count))}
    found = atom.store.get(atom.execution_of(flow).id)
    children = [atom.store.get(each.id) for each in atom.store.children(found.id)]
    assert len(children) == count
    assert {each.state for each in children} == {State.COMPLETED}
    assert all([step.name for step in each.steps] == ["line", "end"] for each in children)
    # A step may have run twice where its worker died before it was recorded, and nowhere else.
    lines = file.read_text().splitlines()
    lost = sum(each.losses for each in children)
    assert 2 * count <= len(lines) <= 2 * count + lost
