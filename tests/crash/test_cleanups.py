"""Workers that are killed after the end of an execution, and within its cleanup."""

import pytest

from atom.records import State
from atom.sandbox import FlowStatus
from tests.support.roles import TestAtom
from tests.support.waiting import until


@pytest.fixture
def atom(tmp_path):
    atom = TestAtom(tmp_path, "tests.support.tidy")
    try:
        atom.start_all()
        yield atom
    finally:
        atom.close()


def cleanup(atom, flow):
    for child in atom.store.children(atom.execution_of(flow).id):
        if child.state is State.COMPLETED:
            return child
    return None


@pytest.mark.parametrize("how", ["die at once", "die"])
def test_cleanup_continues_at_its_first_unrecorded_step_after_a_kill(atom, tmp_path, how):
    file = tmp_path / "lines"
    flow = atom.run("Work", {"File": str(file), "Cleanup": how}, service="Tidy")
    assert flow.wait_over(120) is FlowStatus.DONE, flow.events
    done = until(lambda: cleanup(atom, flow), "the cleanup to complete", 60)
    assert file.read_text().splitlines() == ["work", "first after completed: None", "second"]
    assert atom.store.get(done.id).losses == 1


def test_cleanup_runs_after_every_worker_was_killed(atom, tmp_path):
    """Also if the execution was ended by recovery, while no worker is there."""
    file = tmp_path / "lines"
    flow = atom.run("Hurry", {"File": str(file)}, service="Tidy")
    until(lambda: atom.execution_of(flow).state is State.SUSPENDED, "it to be suspended")
    atom.kill("worker")
    until(lambda: atom.execution_of(flow).state is State.TIMED_OUT, "the timeout")
    (child,) = atom.store.children(atom.execution_of(flow).id)
    assert child.state is State.ACCEPTED
    atom.start("worker", "worker", "--queues=processes", "--concurrency=1")
    done = until(lambda: cleanup(atom, flow), "the cleanup to complete", 60)
    assert done.id == child.id
    assert file.read_text().splitlines()[-1] == "second"
