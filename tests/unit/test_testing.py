"""The kit for service authors: waits, signals and children without a store."""

from datetime import UTC, datetime, timedelta

import pytest

from atom import Ending, Fault, FlowService, SignalTimedOut, State, StepFailed, testing
from atom.errors import CannotSpawn, JournalMismatch, NestedStep


def test_a_wait_is_noted_and_not_waited_for():
    journal = testing.MemoryJournal()
    execution = testing.execution(journal)
    then = datetime(2026, 1, 1, tzinfo=UTC)
    execution.sleep(3600)
    execution.wait_until(then)
    assert journal.waits == [timedelta(hours=1), then]
    again = testing.execution(journal)
    again.sleep(1)
    assert len(journal.waits) == 2
    with pytest.raises(JournalMismatch):
        again.step("wait until", print)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_nobody_sleeps_so_long(seconds):
    with pytest.raises(ValueError, match="must be a number"):
        testing.execution().sleep(seconds)
    with pytest.raises(ValueError, match="must be a number"):
        testing.execution().signal("approval", timeout=seconds)


def test_a_time_needs_a_time_zone():
    with pytest.raises(ValueError, match="time zone"):
        testing.execution().wait_until(datetime(2026, 1, 1))  # noqa: DTZ001


def test_signals_come_or_time_out_and_a_replay_sees_the_same():
    journal = testing.MemoryJournal()
    journal.signals["approval"] = {"by": "Ada", "$decimal": "1"}
    execution = testing.execution(journal)
    assert execution.signal("approval") == {"by": "Ada", "$decimal": "1"}
    with pytest.raises(SignalTimedOut, match="“other” did not come in time"):
        execution.signal("other", timeout=5)
    journal.signals["other"] = 1
    again = testing.execution(journal)
    assert again.signal("approval")["by"] == "Ada"
    with pytest.raises(SignalTimedOut):
        again.signal("other", timeout=5)


def test_a_step_holds_no_step_and_no_wait():
    journal = testing.MemoryJournal()
    execution = testing.execution(journal)
    with pytest.raises(StepFailed):
        execution.step("outer", lambda: execution.step("inner", int))
    assert [step.name for step in journal.steps] == ["outer"]
    assert "atom.errors.NestedStep" in journal.steps[0].result


def test_a_step_that_catches_what_a_wait_in_it_raises():
    execution = testing.execution()

    def naps():
        with pytest.raises(NestedStep, match="“sleep” was asked for within step “naps”"):
            execution.sleep(1)

    execution.step("naps", naps)


def double(item, execution):
    if item == 3:
        raise Fault("Not three.", name="Three")
    if item == 4:
        raise ConnectionError("four")
    return execution.step("double", lambda: 2 * item)


def test_a_map_runs_each_item_with_a_journal_of_its_own():
    journal = testing.MemoryJournal()
    execution = testing.execution(journal)
    assert execution.map("double", double, [1, 2]) == [2, 4]
    assert [[step.name for step in each.steps] for each in journal.children] == [["double"]] * 2
    assert testing.execution(journal).map("double", double, [1, 2]) == [2, 4]
    assert len(journal.children) == 2


def test_the_first_fault_ends_a_map_or_stands_in_its_place():
    with pytest.raises(Fault, match="Not three"):
        testing.execution().map("double", double, [1, 3, 2])
    with pytest.raises(StepFailed):
        testing.execution().map("double", double, [4])
    found = testing.execution().map("double", double, [1, 3, 4], return_faults=True)
    assert [type(each) for each in found] == [int, Fault, StepFailed]


def test_a_function_that_nobody_finds_is_refused_as_a_worker_would():
    with pytest.raises(CannotSpawn, match="declare it with def in a module"):
        testing.execution().map("lambda", lambda item, execution: item, [1])
    with pytest.raises(ValueError, match="concurrency"):
        testing.execution().map("double", double, [1], concurrency=0)


def called(request, execution):
    return {"text": request["text"].upper()}


def test_a_call_is_recorded():
    journal = testing.MemoryJournal()
    assert testing.execution(journal).call(called, {"text": "x"}) == {"text": "X"}
    assert [step.name for step in journal.steps] == ["call called"]


def region(item, execution):
    return [item, execution.configuration["region"], execution.user, execution.properties]


def regional(request, execution):
    return {"region": execution.configuration["region"]}


def test_children_have_the_surroundings_of_their_parent():
    there = {"configuration": {"region": "EMEA"}, "properties": {"inflowtenantid": "t"}}
    execution = testing.execution(**there)
    assert execution.map("regions", region, [1]) == [[1, "EMEA", None, {"inflowtenantid": "t"}]]
    assert execution.call(regional, {}) == {"region": "EMEA"}


def test_a_call_that_is_replayed_begins_no_child():
    journal = testing.MemoryJournal()
    testing.execution(journal).call(called, {"text": "x"})
    testing.execution(journal).call(called, {"text": "x"})
    assert len(journal.children) == 1


def breaks(item, execution):
    raise ConnectionError("canary")


def test_a_child_that_fails_is_known_as_one():
    execution = testing.execution()
    with pytest.raises(StepFailed) as failed:
        execution.map("breaks", breaks, [1])
    assert failed.value.kind == "ChildFailed"
    assert "ConnectionError" in failed.value.reason
    (found,) = execution.map("breaks", breaks, [1], return_faults=True)
    assert found.kind == "ChildFailed"
    with pytest.raises(StepFailed) as failed:
        execution.call(breaks, {})
    assert failed.value.kind == "ChildFailed"


def test_an_item_that_cannot_be_stored_begins_none():
    journal = testing.MemoryJournal()
    with pytest.raises(CannotSpawn, match="Item 1 cannot be stored"):
        testing.execution(journal).map("double", double, [1, object()])
    assert journal.children == []


def service_with_cleanup(calls):
    service = FlowService("S")

    def clean_up(request, execution, ending):
        execution.step("undo", lambda: None)
        calls.append((request, execution, ending))

    @service.message_action("Reserve", on_end=clean_up)
    def reserve(request, execution):
        if request:
            raise request[0]
        return execution.step("reserve", lambda: 5)

    @service.message_action("Plain")
    def plain(request, execution):
        """Leave nothing behind."""

    return service


@pytest.mark.parametrize(
    ("request_", "state", "error", "result"),
    [
        ((), State.COMPLETED, None, 5),
        ((Fault("No."),), State.FAULTED, "No.", None),
        ((ValueError("broken"),), State.FAILED, "ValueError: broken", None),
    ],
)
def test_action_runs_with_its_cleanup(request_, state, error, result):
    calls = []
    service = service_with_cleanup(calls)
    execution = testing.execution()
    run = testing.run_action(service, "Reserve", request_, execution)
    ending = Ending(execution_id=execution.id, state=state, error=error)
    assert (run.ending, run.result) == (ending, result)
    ((request, cleanup, given),) = calls
    assert (request, given) == (request_, ending)
    keys = [each.idempotency_key("x") for each in (execution, ending, cleanup)]
    assert keys[0] == keys[1] != keys[2]


def test_cleanup_of_an_action_has_a_journal_of_its_own():
    journal, of_cleanup = testing.MemoryJournal(), testing.MemoryJournal()
    executions = testing.execution(journal), testing.execution(of_cleanup)
    testing.run_action(service_with_cleanup([]), "Reserve", (), *executions)
    assert [step.name for step in journal.steps] == ["reserve"]
    assert [step.name for step in of_cleanup.steps] == ["undo"]


def test_action_without_cleanup_runs_alone():
    run = testing.run_action(service_with_cleanup([]), "Plain", {}, testing.execution())
    assert (run.ending.state, run.result) == (State.COMPLETED, None)
