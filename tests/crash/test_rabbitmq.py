"""RabbitMQ goes and comes back, or does not like what takes long: every worker lives on."""

import signal
import time
from collections.abc import Iterator

import pytest

from atom.names import CALLBACKS, PROCESSES, RECOVERY
from atom.sandbox import FlowStatus
from tests.support import waits
from tests.support.rabbitmq import RabbitMQ, require
from tests.support.roles import SERVICES, TestAtom
from tests.support.waiting import until

# RabbitMQ gives up on who does not acknowledge for so long, and looks once a second.
IMPATIENT_SECONDS = 4
IMPATIENT = (
    f"-rabbit consumer_timeout {IMPATIENT_SECONDS * 1000} -rabbit channel_tick_interval 1000"
)


@pytest.fixture
def make(tmp_path) -> Iterator:
    """An Atom of which nothing runs yet but its stores."""
    atoms = []

    def make_one(broker, *services, **env):
        service = ",".join([SERVICES, "tests.support.waits", *services])
        atoms.append(TestAtom(tmp_path, service=service, broker=broker, **env))
        return atoms[-1]

    yield make_one
    for atom in atoms:
        atom.close()


@pytest.fixture
def impatient(request, tmp_path) -> Iterator[RabbitMQ]:
    require(request.node.name)
    with RabbitMQ(tmp_path / "rabbitmq", arguments=IMPATIENT) as broker:
        yield broker


def assert_resumed_once(flow, seconds=120):
    assert flow.wait_over(seconds) is FlowStatus.DONE, flow.events
    assert [call.moves for call in flow.calls.values()] == [1]


def assert_all_live(atom):
    """The very processes that were started: none has ended, none had to give up."""
    ended = {name: each.poll() for name, each in atom.processes.items() if each.poll() is not None}
    assert ended == {}, "".join(atom.log(name).decode() for name in ended)


def begin_waiting(atom, directory):
    """A process that stands in its second step."""
    directory.mkdir()
    flow = atom.run("Until told", {"Directory": str(directory)}, service="Waits")
    until(lambda: len(waits.lines(directory)) == 2, "its second step", 60)
    return flow


def consumers(broker, queue):
    table = broker.control("list_consumers", "queue_name", "prefetch_count")
    return [line.split("\t")[1] for line in table.splitlines() if line.startswith(f"{queue}\t")]


@pytest.mark.parametrize("how", ["restarted", "killed", "silent", "cut off", "queue deleted"])
def test_workers_that_run_something_live_through_an_outage(make, rabbitmq, tmp_path, how):
    atom = make(rabbitmq, ATOM_REPUBLISH_SECONDS="3")
    atom.start_all()
    waiting = begin_waiting(atom, tmp_path / "waiting")
    if how == "silent":
        rabbitmq.process.send_signal(signal.SIGSTOP)
        until(lambda: b"heartbeats missed" in atom.log("worker"), "the worker to notice", 60)
    elif how == "cut off":
        rabbitmq.control("close_all_connections", "a test")
    elif how == "queue deleted":
        rabbitmq.control("delete_queue", PROCESSES)
    elif how == "killed":
        rabbitmq.kill()
    else:
        rabbitmq.stop()
    if how in ("killed", "restarted", "silent"):
        # It is accepted all the same, and run once there is a broker.
        accepted = atom.run("Echo", {"Text": "x"})
        if how == "silent":
            rabbitmq.process.send_signal(signal.SIGCONT)
        else:
            rabbitmq.start()
        assert_resumed_once(accepted, 90)
    (tmp_path / "waiting" / "go").touch()
    assert_resumed_once(waiting, 90)
    assert_resumed_once(atom.run("Echo", {"Text": "x"}), 90)
    assert_all_live(atom)
    assert atom.execution_of(waiting).attempts == 1
    for name in ("worker", "callbacks", "recovery"):
        assert atom.end(name) == 0


def test_workers_wait_for_a_rabbitmq_that_comes_later(make, rabbitmq):
    atom = make(rabbitmq, ATOM_REPUBLISH_SECONDS="3")
    rabbitmq.stop()
    atom.start("listener", "listener")
    atom.start("worker", "worker", f"--queues={PROCESSES}", "--concurrency=2")
    atom.start("callbacks", "worker", f"--queues={CALLBACKS}")
    atom.start("recovery", "recovery")
    atom.wait_for_listener(atom.url)
    accepted = atom.run("Echo", {"Text": "x"})
    for name in ("worker", "callbacks"):
        until(lambda name=name: b"waits for it" in atom.log(name), f"{name} to wait", 60)
    until(lambda: b"Recovery cannot publish: " in atom.log("recovery"), "recovery to try", 60)
    time.sleep(4)  # the outage itself, in which they try several times
    rabbitmq.start()
    assert_resumed_once(accepted, 90)
    until(lambda: b"Recovery publishes again" in atom.log("recovery"), "the end of the outage", 60)
    assert atom.log("recovery").count(b"Recovery cannot publish: ") < 4  # not at each attempt
    for queue in (PROCESSES, CALLBACKS, RECOVERY):
        until(lambda queue=queue: atom.store.present(queue), f"a worker for {queue}", 60)
    assert_resumed_once(atom.run("Echo", {"Text": "x"}), 90)
    assert_all_live(atom)


def test_what_takes_longer_than_rabbitmq_waits_is_not_disturbed(make, impatient, tmp_path):
    """And nothing is delivered to wait behind it: only the idle worker would get it."""
    atom = make(impatient, "tests.support.briefly", ATOM_REPUBLISH_SECONDS="1000")
    atom.start_all(worker=("--concurrency=2",))
    long = [begin_waiting(atom, tmp_path / f"long-{number}") for number in range(2)]
    until(lambda: consumers(impatient, PROCESSES) == [], "the worker to take no more", 60)
    time.sleep(2 * IMPATIENT_SECONDS)  # the time itself; nothing could be waited for
    another = atom.run("Echo", {"Text": "x"})
    atom.start("idle", "worker", f"--queues={PROCESSES}", "--concurrency=1")
    assert_resumed_once(another)
    (tmp_path / "long-0" / "go").touch()
    assert_resumed_once(long[0])
    until(lambda: sorted(consumers(impatient, PROCESSES)) == ["1", "1"], "room for one more", 60)
    (tmp_path / "long-1" / "go").touch()
    assert_resumed_once(long[1])
    until(lambda: sorted(consumers(impatient, PROCESSES)) == ["1", "2"], "room for both", 60)
    assert_all_live(atom)
    assert {atom.execution_of(flow).attempts for flow in long} == {1}
    assert b"Connection to broker lost" not in atom.log("worker")
    # RabbitMQ counts what is in a queue only every few seconds.
    until(lambda: impatient.messages()[PROCESSES] == 0, "nothing to be left", 60)


def test_what_runs_over_a_reconnection_takes_up_its_place(make, rabbitmq, tmp_path):
    atom = make(rabbitmq, ATOM_REPUBLISH_SECONDS="1000")
    atom.start_all(worker=("--concurrency=2",))
    long = begin_waiting(atom, tmp_path / "long")
    rabbitmq.control("close_all_connections", "a test")
    until(lambda: consumers(rabbitmq, PROCESSES) == ["1"], "room for one", 60)
    (tmp_path / "long" / "go").touch()
    assert_resumed_once(long)
    until(lambda: consumers(rabbitmq, PROCESSES) == ["2"], "room for both", 60)
    assert_resumed_once(atom.run("Echo", {"Text": "x"}))
    assert_all_live(atom)


def test_a_worker_that_hears_nothing_ends(make, rabbitmq, tmp_path):
    atom = make(rabbitmq, "tests.support.deafness", TESTS_DEAF_FILE=str(tmp_path / "deaf"))
    atom.start_all()
    assert_resumed_once(atom.run("Echo", {"Text": "x"}))
    time.sleep(15)  # an idle one hears heartbeats
    assert_all_live(atom)
    (tmp_path / "deaf").touch()
    until(lambda: b"not even a heartbeat" in atom.log("worker"), "it to notice", 90)
    assert atom.processes.pop("worker").wait(120) == 1
