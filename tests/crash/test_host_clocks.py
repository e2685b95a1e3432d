"""Workers whose clock is wrong by days: nothing but the clock of Redis decides."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from atom.names import CALLBACKS, PROCESSES, RECOVERY
from atom.records import CallbackState, State
from atom.sandbox import Answer, FlowStatus
from tests.support import waits
from tests.support.operating import resumed
from tests.support.roles import ROOT, SERVICES, TestAtom
from tests.support.waiting import until

# Longer than any deadline of an execution or a callback.
SKEWS = {"ahead": 400 * 86_400, "behind": -400 * 86_400}


@pytest.fixture(scope="module", params=SKEWS)
def atom(request, tmp_path_factory) -> Iterator[TestAtom]:
    """An Atom whose listener is right, and whose workers and recovery are wrong."""
    atom = TestAtom(
        tmp_path_factory.mktemp(request.param), service=f"{SERVICES},tests.support.waits"
    )
    wrong = {
        "PYTHONPATH": f"{ROOT / 'tests' / 'support' / 'skewed'}:{ROOT}",
        "TESTS_HOST_SKEW": str(SKEWS[request.param]),
    }
    try:
        atom.start("listener", "listener")
        atom.start("worker", "worker", f"--queues={PROCESSES}", "--concurrency=2", **wrong)
        atom.start("callbacks", "worker", f"--queues={CALLBACKS}", **wrong)
        atom.start("recovery", "recovery", **wrong)
        for queue in (PROCESSES, CALLBACKS, RECOVERY):
            until(lambda queue=queue: atom.store.present(queue), f"a worker for {queue}", 60)
        atom.wait_for_listener(atom.url)
        yield atom
    finally:
        atom.close()


def shown_times(execution):
    """Every time that the history shows of an execution."""
    times = [execution.accepted_at, execution.started_at, execution.finished_at]
    return [
        *times,
        *(step.ended_at for step in execution.steps),
        *(attempt.at for attempt in execution.callback_attempts),
    ]


def test_a_busy_flow_is_asked_again(atom):
    atom.platform.script(Answer("BUSY"), Answer("BUSY"))
    flow = atom.run("Echo", {"Text": "x"})
    assert resumed(flow)[0]["Text"] == "x"
    until(
        lambda: atom.execution_of(flow).callback_state is CallbackState.DELIVERED,
        "the delivery to be recorded",
    )


def test_a_failing_process_is_tried_again(atom, tmp_path):
    flow = atom.run("Flaky", {"File": str(tmp_path / "tries")}, service="Stubborn")
    assert resumed(flow) == ({"Text": "attempt 3"}, {})


def test_waits_end_when_they_should(atom, tmp_path):
    asked = {"Seconds": 1, "File": str(tmp_path / "lines")}
    asleep = atom.run("Sleeps", asked, service="Lasting")
    unanswered = atom.run(
        "Approval", {**asked, "File": str(tmp_path / "tokens")}, service="Lasting"
    )
    assert resumed(asleep) == ({"Text": "attempt 1"}, {})
    assert "approval" in resumed(unanswered)[0]["Text"]


def test_a_process_outlives_an_outage_of_the_store(atom, tmp_path):
    flow = atom.run("Until told", {"Directory": str(tmp_path)}, service="Waits")
    until(lambda: len(waits.lines(tmp_path)) == 2, "its second step", 60)
    atom.redis.stop()
    (tmp_path / "go").touch()
    until(lambda: b"Waiting for the store" in atom.log("worker"), "the step to wait")
    atom.redis.start()
    assert flow.wait_over(120) is FlowStatus.DONE, flow.events


def test_the_history_shows_times_of_one_clock(atom, tmp_path):
    flow = atom.run("Steps", {"Directory": str(tmp_path)}, service="Waits")
    resumed(flow)
    found = until(
        lambda: (
            e if (e := atom.execution_of(flow)).callback_state is CallbackState.DELIVERED else 0
        ),
        "the delivery to be recorded",
    )
    found = atom.store.get(found.id)
    assert found.state is State.COMPLETED
    times = shown_times(found)
    assert len(times) == 6
    assert max(times) - min(times) < timedelta(minutes=5)
