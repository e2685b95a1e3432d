"""Processes that wait for a time or an event, end to end; their only worker has one place."""

import json
import urllib.error
import urllib.request

import pytest

from atom.records import CallbackState, RunEnd, State
from atom.suspension import WaitKind
from tests.support.operating import command, resumed
from tests.support.roles import TestAtom
from tests.support.waiting import until


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = TestAtom(tmp_path_factory.mktemp("suspended"), "tests.support.lasting")
    try:
        atom.start_all(["--concurrency=1"])
        yield atom
    finally:
        atom.close()


def run(atom, action, **inputs):
    return atom.run(action, inputs, service="Lasting")


def suspended(atom, flow):
    return until(
        lambda: (found := atom.execution_of(flow)).state is State.SUSPENDED and found,
        "it to be suspended",
    )


def post(url, content=b"", **headers):
    request = urllib.request.Request(url, content, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read()), error.headers


def test_a_process_sleeps_without_a_worker_and_goes_on_at_its_line(atom, tmp_path):
    file = tmp_path / "lines"
    flow = run(atom, "Sleeps", Seconds=10, File=str(file))
    found = suspended(atom, flow)
    assert (found.wait.name, found.wait.kind) == ("sleep", WaitKind.TIME)
    # The worker's only place is free.
    assert resumed(run(atom, "Waits until"))[0] == {"Text": "later"}
    assert resumed(flow)[0] == {"Text": "attempt 1"}
    assert file.read_text() == "before\nafter\n"
    found = atom.store.get(found.id)
    assert [step.name for step in found.steps] == ["before", "sleep", "after"]
    assert [each.end for each in found.runs] == [RunEnd.SUSPENDED, RunEnd.COMPLETED]
    assert (found.attempts, found.losses) == (1, 0)
    assert [event.details["message"] for event in flow.events_of("progress")] == ["asleep"]


def test_many_sleep_at_once(atom, tmp_path):
    flows = [run(atom, "Sleeps", Seconds=1, File=str(tmp_path / str(n))) for n in range(30)]
    assert all(resumed(flow)[0] == {"Text": "attempt 1"} for flow in flows)


def test_what_fails_after_a_sleep_does_not_sleep_again_when_it_is_tried_again(atom, tmp_path):
    file = tmp_path / "lines"
    flow = run(atom, "Fails after a sleep", File=str(file))
    assert resumed(flow)[0] == {"Text": "at last"}
    assert file.read_text() == "woke\n" * 3
    ends = [each.end for each in atom.store.get(atom.execution_of(flow).id).runs]
    assert ends.count(RunEnd.SUSPENDED) == 1


def failure(atom, action):
    flow = run(atom, action)
    assert "Failed" in resumed(flow)[1]
    return atom.execution_of(flow).error


def test_what_cannot_be_slept_through_says_why(atom):
    error = failure(atom, "Sleeps too long")
    assert "its deadline is" in error
    assert "longer timeout" in error
    assert "has to let Suspended pass" in failure(atom, "Goes on")
    assert "CannotSuspend" not in failure(atom, "Sleeps in a step")


def test_a_request_that_is_answered_in_itself_cannot_be_suspended(atom):
    status, problem, _ = post(
        f"{atom.url}/fs/Lasting/data",
        json.dumps(
            {"objectDataType": {"developerName": "Thing"}, "listFilter": {"id": "1"}}
        ).encode(),
        **{"Content-Type": "application/json"},
    )
    assert status == 500
    (found,) = [each for each in atom.store.find(10).executions if each.action == "Thing.get"]
    assert "cannot be suspended" in found.error
    assert found.id in problem["message"]


def test_cancelling_what_sleeps(atom, tmp_path):
    flow = run(atom, "Sleeps", Seconds=600, File=str(tmp_path / "lines"))
    found = suspended(atom, flow)
    said = command(atom, "executions", "cancel", found.id)
    assert "cancelled while it was suspended" in said
    assert "Cancelled" in resumed(flow)[1]


# --- signals


def asked(atom, tmp_path, seconds=60):
    """A flow that waits for an approval, its execution, and the token of that."""
    file = tmp_path / "tokens"
    flow = run(atom, "Approval", Seconds=seconds, File=str(file))
    found = suspended(atom, flow)
    execution_id, token = file.read_text().split()
    assert execution_id == found.id
    return flow, found, token


def test_a_signal_over_http_lets_it_go_on(atom, tmp_path):
    flow, found, token = asked(atom, tmp_path)
    url = f"{atom.url}/signals/{found.id}/approval"
    as_json = {"Content-Type": "application/json"}
    answer = post(url, b'{"by": "Ada"}', Authorization=f"Bearer {token}", **as_json)
    assert answer[:2] == (202, {"executionId": found.id, "signal": "approval"})
    assert resumed(flow)[0] == {"Text": "approved by Ada"}
    # Nothing gave the token away.
    assert token.encode() not in atom.logs()
    assert token not in str(atom.store.get(found.id))


def test_the_listener_wakes_a_worker_for_a_signal_itself(atom, tmp_path):
    flow, found, token = asked(atom, tmp_path)
    atom.end("recovery")
    try:
        url = f"{atom.url}/signals/{found.id}/approval?token={token}"
        assert post(url, b'{"by": "Ada"}', **{"Content-Type": "application/json"})[0] == 202
        assert resumed(flow)[0] == {"Text": "approved by Ada"}
    finally:
        atom.start("recovery", "recovery")


def test_who_is_refused(atom, tmp_path):
    flow, found, token = asked(atom, tmp_path)
    url = f"{atom.url}/signals/{found.id}/approval"
    as_json = {"Content-Type": "application/json"}
    status, problem, headers = post(url)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "Authorization: Bearer" in problem["message"]
    assert post(f"{url}?token=wrong")[0] == 403
    assert post(f"{atom.url}/signals/unknown/approval?token={token}")[0] == 403
    assert post(f"{url}?token={token}", b"{", **as_json)[0] == 400
    assert post(f"{url}?token={token}", b"x", **{"Content-Type": "text/plain"})[0] == 415
    large = json.dumps("x" * 2_000_000).encode()
    assert post(f"{url}?token={token}", large, **as_json)[0] == 413
    assert atom.store.get(found.id).state is State.SUSPENDED
    assert post(f"{url}?token={token}", b'{"by": "Bob"}', **as_json)[0] == 202
    assert post(f"{url}?token={token}", b'{"by": "Eve"}', **as_json)[0] in (403, 409)
    assert resumed(flow)[0] == {"Text": "approved by Bob"}
    status, problem, _ = post(f"{url}?token={token}", b'{"by": "Bob"}', **as_json)
    assert status in (403, 409)


def test_an_operator_gives_a_signal(atom, tmp_path):
    flow, found, _ = asked(atom, tmp_path)
    said = command(atom, "executions", "show", found.id)
    assert f"atom executions signal {found.id} approval" in said
    assert "signal “approval” until" in said
    signal = ("executions", "signal", found.id, "approval")
    assert "not valid JSON" in command(atom, *signal, "--event", "{", code=2)
    event = '{"by": "the operator"}'
    said = command(atom, *signal, "--event", event)
    assert said == f"{found.id}: goes on with the signal “approval”\n"
    assert resumed(flow)[0] == {"Text": "approved by the operator"}
    command(atom, *signal, code=1)


def test_received_signal_is_kept_by_a_retry_unless_it_is_dropped(atom, tmp_path):
    flow, found, token = asked(atom, tmp_path, seconds=600)
    url = f"{atom.url}/signals/{found.id}/approval?token={token}"
    assert post(url, b'{"by": "Bob"}', **{"Content-Type": "application/json"})[0] == 202
    assert resumed(flow)[0] == {"Text": "approved by Bob"}
    until(
        lambda: atom.store.get(found.id).callback_state is CallbackState.DELIVERED,
        "the delivery to be recorded",
    )
    retry = ("executions", "retry", found.id, "--from-start")
    command(atom, *retry)
    assert approver(atom, found.id) == "approved by Bob"

    command(atom, *retry, "--drop-signals")
    until(lambda: atom.store.get(found.id).state is State.SUSPENDED, "it to wait again")
    assert post(url, b'{"by": "Eve"}', **{"Content-Type": "application/json"})[0] == 202
    assert approver(atom, found.id) == "approved by Eve"


def approver(atom, execution_id):
    until(lambda: atom.store.get(execution_id).state is State.COMPLETED, "it to complete")
    return atom.store.get(execution_id).response["outputs"][0]["contentValue"]


def test_run_from_the_failed_step_a_signal_is_waited_for_again(atom, tmp_path):
    flow = run(atom, "Insists", Seconds=1, File=str(tmp_path / "waits"))
    assert "Failed" in resumed(flow)[1]
    found = atom.execution_of(flow)
    assert "signal “approval” did not come in time" in command(atom, "executions", "show", found.id)
    again = command(atom, "executions", "retry", "--from-failed-step", found.id)
    assert "starts again" in again
    signal = ("executions", "signal", found.id, "approval", "--event", '{"by": "Ada"}')
    suspended(atom, flow)
    assert "goes on" in command(atom, *signal)
    until(lambda: atom.store.get(found.id).state is State.COMPLETED, "it to complete")
    assert atom.store.get(found.id).response["outputs"][0]["contentValue"] == "approved by Ada"


def test_a_signal_that_does_not_come(atom, tmp_path):
    flow = run(atom, "Approval", Seconds=0.3, File=str(tmp_path / "tokens"))
    assert resumed(flow)[0] == {"Text": "The signal “approval” did not come in time."}
