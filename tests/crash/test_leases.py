"""Who holds an execution, and who learns that it no longer does."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from atom.catalog import load_catalog
from atom.execution.ending import cancel
from atom.names import PROCESSES
from atom.records import State
from atom.sandbox import FlowStatus
from tests.support import waits
from tests.support.roles import SERVICES, TestAtom
from tests.support.waiting import until

HOGS = "tests.support.hogs"


@pytest.fixture
def make(tmp_path) -> Iterator:
    """A whole Atom with the settings it is given."""
    atoms = []

    def make_one(*worker, **env):
        atom = TestAtom(tmp_path, service=f"{SERVICES},tests.support.waits,{HOGS}", **env)
        atoms.append(atom)
        atom.start_all(worker or ("--concurrency=2",))
        return atom

    yield make_one
    for atom in atoms:
        atom.close()


@pytest.fixture
def lines(tmp_path):
    return lambda: waits.lines(tmp_path)


def begin(atom, action, directory, service="Hogs", **inputs):
    return atom.run(action, {"Directory": str(directory), **inputs}, service=service)


def assert_resumed_once(flow, status=FlowStatus.DONE):
    assert flow.wait_over(120) is status, flow.events
    assert [call.moves for call in flow.calls.values()] == [1]


def outputs(flow):
    (event,) = flow.events_of("resumed")
    return {each["developerName"]: each["contentValue"] for each in event.details["outputs"]}


def faults(flow):
    (event,) = flow.events_of("resumed")
    return list(event.details["rootFaults"])


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def run_through(atom):
    """The worker goes on to serve."""
    assert_resumed_once(atom.run("Echo", {"Text": "x"}))


def test_a_process_that_keeps_the_gil_keeps_its_execution(make, tmp_path):
    lease = 2.0
    atom = make("--concurrency=2", ATOM_LEASE_SECONDS=str(lease))  # another one could take over
    flow = begin(atom, "Compute", tmp_path, Seconds=str(3 * lease))
    assert_resumed_once(flow)
    found = outputs(flow)
    assert float(found["Call"]) >= 3 * lease
    assert float(found["Silence"]) >= 2 * lease, "a thread beside it was not starved"
    execution = atom.execution_of(flow)
    assert (execution.attempts, execution.losses) == (1, 0)


def test_what_a_killed_child_ran_runs_elsewhere_long_before_its_lease_ends(make, tmp_path, lines):
    atom = make(ATOM_LEASE_SECONDS="600")
    flow = begin(atom, "Until told", tmp_path, service="Waits")
    pid = int(until(lambda: [each for each in lines() if each[:6] == "second"], "it")[0].split()[1])
    os.kill(pid, signal.SIGKILL)
    until(lambda: len(lines()) == 3, "the second attempt", 60)
    (tmp_path / "go").touch()
    assert_resumed_once(flow)
    assert [line.split()[0] for line in lines()] == ["first", "second", "second"]
    execution = atom.execution_of(flow)
    assert (execution.attempts, execution.losses) == (2, 1)


def test_a_cancelled_process_that_never_asks_is_killed_and_its_worker_serves_on(
    make, tmp_path, lines
):
    atom = make("--concurrency=1", ATOM_CANCEL_GRACE_SECONDS="1")
    flow = begin(atom, "For ever", tmp_path)
    pid = int(until(lines, "it to begin")[0].split()[1])
    assert cancel(load_catalog([HOGS]), atom.store, atom.execution_of(flow).id)
    assert_resumed_once(flow, FlowStatus.FAULTED)
    assert faults(flow) == ["Cancelled"]
    run_through(atom)
    assert not is_alive(pid)
    assert f"worker process {pid} is killed".encode() in atom.log("worker")
    execution = atom.execution_of(flow)
    assert (execution.state, execution.attempts, len(lines())) == (State.CANCELLED, 1, 1)


@pytest.mark.parametrize("pool", ["prefork", "threads"])
@pytest.mark.parametrize("how", ["cancelled", "timed out"])
def test_a_process_is_told_that_it_was_ended_from_outside(make, tmp_path, lines, pool, how):
    atom = make("--concurrency=1", f"--pool={pool}")
    action = "Until told" if how == "cancelled" else "Until told, hurried"
    flow = begin(atom, action, tmp_path)
    until(lines, "it to begin")
    if how == "cancelled":
        assert cancel(load_catalog([HOGS]), atom.store, atom.execution_of(flow).id)
    until(lambda: lines() == ["began", "told"], "the process to be told")
    assert_resumed_once(flow, FlowStatus.FAULTED)
    assert faults(flow) == ["Cancelled" if how == "cancelled" else "TimedOut"]
    until(lambda: b"What this attempt did is dropped" in atom.log("worker"), "its end")
    execution = atom.execution_of(flow)
    assert execution.state is (State.CANCELLED if how == "cancelled" else State.TIMED_OUT)
    assert execution.attempts == 1
    run_through(atom)
    assert b"is killed" not in atom.log("worker")


def test_a_stalled_worker_begins_no_other_step_when_it_wakes(make, tmp_path, lines):
    atom = make("--concurrency=1")
    flow = begin(atom, "Between two steps", tmp_path)
    until(lambda: "between 1" in lines(), "the first attempt")
    stalled = atom.processes["worker"]
    os.killpg(stalled.pid, signal.SIGSTOP)
    try:
        (tmp_path / "go").touch()
        atom.start("other", "worker", f"--queues={PROCESSES}", "--concurrency=1")
        assert_resumed_once(flow)
    finally:
        os.killpg(stalled.pid, signal.SIGCONT)
    until(lambda: b"What this attempt did is dropped" in atom.log("worker"), "its end")
    assert lines() == ["first 1", "between 1", "between 2", "second 2"]
    execution = atom.execution_of(flow)
    assert (execution.state, execution.attempts) == (State.COMPLETED, 2)
    assert outputs(flow) == {"Text": "attempt 2"}


def test_an_outage_that_outlasts_the_lease_is_no_failure(make, tmp_path, lines):
    """The step ends while Redis is silent: it is recorded later, or lost to a take-over."""
    atom = make(ATOM_LEASE_SECONDS="2")
    flow = begin(atom, "Until told", tmp_path, service="Waits")
    until(lambda: len(lines()) == 2, "its second step")
    atom.redis.process.send_signal(signal.SIGSTOP)
    try:
        (tmp_path / "go").touch()
        time.sleep(6)  # three leases: the outage itself; nothing could be waited for
    finally:
        atom.redis.process.send_signal(signal.SIGCONT)
    assert_resumed_once(flow)
    execution = atom.execution_of(flow)
    assert execution.state is State.COMPLETED
    assert execution.losses <= 1
    assert 2 <= len(lines()) <= 2 + execution.losses
    assert b"Failed:" not in atom.log("worker")
