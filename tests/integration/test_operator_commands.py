"""What an operator does: cancel, retry, replay, pause; over a whole Atom, by the commands."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

import orjson
import pytest

from atom.history import ExecutionFilter
from atom.records import CallbackState, State
from atom.sandbox import Answer, Connector, FlowStatus, SandboxError
from tests.support import operating
from tests.support.operating import resumed
from tests.support.roles import TestAtom
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
    """`atom …`; fails the test where the exit code is another than the one given."""
    return partial(operating.command, atom)


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


def parked(atom, action, inputs, service="Trial"):
    """A flow whose callback is refused, so that it waits for a person."""
    flow = atom.platform.prepare(f"{atom.url}/fs/{service}", [(action, inputs)])
    atom.platform.script(Answer("NOT_ALLOWED"))
    atom.platform.send(flow)
    until(lambda: atom.execution_of(flow).callback_state is CallbackState.PARKED, "parking")
    return flow, atom.execution_of(flow)


# --- cancel


def test_what_has_not_begun_is_cancelled_and_never_does(atom, command, no_worker):
    flow, other = (atom.run("Echo", {"Text": "x"}) for _ in range(2))
    found, unknown = atom.execution_of(flow), atom.execution_of(other)
    assert "has not ended" in command("executions", "retry", found.id, "--from-start", code=1)
    assert "had not begun" in command("executions", "cancel", found.id)
    outputs, faults = resumed(flow)
    assert faults == {"Cancelled": "Echo was cancelled by the operator."}
    assert outputs["Text"] is None
    # Where the operator's machine has no services, the flow hears the same without outputs.
    command("executions", "cancel", unknown.id, ATOM_SERVICES="")
    assert resumed(other) == ({}, faults)
    start_worker(atom)
    resumed(atom.run("Echo", {"Text": "after it"}))
    found = atom.execution_of(flow)
    assert (found.state, found.attempts) == (State.CANCELLED, 0)


def test_a_process_that_runs_is_told_and_its_late_result_is_dropped(atom, command, tmp_path):
    file = tmp_path / "told"
    flow = atom.run("Until cancelled", {"File": str(file)}, service="Stubborn")
    until(lambda: atom.execution_of(flow).state is State.RUNNING, "the process to run")
    found = atom.execution_of(flow)
    said = command("executions", "cancel", found.id)
    assert said.startswith(f"{found.id}: cancelled while it ran on {found.worker}; its process is ")
    assert list(resumed(flow)[1]) == ["Cancelled"]
    until(file.exists, "the process to be told")
    lost = f"Execution {atom.execution_of(flow).id} is no longer held by this worker"
    until(lambda: lost in atom.log("worker").decode(), "its late end")
    assert atom.execution_of(flow).state is State.CANCELLED
    again = command("executions", "cancel", atom.execution_of(flow).id, code=1)
    assert "has ended already (cancelled)" in again


def test_a_cancelled_data_action_is_answered_with_409(atom, command):
    shop = Connector(atom.platform, f"{atom.url}/fs/Shop")
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(shop.get, "Item", "until cancelled")
        (found,) = until(
            lambda: (
                atom.store.find(
                    5, ExecutionFilter(state=State.RUNNING, action="Item.get")
                ).executions
            ),
            "the process to run",
        )
        command("executions", "cancel", found.id)
        with pytest.raises(SandboxError, match=r"Item.get was cancelled by the operator") as no:
            answer.result(30)
    shop.close()
    assert no.value.status == 409
    assert atom.store.get(found.id).state is State.CANCELLED
    said = command("executions", "retry", found.id, "--from-start")
    assert "to the history alone" in said
    command("executions", "cancel", found.id)


def test_an_unknown_execution_cannot_be_cancelled(command):
    assert "there is no such execution" in command("executions", "cancel", "nobody", code=1)


# --- retry


def test_from_the_failed_step_what_was_recorded_does_not_run_again(atom, command, tmp_path):
    file = tmp_path / "steps"
    flow, failed = parked(atom, "Repairable", {"File": str(file)}, "Stubborn")
    assert failed.state is State.FAILED
    assert "StepFailed" not in failed.error
    assert failed.error == "Step “check” failed: RuntimeError: broken"
    shown = command("executions", "show", failed.id)
    assert "step 1: reserve\n" in shown
    assert "step 2: check (failure)\n" in shown
    assert "200 NOT_ALLOWED in" in shown
    assert f"atom callbacks replay {failed.id}\n" in shown
    assert f"atom executions retry {failed.id} --from-failed-step\n" in shown
    file.write_text(file.read_text() + "repaired\n")
    said = command("executions", "retry", failed.id, "--from-failed-step")
    assert "its flow gets the result" in said
    outputs, faults = resumed(flow)
    assert (outputs["Text"], faults) == ("repaired", {})
    assert file.read_text() == "reserve\nrepaired\n"


def test_executions_are_listed_by_service_and_action(atom, command):
    one, other = ("Echo", {"Text": "x"}), ("No", {})
    flows = [atom.run(*each) for each in (one, other, one)]
    ids = [atom.execution_of(flow).id for flow in flows]
    found = json.loads(command("executions", "list", "--action", "Echo", "--limit", "2", "--json"))
    assert [each["id"] for each in found] == [ids[2], ids[0]]
    assert ids[1] in command("executions", "list", "--service", "Trial", "--action", "No")
    said = command("executions", "list", "--service", "Shop", "--action", "No")
    assert "No executions" in said
    for flow in flows:
        resumed(flow)


def test_from_the_start_every_step_runs_again(atom, command, tmp_path):
    file = tmp_path / "steps"
    flow, failed = parked(atom, "Repairable", {"File": str(file)}, "Stubborn")
    file.write_text(file.read_text() + "repaired\n")
    command("executions", "retry", failed.id, "--from-start")
    assert resumed(flow)[0]["Text"] == "repaired"
    assert file.read_text() == "reserve\nrepaired\nreserve\n"


def test_execution_is_retried_from_a_named_step(atom, command, tmp_path):
    file = tmp_path / "steps"
    flow, failed = parked(atom, "Repairable", {"File": str(file)}, "Stubborn")
    before, retry = atom.store.get(failed.id), ("executions", "retry", failed.id, "--from-step")
    said = command(*retry, "chek", code=1)
    assert "it has no recorded step “chek”; recorded are “reserve”, “check”\n" in said
    assert "“check” (occurrence 2)" in command(*retry, "check", "--occurrence", "2", code=1)
    assert atom.store.get(failed.id) == before
    file.write_text(file.read_text() + "repaired\n")
    assert "its flow gets the result" in command(*retry, "check")
    assert resumed(flow)[0]["Text"] == "repaired"
    assert file.read_text() == "reserve\nrepaired\n"

    until(
        lambda: atom.store.get(failed.id).callback_state is CallbackState.DELIVERED,
        "the delivery to be recorded",
    )
    assert "to the history alone" in command(*retry, "reserve", "--occurrence", "1")
    until(lambda: atom.store.get(failed.id).state is State.COMPLETED, "the completed one again")
    assert file.read_text() == "reserve\nrepaired\nreserve\n"
    assert len(flow.events_of("resumed")) == 1


def test_execution_is_copied_with_other_inputs(atom, command, tmp_path):
    file, other = tmp_path / "steps", tmp_path / "others"
    flow, failed = parked(atom, "Repairable", {"File": str(file)}, "Stubborn")
    retry = ("executions", "retry", failed.id, "--as-copy")
    wrong = command(*retry, "--set", "Fil=canary-value", code=1)
    assert "Stubborn.Repairable has no input “Fil”; there are: " in wrong
    assert "canary" not in wrong
    before = atom.store.get(failed.id)
    other.write_text("repaired\n")
    (done,) = json.loads(command(*retry, "--set", f"File={other}", "--json"))
    assert (done["id"], done["done"]) == (failed.id, True)
    copied = done["copy"]
    until(lambda: atom.store.get(copied).state is State.COMPLETED, "the copy")
    assert other.read_text() == "repaired\nreserve\n"
    shown = command("executions", "show", copied).splitlines()
    assert ["origin", failed.id] in [line.split() for line in shown]
    assert json.loads(command("executions", "show", copied, "--json"))["origin"] == failed.id
    shown = command("executions", "show", failed.id).splitlines()
    assert "copies: 1" in shown
    assert f"copy: {copied} completed" in shown
    document = json.loads(command("executions", "show", failed.id, "--json"))
    assert document["copy_count"] == 1
    assert [each["id"] for each in document["copies"]] == [copied]
    assert atom.store.get(failed.id) == before, "its flow still waits for a retry"
    assert not flow.events_of("resumed")


def test_after_the_flow_has_moved_the_result_goes_to_the_history(atom, command, tmp_path):
    file = tmp_path / "steps"
    flow = atom.run("Repairable", {"File": str(file)}, service="Stubborn")
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
    assert "no failed step" in completed


@pytest.mark.parametrize("option", ["--from-start", "--as-copy"])
def test_request_whose_secrets_are_deleted_cannot_be_run_again(atom, command, option):
    flow = atom.run("Echo", {"Text": "x", "Password": "canary-password"})
    resumed(flow)
    execution_id = atom.execution_of(flow).id
    until(
        lambda: atom.store.get(execution_id).callback_state is CallbackState.DELIVERED,
        "the delivery to be recorded",
    )
    said = command("executions", "retry", execution_id, option, code=1)
    assert "secrets of its request were deleted" in said


def test_a_flow_that_took_the_callback_and_still_waits_hears_of_the_next_result(atom, command):
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("Echo", {"Text": "x"})])
    atom.platform.script(Answer("WAIT"))
    atom.platform.send(flow)
    until(lambda: atom.execution_of(flow).callback_state is CallbackState.DELIVERED, "the callback")
    assert not flow.events_of("resumed")
    said = command("executions", "retry", atom.execution_of(flow).id, "--from-start")
    assert "its flow gets the result" in said
    assert resumed(flow)[0]["Text"] == "x"


def test_while_the_callback_is_still_being_sent_nothing_runs_again(atom, command):
    atom.end("callbacks")
    try:
        flow = atom.run("Echo", {"Text": "x"})
        until(lambda: atom.execution_of(flow).state is State.COMPLETED, "its end")
        execution_id = atom.execution_of(flow).id
        said = command("executions", "retry", execution_id, "--from-start", code=1)
        assert "its callback is still being sent" in said
    finally:
        atom.start("callbacks", "worker", "--queues=callbacks")
    assert resumed(flow)[0]["Text"] == "x"


def test_retry_asks_from_where(command):
    said = command("executions", "retry", "nobody", "--from-start", "--json", code=1)
    (told,) = json.loads(said)
    assert (told["id"], told["done"]) == ("nobody", False)


# --- callbacks


def test_parked_callbacks_are_listed_and_replayed(atom, command):
    one, first = parked(atom, "Echo", {"Text": "one"})
    between = datetime.now(UTC).isoformat()
    two, second = parked(atom, "Echo", {"Text": "two"})
    host = atom.platform.url.removeprefix("http://")
    found = json.loads(command("callbacks", "list", "--host", host, "--since", "1h", "--json"))
    assert [each["execution_id"] for each in found[-2:]] == [first.id, second.id]
    assert found[-1]["answer"] == "200 NOT_ALLOWED"
    later = json.loads(command("callbacks", "list", "--since", between, "--json"))
    assert [each["execution_id"] for each in later] == [second.id]
    assert "No callback is parked" in command("callbacks", "list", "--since", "2999-01-01T00+14")
    assert first.id in command("callbacks", "list")
    assert "No callback is parked" in command("callbacks", "list", "--host", "elsewhere.example")
    assert "sent within seconds" in command("callbacks", "replay", first.id)
    assert resumed(one)[0]["Text"] == "one"
    assert "0 callback(s)" in command("callbacks", "replay", "--since", "2999-01-01")
    chosen = ["--host", "127.0.0.1", "--since", between]
    assert "1 callback(s)" in command("callbacks", "replay", *chosen)
    assert resumed(two)[0]["Text"] == "two"
    until(
        lambda: atom.store.get(second.id).callback_state is CallbackState.DELIVERED,
        "the delivery to be recorded",
    )
    assert "its flow took the callback" in command("callbacks", "replay", second.id, code=1)


def test_all_parked_callbacks_are_replayed_at_once(atom, command):
    flows = [parked(atom, "Echo", {"Text": str(number)})[0] for number in range(3)]
    told = json.loads(command("callbacks", "replay", "--all", "--json"))
    ids = {each["id"] for each in told if each["done"]}
    assert ids >= {atom.execution_of(flow).id for flow in flows}
    assert [resumed(flow)[0]["Text"] for flow in flows] == ["0", "1", "2"]


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
        assert running.wait_over(120) is FlowStatus.DONE
    finally:
        command("listeners", "resume", *target)
    assert atom.run("Echo", {"Text": "x"}).wait_over(120) is FlowStatus.DONE


def test_an_action_paused_by_itself_stays_so(atom, command):
    command("listeners", "pause", "Trial.Echo")
    command("listeners", "pause", "Trial")
    assert "“Trial.Echo” is still paused by itself" in command("listeners", "resume", "Trial")
    # Also where its service is declared no more.
    said = command("listeners", "resume", "Trial.Echo", ATOM_SERVICES="tests.support.shop")
    assert "“Trial.Echo” takes requests" in said
    assert "was not paused" in command("listeners", "resume", "Trial.Echo")


def test_while_everything_is_paused_resuming_one_service_says_so(command):
    assert list(json.loads(command("listeners", "pause", "--json"))) == ["*"]
    try:
        said = command("listeners", "resume", "Trial")
        assert "Every service is still paused, and “Trial” with it" in said
    finally:
        assert json.loads(command("listeners", "resume", "--json")) == {}


@pytest.mark.parametrize("target", ["Nothing", "Trial.Gone", "", "*"])
def test_what_no_service_declares_can_be_neither_paused_nor_resumed(atom, command, target):
    for verb in ("pause", "resume"):
        said = command("listeners", verb, target, code=1)
        assert f"is called “{target}”; there are: Trial, " in said
    assert atom.store.paused() == {}


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
