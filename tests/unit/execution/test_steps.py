"""How a step ends: with a result, a fault or a failure, and the same for every attempt."""

from asyncio import CancelledError

import pytest

from atom import Fault, Faults, Retry, StepFailed, testing
from atom.errors import ClaimLost, DeclarationError, StepResultError
from atom.execution.steps import outcome_of, run_step
from atom.records import StepKind
from atom.redaction import MASK, hiding

SOON = Retry(attempts=3, wait_seconds=0.01)


class Refused(ConnectionError):
    pass


class Odd(BaseException):
    pass


def failing(*errors, result="done"):
    """A function that raises these, one at each call, then returns."""
    left = list(errors)

    def function():
        function.calls += 1
        if left:
            raise left.pop(0)
        return result

    function.calls = 0
    return function


def run(function, retry=None):
    """Its recorded step, the exception behind it and the pauses between its tries."""
    pauses = []
    step, cause = run_step("s", function, retry, pauses.append)
    return step, cause, pauses


def seen(step, cause=None):
    """What a process sees of a recorded step: what is returned or raised."""
    try:
        return outcome_of(step, cause)
    except Exception as error:
        return error


# --- the three outcomes


def test_a_result():
    step, cause, pauses = run(lambda: {"a": [1, None]})
    assert (step.name, step.kind, cause, pauses) == ("s", StepKind.RESULT, None, [])
    assert seen(step) == {"a": [1, None]}


def test_a_fault_is_seen_as_it_was_said():
    step, cause, _ = run(failing(Fault("Not on Sundays.", "Closed", "Day")))
    assert step.kind is StepKind.FAULT
    for error in (seen(step, cause), seen(step)):  # in this attempt, and in a later one
        assert type(error) is Fault
        assert (error.message, error.name, error.entry) == ("Not on Sundays.", "Closed", "Day")
    assert isinstance(seen(step, cause).__cause__, Fault)


def test_several_faults_stay_several():
    step, _, _ = run(failing(Faults(Fault("One.", "A"), Fault("Two.", "B", "In"))))
    error = seen(step)
    assert type(error) is Faults
    assert [(each.message, each.name, each.entry) for each in error.faults] == [
        ("One.", "A", None),
        ("Two.", "B", "In"),
    ]


def test_one_fault_among_faults_is_a_fault():
    step, _, _ = run(failing(Faults(Fault("One.", "A"))))
    assert type(seen(step)) is Fault


def test_a_failure_keeps_the_classes_and_the_reason():
    raised = Refused("by peer")
    step, cause, _ = run(failing(raised))
    assert (step.kind, cause) == (StepKind.FAILURE, raised)
    first, later = seen(step, cause), seen(step)
    for error in (first, later):
        assert type(error) is StepFailed
        assert (error.name, error.kind, error.reason) == ("s", "Refused", "by peer")
        assert "builtins.ConnectionError" in error.kinds
        assert "builtins.Exception" in error.kinds
        assert "builtins.object" not in error.kinds
    assert first.__cause__ is raised
    assert later.__cause__ is None


def test_what_nobody_may_read_is_not_in_the_journal():
    with hiding(["canary-password"]):
        broken, _, _ = run(failing(ValueError("login with canary-password")))
        said, _, _ = run(failing(Fault("canary-password is wrong", "Login")))
    assert "canary" not in broken.result + said.result
    assert seen(said).message == f"{MASK} is wrong"


def test_a_long_reason_is_cut():
    step, _, _ = run(failing(ValueError("x" * 100_000)))
    assert len(step.result) < 1000


@pytest.mark.parametrize("error", [ValueError, Fault])
def test_step_escapes_lone_surrogates_of_what_is_raised(error):
    """File names that are not UTF-8 come as lone surrogates."""
    step, cause, _ = run(failing(error("no file b\udcff")))
    seen_error = seen(step, cause)
    text = seen_error.message if error is Fault else seen_error.reason
    assert text == "no file b\\udcff"


def test_what_cannot_be_recorded_is_an_error_of_its_own():
    function = failing(result={1, 2})
    with pytest.raises(StepResultError, match="“s”"):
        run(function, SOON)
    assert function.calls == 1


def test_a_lost_claim_is_no_outcome():
    with pytest.raises(ClaimLost):
        run(failing(ClaimLost("e")), SOON)


EXITS = [SystemExit(2), KeyboardInterrupt(), CancelledError("stop"), GeneratorExit(), Odd("odd")]


@pytest.mark.parametrize("error", EXITS, ids=lambda error: type(error).__name__)
def test_step_records_any_exception_as_a_failure(error):
    step, cause, _ = run(failing(error))
    assert (step.kind, cause) == (StepKind.FAILURE, error)
    for failed in (seen(step, cause), seen(step)):
        assert (type(failed), failed.kind) == (StepFailed, type(error).__name__)
        assert failed.reason == str(error)
        assert "builtins.BaseException" in failed.kinds


@pytest.mark.parametrize("error", EXITS, ids=lambda error: type(error).__name__)
def test_step_retries_any_exception_under_its_policy(error):
    function = failing(error, error)
    step, _, pauses = run(function, SOON)
    assert (seen(step), function.calls, len(pauses)) == ("done", 3, 2)


@pytest.mark.parametrize("error", [SystemExit(-241), ValueError("of a finally")])
def test_step_records_nothing_once_its_worker_process_ends(error):
    with pytest.raises(type(error)):
        run_step("s", failing(error), SOON, lambda _: None, is_ending=lambda: True)


# --- tried again


def test_what_fails_is_tried_again_and_its_result_counts():
    function = failing(Refused(), Refused())
    step, cause, pauses = run(function, SOON)
    assert (seen(step), cause, function.calls, len(pauses)) == ("done", None, 3, 2)


def test_the_last_failure_is_the_outcome():
    last = Refused("third")
    function = failing(Refused("first"), Refused("second"), last)
    step, cause, pauses = run(function, SOON)
    assert (seen(step).reason, cause, function.calls, len(pauses)) == ("third", last, 3, 2)


def test_without_a_policy_it_is_tried_once():
    function = failing(Refused())
    assert run(function)[0].kind is StepKind.FAILURE
    assert function.calls == 1


def test_another_error_ends_the_tries():
    function = failing(Refused(), ValueError("other"), Refused())
    step, _, pauses = run(function, Retry(on=(ConnectionError,), wait_seconds=0.01))
    assert (seen(step).kind, function.calls, len(pauses)) == ("ValueError", 2, 1)


def test_a_no_is_not_asked_again_unless_it_is_named():
    assert run(failing(Fault("No.")), SOON)[0].kind is StepKind.FAULT
    again = failing(Fault("Not yet."))
    step, _, _ = run(again, Retry(on=(Fault,), wait_seconds=0.01))
    assert (seen(step), again.calls) == ("done", 2)


def test_a_lost_claim_ends_the_wait_for_the_next_try():
    def pause(seconds):
        raise ClaimLost("e")

    function = failing(Refused())
    with pytest.raises(ClaimLost):
        run_step("s", function, SOON, pause)
    assert function.calls == 1


# --- as a process uses them


def test_a_replay_sees_a_fault_and_a_failure_without_running_the_steps():
    journal = testing.MemoryJournal()
    functions = [failing(Fault("No.", "A")), failing(Refused("gone"))]

    def process(execution):
        said = []
        for number, function in enumerate(functions):
            try:
                execution.step(f"step {number}", function)
            except (Fault, StepFailed) as error:
                said.append((type(error), str(error)))
        return said

    first = process(testing.execution(journal))
    assert process(testing.execution(journal, attempt=2)) == first
    assert first == [(Fault, "No."), (StepFailed, "Step “step 1” failed: Refused: gone")]
    assert [function.calls for function in functions] == [1, 1]


def test_the_pauses_of_a_step_can_be_seen_in_a_test():
    journal = testing.MemoryJournal()
    execution = testing.execution(journal)
    assert execution.step("s", failing(Refused()), retry=Retry(wait_seconds=60)) == "done"
    (pause,) = journal.pauses
    assert 48 <= pause <= 72


def test_a_wrong_policy_is_refused_before_the_step_runs():
    function = failing()
    with pytest.raises(DeclarationError, match="Step “s”: retry: attempts"):
        testing.execution().step("s", function, retry=Retry(attempts=0))
    assert function.calls == 0


def test_arguments_reach_the_function_but_for_retry():
    execution = testing.execution()
    assert execution.step("s", lambda *a, **k: [a, k], 1, b=2, retry=SOON) == [[1], {"b": 2}]
