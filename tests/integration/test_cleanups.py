"""Actions with a cleanup, end to end, on two worker processes."""

import json

import pytest

from atom.records import CallbackState, State
from tests.support.browser import Browser
from tests.support.console import ConsoleAtom
from tests.support.operating import command, resumed
from tests.support.waiting import until

CANARY = "canary-of-a-cleanup"


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = ConsoleAtom(tmp_path_factory.mktemp("cleanups"), "tests.support.tidy")
    try:
        atom.start_all(["--concurrency=2"])
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def url(atom):
    return atom.start_console()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lines"


def run(atom, file, action="Work", **inputs):
    return atom.run(action, {"File": str(file), **inputs}, service="Tidy")


def cleanup_of(atom, execution_id, state):
    """Return the only cleanup of an execution, once it is in that state."""

    def cleanup():
        for child in atom.store.children(execution_id):
            if child.ending and child.state is state:
                return atom.store.get(child.id)
        return None

    return until(cleanup, f"a cleanup that is {state.value}")


def settled(atom, flow):
    """Return an execution that has ended and whose flow has resumed."""

    def execution():
        found = atom.execution_of(flow)
        is_told = found.callback_state in (CallbackState.DELIVERED, CallbackState.PARKED)
        return found if is_told else None

    return until(execution, "the callback to be delivered")


@pytest.mark.parametrize(
    ("how", "state", "error"),
    [
        ("complete", State.COMPLETED, "None"),
        ("fault", State.FAULTED, "Not today."),
        ("break", State.FAILED, "ValueError: broken"),
    ],
)
def test_cleanup_runs_after_an_end_of_the_process(atom, file, how, state, error):
    flow = run(atom, file, How=how)
    resumed(flow)
    execution = atom.execution_of(flow)
    cleanup = cleanup_of(atom, execution.id, State.COMPLETED)
    assert execution.state is state
    assert file.read_text().splitlines() == [
        "work",
        f"first after {state.value}: {error}",
        "second",
    ]
    assert [step.name for step in cleanup.steps] == ["first", "second"]
    assert (cleanup.parent, cleanup.ending.state) == (execution.id, state)


def test_cleanup_runs_after_a_timeout(atom, file):
    flow = run(atom, file, action="Hurry")
    assert list(resumed(flow)[1]) == ["TimedOut"]
    cleanup = cleanup_of(atom, atom.execution_of(flow).id, State.COMPLETED)
    assert cleanup.ending.state is State.TIMED_OUT
    assert "first after timed_out: Hurry took too long" in file.read_text()


@pytest.mark.parametrize("how", ["hang", "wait"])
def test_cleanup_runs_after_an_operator_cancels(atom, file, how):
    """Return whether the process runs or is suspended."""
    flow = run(atom, file, How=how)
    awaited = State.RUNNING if how == "hang" else State.SUSPENDED
    until(
        lambda: file.exists() and atom.execution_of(flow).state is awaited,
        f"the process to be {awaited.value}",
    )
    command(atom, "executions", "cancel", atom.execution_of(flow).id)
    assert list(resumed(flow)[1]) == ["Cancelled"]
    cleanup_of(atom, atom.execution_of(flow).id, State.COMPLETED)
    lines = file.read_text().splitlines()
    assert lines[1:] == ["first after cancelled: Work was cancelled by the operator.", "second"]


def test_failed_cleanup_is_shown_and_retried(atom, url, file):
    for execution in atom.store.failed(100):
        atom.store.dismiss(execution.id)
    flow = run(atom, file, Cleanup="break")
    assert resumed(flow) == ({}, {})  # the flow hears nothing of its cleanup
    execution = settled(atom, flow)
    cleanup = cleanup_of(atom, execution.id, State.FAILED)
    assert (execution.state, execution.error) == (State.COMPLETED, None)
    assert atom.store.overview().failed == 1

    listed = json.loads(command(atom, "executions", "list", "--inbox", "--json"))
    assert [(row["id"], row["ending"]["execution_id"]) for row in listed] == [
        (cleanup.id, execution.id)
    ]
    assert "Tidy.Work (cleanup)" in command(atom, "executions", "list", "--inbox")
    status = command(atom, "status", code=1)
    assert "atom executions list --inbox" in status
    shown = command(atom, "executions", "show", execution.id)
    assert f"cleanup: {cleanup.id} failed: ConnectionError: no way out" in shown
    shown = json.loads(command(atom, "executions", "show", execution.id, "--json"))
    assert [(row["id"], row["state"]) for row in shown["cleanups"]] == [(cleanup.id, "failed")]
    shown = command(atom, "executions", "show", cleanup.id)
    assert f"{execution.id} (completed)" in shown
    assert f"atom executions retry {cleanup.id} --from-failed-step" in shown

    browser = Browser(url)
    inbox = browser.get("/inbox").text
    assert f'href="/executions/{cleanup.id}">Tidy.Work (cleanup)</a>' in inbox
    assert f'of <a href="/executions/{execution.id}">' in inbox
    page = browser.get(f"/executions/{execution.id}").text
    assert f'Cleanup <a href="/executions/{cleanup.id}">' in page
    assert f'<a href="/executions/{cleanup.id}">Cleanup</a>' in page  # in the timeline
    page = browser.get(f"/executions/{cleanup.id}").text
    assert f'Cleanup of <a href="/executions/{execution.id}">' in page
    assert "Again, with curl" not in page

    file.with_name("lines.mended").touch()
    pressed = browser.get(f"/executions/{cleanup.id}")
    assert f'action="/executions/{cleanup.id}/retry"' in pressed.text
    command(atom, "executions", "retry", cleanup.id, "--from-failed-step")
    cleanup_of(atom, execution.id, State.COMPLETED)
    assert atom.store.overview().failed == 0
    assert file.read_text().splitlines() == ["work", "first after completed: None", "second"]
    assert len(flow.events_of("resumed")) == 1


def test_execution_is_retried_when_its_cleanup_has_ended(atom, file):
    flow = run(atom, file, How="fault", Cleanup="wait")
    execution = settled(atom, flow)
    cleanup = cleanup_of(atom, execution.id, State.SUSPENDED)
    reply = command(atom, "executions", "retry", execution.id, "--from-start", code=1)
    assert "its cleanup still runs" in reply
    assert atom.store.get(execution.id).state is State.FAULTED
    command(atom, "executions", "signal", cleanup.id, "go")
    cleanup_of(atom, execution.id, State.COMPLETED)
    command(atom, "executions", "retry", execution.id, "--from-start")
    second = cleanup_of(atom, execution.id, State.SUSPENDED)
    assert second.id != cleanup.id
    command(atom, "executions", "cancel", second.id)
    assert cleanup_of(atom, execution.id, State.CANCELLED).id == second.id
    assert file.read_text().splitlines().count("work") == 2


def test_secrets_of_a_cleanup_leave_no_trace(atom, url, file):
    flow = run(atom, file, Cleanup="break", Password=CANARY)
    execution = settled(atom, flow)
    cleanup = cleanup_of(atom, execution.id, State.FAILED)
    shown = command(atom, "executions", "show", cleanup.id)
    assert "Cleaning up with •" in shown
    page = Browser(url).get(f"/executions/{cleanup.id}").text
    for text in (shown, page, atom.logs().decode()):
        assert CANARY not in text
    command(atom, "executions", "dismiss", cleanup.id)
