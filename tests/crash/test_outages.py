"""Redis goes and comes back: every worker lives on, and hears again."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from atom.errors import PublishFailed
from atom.names import CALLBACKS, PROCESSES, RECOVERY
from atom.publisher import Publisher
from atom.sandbox import Answer, FlowStatus
from tests.support import waits
from tests.support.roles import ROOT, SERVICES, TestAtom
from tests.support.waiting import until


@pytest.fixture
def make(tmp_path) -> Iterator:
    """An Atom of which nothing but Redis runs yet."""
    atoms = []

    def make_one(*services, **env):
        service = ",".join([SERVICES, "tests.support.waits", *services])
        atoms.append(TestAtom(tmp_path, service=service, **env))
        return atoms[-1]

    yield make_one
    for atom in atoms:
        atom.close()


def assert_resumed_once(flow, seconds=120):
    assert flow.wait_over(seconds) is FlowStatus.DONE, flow.events
    assert [call.moves for call in flow.calls.values()] == [1]


def assert_all_live(atom):
    """The very processes that were started: none has ended, none had to give up."""
    ended = {name: each.poll() for name, each in atom.processes.items() if each.poll() is not None}
    assert ended == {}, "".join(atom.log(name).decode() for name in ended)


def run_through(atom, seconds=120):
    """A flow, from the request to its end; the listener may have to notice first."""
    atom.wait_for_listener(atom.url)
    until(lambda: atom.store.ping() is None, "Redis")
    assert_resumed_once(atom.run("Echo", {"Text": "x"}), seconds)


def begin_waiting(atom, directory):
    """A process that stands in its second step, and a callback that the flow is slow to answer."""
    waiting = atom.run("Until told", {"Directory": str(directory)}, service="Waits")
    until(lambda: len(waits.lines(directory)) == 2, "its second step")
    atom.platform.script(Answer(hang_seconds=2, takes=True, invoke_type="SUCCESS"))
    called = atom.run("Echo", {"Text": "x"})
    until(lambda: called.events_of("callback"), "the callback")
    return waiting, called


@pytest.mark.parametrize("how", ["restarted", "killed", "away", "silent"])
def test_workers_that_run_something_live_through_an_outage(make, tmp_path, how):
    atom = make()
    atom.start_all()
    waiting, called = begin_waiting(atom, tmp_path)
    if how == "silent":
        atom.redis.process.send_signal(signal.SIGSTOP)
        until(lambda: b"Leases cannot be renewed" in atom.log("worker"), "the worker to notice")
        atom.redis.process.send_signal(signal.SIGCONT)
    elif how == "killed":
        atom.redis.process.kill()
        atom.redis.process.wait()
    else:
        atom.redis.stop()
    if how == "away":
        until(lambda: b"waits for it" in atom.log("worker"), "the worker to wait")
        time.sleep(4)  # the outage itself, in which it tries several times
    if how != "silent":
        atom.redis.start()
    assert_resumed_once(called)
    (tmp_path / "go").touch()
    assert_resumed_once(waiting)
    run_through(atom)
    assert_all_live(atom)
    for name in ("worker", "callbacks", "recovery"):
        assert b"AttributeError" not in atom.log(name)
        assert atom.end(name) == 0


def test_workers_wait_for_a_redis_that_comes_later(make):
    atom = make()
    atom.redis.stop()
    atom.start("listener", "listener")
    for name, command in {
        "worker": ("worker", f"--queues={PROCESSES}", "--concurrency=2"),
        "callbacks": ("worker", f"--queues={CALLBACKS}"),
        "recovery": ("recovery",),
    }.items():
        atom.start(name, *command)
    for name, words in {
        "worker": b"waits for it",
        "callbacks": b"waits for it",
        "recovery": b"Recovery waits for the store",
    }.items():
        until(lambda name=name, words=words: words in atom.log(name), f"{name} to wait", 60)
    time.sleep(4)  # the outage itself, in which they try several times
    atom.redis.start()
    for queue in (PROCESSES, CALLBACKS, RECOVERY):
        until(lambda queue=queue: atom.store.present(queue), f"a worker for {queue}", 60)
    run_through(atom)
    assert_all_live(atom)


@pytest.mark.timeout(400)
def test_nobody_is_deaf_after_redis_was_silent_for_two_minutes(make, tmp_path):
    atom = make()
    atom.start_all()
    run_through(atom)
    redis = atom.redis.process
    redis.send_signal(signal.SIGSTOP)
    try:
        time.sleep(120)  # the outage itself; nothing could be waited for
    finally:
        redis.send_signal(signal.SIGCONT)
    run_through(atom, 90)
    file = str(tmp_path / "steps")
    assert_resumed_once(atom.run("Dies once", {"File": file}), 90)  # by recovery
    assert_all_live(atom)


def test_children_that_end_after_some_tasks_do_not_end_consumption(make):
    """celery#7800: with worker_max_tasks_per_child, a broker restart was the end of it."""
    atom = make()
    atom.start("listener", "listener")
    atom.start("callbacks", "worker", f"--queues={CALLBACKS}")
    atom.start("recovery", "recovery")
    options = "--concurrency=2 --max-tasks-per-child=2 --without-gossip --without-mingle"
    command = [sys.executable, "-m", "celery", "--app=workers", "worker"]
    with (atom.directory / "worker.log").open("wb") as output:
        atom.processes["worker"] = subprocess.Popen(
            [*command, f"--queues={PROCESSES}", "--hostname=short-lived@here", *options.split()],
            cwd=ROOT,
            env=atom.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    atom.wait_for_listener(atom.url)
    for _ in range(3):
        flows = [atom.run("Echo", {"Text": "x"}) for _ in range(10)]
        atom.redis.stop()
        atom.redis.start()
        for flow in flows:
            assert_resumed_once(flow)
    for _ in range(10):
        run_through(atom)
    assert_all_live(atom)


def test_publishing_gives_up_within_a_bound(embedded_redis):
    publisher = Publisher(embedded_redis.url)
    publisher.publish("Trial.Echo", "first", "some-queue")
    embedded_redis.process.send_signal(signal.SIGSTOP)
    try:
        failed = []

        def publish():
            with pytest.raises(PublishFailed):
                publisher.publish("Trial.Echo", "second", "some-queue")
            failed.append(True)

        publishing = threading.Thread(target=publish, daemon=True)
        publishing.start()
        publishing.join(60)
        assert failed
    finally:
        embedded_redis.process.send_signal(signal.SIGCONT)
    publisher.publish("Trial.Echo", "third", "some-queue")


# A worker that is deaf all the same.


@pytest.fixture
def deafening(make, tmp_path):
    """An Atom whose workers can be made deaf, and would notice within 5 s."""
    return make("tests.support.deafness", TESTS_DEAF_FILE=str(tmp_path / "deaf"))


def test_a_deaf_worker_ends_and_hands_back(deafening, tmp_path):
    atom = deafening
    atom.start_all(worker=("--concurrency=2",))
    flow = atom.run("Until told", {"Directory": str(tmp_path)}, service="Waits")
    until(lambda: len(waits.lines(tmp_path)) == 2, "its second step")
    (tmp_path / "deaf").touch()
    until(lambda: b"This worker has room but" in atom.log("worker"), "it to notice", 60)
    (tmp_path / "go").touch()
    assert atom.processes.pop("worker").wait(120) == 1
    (tmp_path / "deaf").unlink()
    assert atom.processes.pop("callbacks").wait(120) == 1
    atom.start("worker", "worker", f"--queues={PROCESSES}", "--concurrency=2")
    atom.start("callbacks", "worker", f"--queues={CALLBACKS}")
    assert_resumed_once(flow)
    assert atom.execution_of(flow).losses == 0


def test_a_worker_without_room_is_not_deaf(deafening, tmp_path):
    atom = deafening
    atom.start_all(worker=("--concurrency=1",))
    flow = atom.run("Until told", {"Directory": str(tmp_path)}, service="Waits")
    until(lambda: len(waits.lines(tmp_path)) == 2, "its second step")
    time.sleep(15)  # three times as long as deafness takes to be noticed
    (tmp_path / "go").touch()
    assert_resumed_once(flow)
    run_through(atom)
    assert_all_live(atom)
    assert b"This worker has room" not in atom.logs()


@pytest.mark.parametrize("who", ["redis", "workers"])
def test_who_was_paused_is_not_deaf(deafening, who):
    atom = deafening
    atom.start_all()
    run_through(atom)
    processes = [each for name, each in atom.processes.items() if name != "listener"]
    paused = [atom.redis.process] if who == "redis" else processes
    for each in paused:
        each.send_signal(signal.SIGSTOP)
    try:
        time.sleep(15)  # three times as long as deafness takes to be noticed
    finally:
        for each in paused:
            each.send_signal(signal.SIGCONT)
    run_through(atom)
    assert_all_live(atom)
    assert b"This worker has room" not in atom.logs()
