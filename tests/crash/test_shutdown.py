"""A role that is asked to end: it finishes what it runs, or hands it back, and ends in time."""

import os
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from atom.names import CALLBACKS, PROCESSES, RECOVERY
from atom.records import CallbackState, State
from atom.sandbox import Answer, FlowStatus
from tests.support import waits
from tests.support.roles import SERVICES, TestAtom
from tests.support.waiting import until

# The last line of the roles that run no executions.
ENDED = {"listener": b"The listener has ended", "recovery": b"Recovery has ended"}

# Longer than any test: whoever waited this long would be noticed.
FOR_EVER = "600"


@pytest.fixture
def start(tmp_path) -> Iterator:
    """Makes an Atom with the settings it is given; every role but the worker runs."""
    atoms = []

    def make(**env):
        atom = TestAtom(tmp_path, service=f"{SERVICES},tests.support.waits", **env)
        atoms.append(atom)
        atom.start("listener", "listener")
        atom.start("callbacks", "worker", f"--queues={CALLBACKS}")
        atom.start("recovery", "recovery")
        atom.wait_for_listener(atom.url)
        return atom

    yield make
    for atom in atoms:
        atom.close()


def start_worker(atom, *options, name="worker"):
    atom.start(name, "worker", f"--queues={PROCESSES}", *(options or ("--concurrency=2",)))
    pid = atom.processes[name].pid
    until(
        lambda: any(f"-{pid}-" in node for node in atom.store.present(PROCESSES)), "the worker", 60
    )
    return atom.processes[name]


class Senders:
    """Keeps flows in flight: each thread sends one, and the next when that is over."""

    KINDS = (
        ("Trial", "Echo", {"Text": "x"}),
        ("Waits", "Steps", {"Steps": "4", "Seconds": "0.1"}),
        ("Waits", "Steps", {"Steps": "2", "Seconds": "1.5"}),
    )

    def __init__(self, atom, directory, number):
        self.flows = []
        self._atom, self._directory = atom, directory
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(number)]

    def __enter__(self):
        for service in ("Trial", "Waits"):
            self._atom.platform.install(f"{self._atom.url}/fs/{service}")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number):
        platform = self._atom.platform
        while not self._enough.is_set():
            service, action, inputs = self.KINDS[number % len(self.KINDS)]
            if service == "Waits":
                inputs = {**inputs, "Directory": str(self._directory)}
            flow = platform.compose(f"{self._atom.url}/fs/{service}", [(action, inputs)])
            self.flows.append(flow)
            (call,) = flow.calls.values()
            pause = threading.Event()
            while not platform.ask(flow, call, insists=True):
                pause.wait(0.2)  # the listener is being started again
            flow.wait_over(120)
            number += 1

    def done(self):
        """How many have resumed so far."""
        return sum(flow.status is FlowStatus.DONE for flow in list(self.flows))


def begin_waiting(atom, directory):
    """A flow whose process stands in its second step; the process's pid."""
    flow = atom.run("Until told", {"Directory": str(directory)}, service="Waits")
    begun = until(lambda: [line for line in waits.lines(directory) if line[:6] == "second"], "it")
    return flow, int(begun[-1].split()[1])


def assert_resumed_once(flow):
    assert flow.wait_over(120) is FlowStatus.DONE, flow.events
    assert [call.moves for call in flow.calls.values()] == [1]


def assert_ended_well(atom, name, process):
    assert process.wait(120) == 0, atom.log(name).decode()
    assert b"Traceback" not in atom.log(name)


def members_of(group):
    """The processes of a group as lines, also those that ended but were not waited for."""
    command = ("ps", "-e", "-o", "pgid=,pid=,ppid=,stat=,args=")
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if int(line.split()[0]) == group]


def test_idle_roles_end_at_once(start):
    atom = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER)
    start_worker(atom)
    flow = atom.run("Echo", {"Text": "x"})
    assert_resumed_once(flow)
    processes = dict(atom.processes)
    for process in processes.values():
        process.terminate()
    for name, process in processes.items():
        assert_ended_well(atom, name, process)
        assert ENDED.get(name, b"0 executions handed back") in atom.log(name)
        assert members_of(process.pid) == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_recovery_withdraws_its_presence_and_ends(start, how):
    atom = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER)
    until(lambda: atom.store.present(RECOVERY), "recovery", 60)
    recovery = atom.processes["recovery"]
    recovery.send_signal(how)
    assert_ended_well(atom, "recovery", recovery)
    assert not atom.store.present(RECOVERY)
    assert members_of(recovery.pid) == []


def test_recovery_that_is_asked_while_it_starts_ends(start):
    """A container may be stopped at any moment; the signal is not lost."""
    recovery = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER).processes["recovery"]
    until(lambda: catches(recovery.pid, signal.SIGTERM), "it to become recovery", 60)
    recovery.terminate()
    assert recovery.wait(120) == 0


def catches(pid, signum):
    return int(status_of(pid)["SigCgt"], 16) >> signum - 1 & 1


def status_of(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


def test_recovery_finishes_its_tick(start, tmp_path):
    atom, recovery = start_hung(start, tmp_path, FOR_EVER)
    recovery.terminate()
    pause = threading.Event()
    assert not pause.wait(2)  # longer than an end takes that does not wait
    assert recovery.poll() is None
    (tmp_path / "hung").unlink()
    assert_ended_well(atom, "recovery", recovery)
    assert b"Recovery has ended" in atom.log("recovery")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, None])
def test_recovery_whose_tick_hangs_ends_at_a_second_signal_or_in_time(start, tmp_path, second):
    atom, recovery = start_hung(start, tmp_path, FOR_EVER if second else "2")
    recovery.terminate()
    if second:
        until(lambda: not int(status_of(recovery.pid)["ShdPnd"], 16), "the first to be taken")
        recovery.send_signal(second)
    assert_ended_well(atom, "recovery", recovery)
    assert b"Recovery ends within a tick" in atom.log("recovery")
    assert not atom.store.present(RECOVERY)


def start_hung(start, directory, seconds):
    atom = start(ATOM_SHUTDOWN_SECONDS=seconds, TESTS_HUNG_FILE=str(directory / "hung"))
    atom.end("recovery")
    (directory / "hung").touch()
    services = f"{atom.environment['ATOM_SERVICES']},tests.support.deafness"
    atom.start("recovery", "recovery", ATOM_SERVICES=services)
    until(lambda: atom.store.present(RECOVERY), "recovery", 60)
    return atom, atom.processes["recovery"]


def test_what_runs_is_finished(start, tmp_path):
    atom = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER)
    worker = start_worker(atom)
    flow, _ = begin_waiting(atom, tmp_path)
    worker.terminate()
    until(lambda: b"1 under way may take 10 min" in atom.log("worker"), "it to be asked")
    (tmp_path / "go").touch()
    assert_ended_well(atom, "worker", worker)
    assert b"1 of 1 under way finished" in atom.log("worker")
    assert_resumed_once(flow)
    found = atom.execution_of(flow)
    assert (found.attempts, found.losses) == (1, 0)
    assert len(waits.lines(tmp_path)) == 2


def test_the_events_of_what_is_finished_late_are_sent_too(start, tmp_path):
    """Who watches (Flower) would show it as running for ever."""
    atom = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER)
    worker = start_worker(atom)
    watcher, seen = Celery(broker=atom.redis.url), []

    def see(event):
        seen.append((event["type"], event.get("uuid")))

    with watcher.connection_for_read() as connection:
        receiver = watcher.events.Receiver(connection, handlers={"*": see})
        watching = threading.Thread(target=receiver.capture, kwargs={"wakeup": False})
        watching.start()
        until(lambda: "worker-heartbeat" in dict(seen), "the watcher to see something")
        flow, _ = begin_waiting(atom, tmp_path)
        worker.terminate()
        until(lambda: b"was asked to end" in atom.log("worker"), "it to be asked")
        (tmp_path / "go").touch()
        assert_ended_well(atom, "worker", worker)
        found = atom.execution_of(flow)
        until(lambda: ("task-succeeded", found.id) in seen, "the event")
        receiver.should_stop = True
        watching.join()
    watcher.close()


def test_an_end_that_flower_asks_for_is_bounded_too(start, tmp_path):
    atom = start(ATOM_SHUTDOWN_SECONDS="1")
    worker = start_worker(atom)
    begin_waiting(atom, tmp_path)
    with Celery(broker=atom.redis.url) as flower:
        (node,) = atom.store.present(PROCESSES)
        flower.control.shutdown(destination=[node])
        assert_ended_well(atom, "worker", worker)
    assert b"1 executions handed back" in atom.log("worker")


def test_a_callback_under_way_is_recorded(start):
    atom = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER)
    start_worker(atom)
    atom.platform.script(Answer(hang_seconds=10, takes=True, invoke_type="SUCCESS"))
    flow = atom.run("Echo", {"Text": "x"})
    until(lambda: flow.events_of("callback"), "the callback")
    callbacks = atom.processes["callbacks"]
    callbacks.terminate()
    assert_ended_well(atom, "callbacks", callbacks)
    assert b"1 of 1 under way finished" in atom.log("callbacks")
    assert atom.execution_of(flow).callback_state is CallbackState.DELIVERED
    assert len(flow.events_of("callback")) == 1


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_what_takes_too_long_is_handed_back(start, tmp_path, pool):
    atom = start(ATOM_SHUTDOWN_SECONDS="1", ATOM_LEASE_SECONDS=FOR_EVER)
    worker = start_worker(atom, f"--pool={pool}", "--concurrency=2")
    flow, _ = begin_waiting(atom, tmp_path)
    worker.terminate()
    assert_ended_well(atom, "worker", worker)
    assert b"1 executions handed back" in atom.log("worker")
    found = atom.execution_of(flow)
    assert (found.state, found.losses) == (State.ACCEPTED, 0)
    (tmp_path / "go").touch()
    start_worker(atom, name="next")
    assert_resumed_once(flow)
    found = atom.execution_of(flow)
    assert (found.attempts, found.losses) == (2, 0)
    assert [line.split()[0] for line in waits.lines(tmp_path)] == ["first", "second", "second"]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_whoever_asks_twice_does_not_wait(start, tmp_path, second):
    atom = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER)
    worker = start_worker(atom)
    flow, _ = begin_waiting(atom, tmp_path)
    worker.terminate()
    until(lambda: b"was asked to end" in atom.log("worker"), "it to be asked")
    worker.send_signal(second)
    assert_ended_well(atom, "worker", worker)
    assert b"1 executions handed back" in atom.log("worker")
    assert atom.execution_of(flow).losses == 0


def test_a_signal_to_the_whole_process_group_leaves_the_children_to_finish(start, tmp_path):
    atom = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER)
    worker = start_worker(atom)
    flow, _ = begin_waiting(atom, tmp_path)
    os.killpg(worker.pid, signal.SIGTERM)
    until(lambda: b"was asked to end" in atom.log("worker"), "it to be asked")
    (tmp_path / "go").touch()
    assert_ended_well(atom, "worker", worker)
    assert_resumed_once(flow)
    assert (atom.execution_of(flow).attempts, len(waits.lines(tmp_path))) == (1, 2)


def test_a_child_that_was_killed_is_not_waited_for(start, tmp_path):
    atom = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER)
    worker = start_worker(atom)
    flow, child = begin_waiting(atom, tmp_path)
    (tmp_path / "go").touch()
    os.kill(child, signal.SIGKILL)
    worker.terminate()
    assert worker.wait(120) == 0
    start_worker(atom, name="next")
    assert_resumed_once(flow)


def test_the_listener_answers_what_it_was_asked(start, tmp_path):
    atom = start(ATOM_SHUTDOWN_SECONDS=FOR_EVER)
    start_worker(atom)
    flow = atom.platform.prepare(
        f"{atom.url}/fs/Stubborn", [("Patient", {"File": str(tmp_path / "go")})]
    )
    listener = atom.processes["listener"]
    asking = threading.Thread(target=atom.platform.send, args=(flow,))
    asking.start()
    until(lambda: atom.store.find(10).executions, "the request to be accepted")
    listener.terminate()
    (tmp_path / "go").touch()
    asking.join(120)
    assert_ended_well(atom, "listener", listener)
    assert [event.kind for event in flow.events] == ["requested", "answered", "resumed"]


@pytest.mark.parametrize("outage", ["stopped", "paused"])
def test_every_role_ends_without_redis(start, tmp_path, outage):
    atom = start(ATOM_SHUTDOWN_SECONDS="2")
    start_worker(atom)
    begin_waiting(atom, tmp_path)
    redis = atom.redis.process
    if outage == "stopped":
        atom.redis.stop()
    else:
        redis.send_signal(signal.SIGSTOP)
    try:
        processes = dict(atom.processes)
        for process in processes.values():
            process.terminate()
        for name, process in processes.items():
            assert_ended_well(atom, name, process)
    finally:
        if outage == "paused":
            redis.send_signal(signal.SIGCONT)


def test_a_rolling_restart_under_load_loses_and_doubles_nothing(start, tmp_path):
    atom = start(ATOM_SHUTDOWN_SECONDS="60", ATOM_LEASE_SECONDS="10")
    start_worker(atom, "--concurrency=6")

    def listener():
        ended = atom.end("listener")
        atom.start("listener", "listener")
        atom.wait_for_listener(atom.url)
        return ended

    def consumer(name, queue, *command):
        """The new one is there before the old one goes."""
        old = atom.processes[name]
        atom.start(name, *command)
        mark = re.compile(rf"-{atom.processes[name].pid}[-@]")
        until(lambda: any(map(mark.search, atom.store.present(queue))), name, 60)
        old.terminate()
        return old.wait(120)

    with Senders(atom, tmp_path, 20) as senders:
        for _ in range(2):
            for name, restart in {
                "listener": listener,
                "worker": lambda: consumer(
                    "worker", PROCESSES, "worker", f"--queues={PROCESSES}", "--concurrency=6"
                ),
                "callbacks": lambda: consumer(
                    "callbacks", CALLBACKS, "worker", f"--queues={CALLBACKS}"
                ),
                "recovery": lambda: consumer("recovery", RECOVERY, "recovery"),
            }.items():
                enough = senders.done() + 20
                until(lambda enough=enough: senders.done() >= enough, "flows to resume", 60)
                assert restart() == 0, atom.log(name).decode()
    assert len(senders.flows) >= 160
    for flow in senders.flows:
        assert_resumed_once(flow)
    executions = atom.store.find(1000).executions
    assert len(executions) == len(senders.flows)
    assert {(each.attempts, each.losses) for each in executions} == {(1, 0)}
    written = Counter(waits.lines(tmp_path))
    assert set(written.values()) == {1}
    for name in atom.processes:
        assert b"Traceback" not in atom.log(name)
