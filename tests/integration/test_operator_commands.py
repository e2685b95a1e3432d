"""What an operator does: cancel, retry, replay, pause; over a whole Atom, by the commands."""

import json
import os
import subprocess
import sys

import orjson
import pytest

from atom.records import CallbackState, State
from atom.sandbox import Answer, Connector, FlowStatus, SandboxError
from tests.support.roles import ROOT, TestAtom
from tests.support.waiting import until


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    """An Atom whose worker runs two processes at once."""
    atom = TestAtom(tmp_path_factory.mktemp("operated"), ATOM_REPUBLISH_SECONDS="1")
    try:
        atom.start_all()
        yield atom
    finally:
        atom.close()


@pytest.fixture
def command(atom):
    """`atom …` as a person calls it; fails the test where the exit code is another."""

    def run(*arguments, code=0):
        result = subprocess.run(
            [sys.executable, "-m", "atom", *arguments],
            cwd=ROOT,
            env={**os.environ, **atom.environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        said = result.stdout + result.stderr
        assert result.returncode == code, said
        assert "Traceback" not in said
        return said

    return run


@pytest.fixture
def no_worker(atom):
    """Nobody runs processes while the test lasts."""
    atom.end("worker")
    until(lambda: not atom.store.present("processes"), "the worker to be gone")
    yield
    start_worker(atom)


def start_worker(atom):
    if "worker" not in atom.processes:
        atom.start("worker", "worker", "--queues=processes", "--concurrency=2")
        until(lambda: atom.store.present("processes"), "a worker", 60)


def resumed(flow):
    status = flow.wait_over(60)
    assert status.is_over, flow.events
    (event,) = flow.events_of("resumed")
    assert [call.moves for call in flow.calls.values()] == [1]
    outputs = {each["developerName"]: each["contentValue"] for each in event.details["outputs"]}
    return outputs, event.details["rootFaults"]


def parked(atom, action, inputs):
    """A flow whose callback is refused, so that it waits for a person."""
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [(action, inputs)])
    atom.platform.script(Answer("NOT_ALLOWED"))
    atom.platform.send(flow)
    until(lambda: atom.execution_of(flow).callback_state is CallbackState.PARKED, "parking")
    return flow, atom.execution_of(flow)


# --- cancel


def test_what_has_not_begun_is_cancelled_and_never_does(atom, command, no_worker):
    flow = atom.run("Echo", {"Text": "x"})
    found = atom.execution_of(flow)
    assert "had not begun" in command("executions", "cancel", found.id)
    outputs, faults = resumed(flow)
    assert faults == {"Cancelled": "Echo was cancelled by the operator."}
    assert outputs["Text"] is None
    start_worker(atom)
    resumed(atom.run("Echo", {"Text": "after it"}))
    found = atom.execution_of(flow)
    assert (found.state, found.attempts) == (State.CANCELLED, 0)


def test_a_process_that_runs_is_told_and_its_late_result_is_dropped(atom, command, tmp_path):
    file = tmp_path / "told"
    flow = atom.run("Until cancelled", {"File": str(file)})
    until(lambda: atom.execution_of(flow).state is State.RUNNING, "the process to run")
    said = command("executions", "cancel", atom.execution_of(flow).id)
    assert "is told" in said
    assert list(resumed(flow)[1]) == ["Cancelled"]
    until(file.exists, "the process to be told")
    lost = f"Execution {atom.execution_of(flow).id} is no longer held by this worker"
    until(lambda: lost in atom.log("worker").decode(), "its late end")
    assert atom.execution_of(flow).state is State.CANCELLED
    again = command("executions", "cancel", atom.execution_of(flow).id, code=1)
    assert "has ended already (cancelled)" in again


def test_an_unknown_execution_cannot_be_cancelled(command):
    assert "there is no such execution" in command("executions", "cancel", "nobody", code=1)


# --- retry


def test_from_the_failed_step_what_was_recorded_does_not_run_again(atom, command, tmp_path):
    file = tmp_path / "steps"
    flow, failed = parked(atom, "Repairable", {"File": str(file)})
    assert failed.state is State.FAILED
    assert "StepFailed" not in failed.error
    assert failed.error == "Step “check” failed: RuntimeError."
    assert f"atom executions retry {failed.id}" in command("executions", "show", failed.id)
    file.write_text(file.read_text() + "repaired\n")
    said = command("executions", "retry", failed.id, "--from-failed-step")
    assert "its flow hears of the result" in said
    outputs, faults = resumed(flow)
    assert (outputs["Text"], faults) == ("repaired", {})
    assert file.read_text() == "reserve\nrepaired\n"


def test_from_the_start_every_step_runs_again(atom, command, tmp_path):
    file = tmp_path / "steps"
    flow, failed = parked(atom, "Repairable", {"File": str(file)})
    file.write_text(file.read_text() + "repaired\n")
    command("executions", "retry", failed.id, "--from-start")
    assert resumed(flow)[0]["Text"] == "repaired"
    assert file.read_text() == "reserve\nrepaired\nreserve\n"


def test_after_the_flow_has_moved_the_result_goes_to_the_history(atom, command, tmp_path):
    file = tmp_path / "steps"
    flow = atom.run("Repairable", {"File": str(file)})
    assert list(resumed(flow)[1]) == ["Failed"]
    execution_id = atom.execution_of(flow).id
    until(
        lambda: atom.store.get(execution_id).callback_state is CallbackState.DELIVERED,
        "the delivery to be recorded",
    )
    file.write_text("repaired\n")
    said = command("executions", "retry", execution_id, "--from-failed-step")
    assert "to the history alone" in said
    until(lambda: atom.store.get(execution_id).state is State.COMPLETED, "the second run")
    assert len(flow.events_of("callback")) == 1
    completed = command("executions", "retry", execution_id, "--from-failed-step", code=1)
    assert "no step failed" in completed


def test_a_request_whose_secrets_are_forgotten_cannot_be_run_again(atom, command):
    flow = atom.run("Echo", {"Text": "x", "Password": "canary-password"})
    resumed(flow)
    execution_id = atom.execution_of(flow).id
    until(
        lambda: atom.store.get(execution_id).callback_state is CallbackState.DELIVERED,
        "the delivery to be recorded",
    )
    said = command("executions", "retry", execution_id, "--from-start", code=1)
    assert "its request had secrets" in said


def test_retry_asks_from_where(command):
    assert "--from-start" in command("executions", "retry", "x", code=2)
    said = command("executions", "retry", "nobody", "--from-start", "--json", code=1)
    (told,) = json.loads(said)
    assert (told["id"], told["done"]) == ("nobody", False)


# --- policies


def test_a_failing_process_is_tried_again_by_its_policy(atom, tmp_path):
    file = tmp_path / "tries"
    flow = atom.run("Flaky", {"File": str(file)})
    assert resumed(flow) == ({"Text": "attempt 3"}, {})
    assert file.read_text().split() == ["first", "second", "second", "second"]
    found = atom.execution_of(flow)
    assert (found.state, found.attempts, found.losses, found.tries) == (State.COMPLETED, 3, 0, 2)
    assert found.version


def test_a_failing_step_is_tried_in_place_and_a_failure_can_be_dealt_with(atom, tmp_path):
    file = tmp_path / "tries"
    flow = atom.run("Steps in place", {"File": str(file)})
    assert resumed(flow)[0]["Text"] == "VALUEERROR, SO THE FALLBACK"
    assert file.read_text() == "ran\n" * 3
    found = atom.store.get(atom.execution_of(flow).id)
    assert (found.attempts, found.steps) == (1, ("write", "primary", "fallback"))


# --- callbacks


def test_parked_callbacks_are_listed_and_replayed(atom, command):
    one, first = parked(atom, "Echo", {"Text": "one"})
    two, second = parked(atom, "Echo", {"Text": "two"})
    host = atom.platform.url.removeprefix("http://")
    found = json.loads(command("callbacks", "list", "--host", host, "--since", "1h", "--json"))
    assert [each["execution_id"] for each in found[-2:]] == [first.id, second.id]
    assert found[-1]["answer"] == "200 NOT_ALLOWED"
    assert first.id in command("callbacks", "list")
    assert "No callback is parked" in command("callbacks", "list", "--host", "elsewhere.example")
    assert "sent again soon" in command("callbacks", "replay", first.id)
    assert resumed(one)[0]["Text"] == "one"
    assert "2026" in command("callbacks", "replay", "--since", "yesterday", code=2)
    assert "0 callback(s)" in command("callbacks", "replay", "--since", "2999-01-01")
    assert "1 callback(s)" in command("callbacks", "replay", "--host", "127.0.0.1")
    assert resumed(two)[0]["Text"] == "two"
    assert "has no callback" in command("callbacks", "replay", second.id, code=1)
    assert "not both" in command("callbacks", "replay", code=2)


# --- pause and resume


@pytest.mark.parametrize(
    "target", [["Trial.Echo"], ["Trial"], []], ids=["action", "service", "all"]
)
def test_what_is_paused_is_refused_and_what_runs_goes_on(atom, command, target):
    running = atom.run("Sync", {"Seconds": 2.5})
    known = atom.platform.prepare(f"{atom.url}/fs/Trial", [("Echo", {"Text": "known"})])
    atom.platform.send(known)
    command("listeners", "pause", *target)
    try:
        states = json.loads(command("listeners", "list", "--json"))
        paused = {each["action"] for each in states if each["paused_since"]}
        assert "Echo" in paused
        flow = atom.run("Echo", {"Text": "x"})  # which asks for the metadata first
        (failed,) = flow.events_of("failed")
        assert failed.details["status"] == 503
        assert "is paused by its operator" in failed.details["message"]
        (reply,) = atom.platform.resend(flow)
        assert int(reply.headers["Retry-After"]) > 0
        assert orjson.loads(reply.body)["kind"] == "service"
        assert [reply.status for reply in atom.platform.resend(known)] == [200]
        assert running.wait_over(30) is FlowStatus.DONE
    finally:
        command("listeners", "resume", *target)
    assert atom.run("Echo", {"Text": "x"}).wait_over(30) is FlowStatus.DONE


def test_an_action_paused_by_itself_stays_so(atom, command):
    command("listeners", "pause", "Trial.Echo")
    command("listeners", "pause", "Trial")
    assert "“Trial.Echo” is still paused by itself" in command("listeners", "resume", "Trial")
    assert "“Trial.Echo” takes requests" in command("listeners", "resume", "Trial.Echo")
    assert "there are: Trial" in command("listeners", "pause", "Nothing", code=1)


def test_a_paused_data_action_is_refused(atom, command):
    shop = Connector(atom.platform, f"{atom.url}/fs/Shop")
    command("listeners", "pause", "Shop.Item.get")
    try:
        with pytest.raises(SandboxError, match="is paused by its operator"):
            shop.get("Item", "i1")
        assert shop.query("Item", {"limit": 1})["objectData"]
    finally:
        command("listeners", "resume", "Shop.Item.get")
        shop.close()


def test_too_many_waiting_executions_are_refused_and_accepted_when_there_is_room(
    atom, command, no_worker
):
    with atom.another_listener(ATOM_MAX_PENDING="3") as url:
        waiting = [atom.platform.run(f"{url}/fs/Trial", "Echo", {"Text": "x"}) for _ in range(3)]
        late = atom.platform.prepare(f"{url}/fs/Trial", [("Echo", {"Text": "late"})])
        (reply,) = atom.platform.resend(late)
        assert reply.status == 503
        assert int(reply.headers["Retry-After"]) > 0
        assert "3 executions wait" in orjson.loads(reply.body)["message"]
        start_worker(atom)
        for flow in waiting:
            resumed(flow)
        atom.platform.send(late)
        assert resumed(late)[0]["Text"] == "late"
