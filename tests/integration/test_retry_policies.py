"""What is tried again by itself: processes and steps, end to end, on a worker with one place."""

import pytest

from atom.records import State, StepKind
from tests.support.operating import command, resumed
from tests.support.roles import TestAtom
from tests.support.waiting import until


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    """An Atom whose worker runs one process at a time."""
    atom = TestAtom(tmp_path_factory.mktemp("tried"))
    try:
        atom.start_all(["--concurrency=1"])
        yield atom
    finally:
        atom.close()


def counts(found):
    return found.state, found.attempts, found.losses, found.tries


def test_a_failing_process_is_tried_again_by_its_policy(atom, tmp_path):
    file = tmp_path / "tries"
    flow = atom.run("Flaky", {"File": str(file)}, service="Stubborn")
    assert resumed(flow) == ({"Text": "attempt 3"}, {})
    assert file.read_text().split() == ["first", "second", "second", "second"]
    found = atom.execution_of(flow)
    assert counts(found) == (State.COMPLETED, 3, 0, 2)
    assert found.version


def test_when_the_tries_are_used_up_the_execution_fails_and_the_flow_hears(atom, tmp_path):
    file = tmp_path / "tries"
    flow = atom.run("Never", {"File": str(file)}, service="Stubborn")
    outputs, faults = resumed(flow)
    assert outputs == {"Text": None}
    assert list(faults) == ["Failed"]
    assert "canary" not in faults["Failed"]
    assert file.read_text() == "tried\n" * 3
    assert counts(atom.execution_of(flow)) == (State.FAILED, 3, 0, 2)


def test_a_fault_is_an_answer_that_no_policy_repeats(atom, tmp_path):
    file = tmp_path / "tries"
    flow = atom.run("Says no", {"File": str(file)}, service="Stubborn")
    assert resumed(flow)[1] == {"Closed": "We are closed on Sundays."}
    assert file.read_text() == "tried\n"
    assert counts(atom.execution_of(flow)) == (State.FAULTED, 1, 0, 0)


def test_between_two_tries_the_worker_is_free(atom):
    waiting = atom.run("Waits long", service="Stubborn")
    until(lambda: atom.execution_of(waiting).tries == 1, "the first try to fail")
    assert resumed(atom.run("Echo", {"Text": "meanwhile"}))[0]["Text"] == "meanwhile"
    found = atom.execution_of(waiting)
    assert counts(found) == (State.ACCEPTED, 1, 0, 1)
    assert "its next attempt, which will not come" in command(
        atom, "executions", "cancel", found.id
    )
    assert list(resumed(waiting)[1]) == ["Cancelled"]


def test_a_failing_step_is_tried_in_place_and_a_failure_can_be_dealt_with(atom, tmp_path):
    file = tmp_path / "tries"
    flow = atom.run("Steps in place", {"File": str(file)}, service="Stubborn")
    assert resumed(flow)[0]["Text"] == "VALUEERROR, SO THE FALLBACK"
    assert file.read_text() == "ran\n" * 3
    found = atom.store.get(atom.execution_of(flow).id)
    assert found.attempts == 1
    assert [(step.name, step.kind) for step in found.steps] == [
        ("write", StepKind.RESULT),
        ("primary", StepKind.FAILURE),
        ("fallback", StepKind.RESULT),
    ]
