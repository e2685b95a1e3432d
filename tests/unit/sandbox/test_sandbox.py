"""The stand-in for the flow platform, against a tiny Flow Service of the test's own."""

import pytest

from atom.errors import StartupError
from atom.protocol.message_actions import forward, wait
from atom.sandbox import Answer, FlowStatus, SandboxClient, SandboxError, SandboxServer
from atom.sandbox.inputs import InputError


def test_a_request_has_everything_a_platform_sends(service, sandbox):
    flow = sandbox.platform.run(
        service.url + "/",
        "Do it",
        {
            "Name": "Ada",
            "Big": 10**30,
            "Yes": True,
            "One": {"Sku": "A", "Quantity": 1.5},
            "Lines": [{"Sku": "B"}],
        },
        authorization="ManyWho",
    )
    (asked,) = service.requests
    assert set(asked) >= {
        "token",
        "tenantId",
        "stateId",
        "callbackUri",
        "culture",
        "executionMode",
        "joinPlayerUri",
        "playerUri",
        "uri",
        "configurationValues",
        "authorization",
        "annotations",
        "attributes",
        "inputs",
        "outcomes",
    }
    assert asked["callbackUri"] == f"{sandbox.url}/api/run/1/response"
    assert asked["_headers"]["Manywhotenant"] == asked["tenantId"] == flow.tenant_id
    assert asked["_headers"]["Manywhostate"] == asked["stateId"] == flow.id
    assert asked["_headers"]["Authorization"] == "ManyWho"
    name, big, yes, one, lines = asked["inputs"]
    assert [name["contentValue"], big["contentValue"]] == ["Ada", "1" + "0" * 30]
    assert (yes["contentValue"], yes["contentType"]) == ("true", "ContentBoolean")
    assert one["objectData"][0]["properties"][1]["contentValue"] == "1.5"
    assert lines["objectData"][0]["properties"][1]["contentValue"] is None


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"Nome": "x"}, "no input “Nome”; there are: Name, Big"),
        ({"Lines": {"Sku": "A"}}, "“Lines” is a list"),
        ({"One": {"Skew": "A"}}, "no input “Skew”"),
        ({"One": 7}, "takes an object"),
        ({"Name": {"a": 1}}, "“Name” is a simple value"),
    ],
)
def test_inputs_that_do_not_fit_are_named(service, sandbox, inputs, says):
    with pytest.raises(InputError, match=says):
        sandbox.platform.run(service.url, "Do it", inputs)
    assert service.requests == []


def test_a_flow_waits_progresses_and_resumes_once(service, sandbox, post):
    flow = sandbox.platform.run(service.url, "Do it", {})
    assert flow.status is FlowStatus.WAITING
    (token,) = flow.calls
    assert post(wait(token, flow.tenant_id, "half")) == (200, "WAIT")
    assert post(forward(token, flow.tenant_id, [])) == (200, "SUCCESS")
    assert post(forward(token, flow.tenant_id, [])) == (200, "TOKEN_COMPLETED")
    assert post(wait(token, flow.tenant_id, "late")) == (200, "TOKEN_COMPLETED")
    assert flow.status is FlowStatus.DONE
    assert flow.calls[token].moves == 1
    assert [event.kind for event in flow.events] == [
        "requested",
        "answered",
        "callback",
        "progress",
        "callback",
        "resumed",
        "callback",
        "callback",
    ]


def test_a_callback_that_overtakes_the_wait_is_answered_busy(service, sandbox, post):
    early = []
    service.before_answer = lambda asked: early.append(
        post(forward(asked["token"], asked["tenantId"], []))
    )
    flow = sandbox.platform.run(service.url, "Do it", {})
    assert early == [(200, "BUSY")]
    assert flow.status is FlowStatus.WAITING


def test_an_inline_answer_moves_the_flow_at_once(service, sandbox):
    service.answer = lambda asked: (200, forward(asked["token"], asked["tenantId"], []))
    flow = sandbox.platform.run(service.url, "Do it", {})
    assert flow.status is FlowStatus.DONE


def test_strangers_are_refused(service, sandbox, post):
    flow = sandbox.platform.run(service.url, "Do it", {})
    (token,) = flow.calls
    assert post(forward("unknown", flow.tenant_id, []))[0] == 404
    assert post(forward(token, flow.tenant_id, []), tenant="other") == (200, "NOT_ALLOWED")
    assert post({"tenantId": flow.tenant_id})[0] == 400
    assert flow.status is FlowStatus.WAITING


def test_scripted_answers_come_first_and_take_nothing_unless_told(service, sandbox, post):
    flow = sandbox.platform.run(service.url, "Do it", {})
    (token,) = flow.calls
    sandbox.platform.script(Answer(status=500), Answer("HELLO", takes=True))
    assert post(forward(token, flow.tenant_id, []))[0] == 500
    assert flow.status is FlowStatus.WAITING
    assert post(forward(token, flow.tenant_id, [])) == (200, "HELLO")
    assert flow.status is FlowStatus.DONE


def test_a_refusal_fails_the_flow_with_its_sentence(service, sandbox):
    service.answer = lambda asked: (400, {"message": "Name is missing."})
    flow = sandbox.platform.run(service.url, "Do it", {})
    assert flow.status is FlowStatus.FAILED
    (failed,) = flow.events_of("failed")
    assert (failed.details["status"], failed.details["message"]) == (400, "Name is missing.")


def test_a_service_that_is_not_there(sandbox):
    with pytest.raises(SandboxError, match="no connection"):
        sandbox.platform.install("http://127.0.0.1:1/fs/Trial")


def test_a_client_watches_a_flow_to_its_end(service, sandbox, post):
    client = SandboxClient(sandbox.url)
    try:
        flow_id = client.start(service.url, "Do it", {"Name": "Ada"})
        kinds = []
        for event in client.watch(flow_id, 30):
            kinds.append(event.kind)
            if event.kind == "answered":
                flow = sandbox.platform.flow(flow_id)
                post(forward(event.token, flow.tenant_id, []))
        assert kinds == ["requested", "answered", "callback", "resumed"]
        assert client.status(flow_id) is FlowStatus.DONE
        with pytest.raises(SandboxError, match="still waits"):
            list(client.watch(client.start(service.url, "Do it", {}), 0.2))
        with pytest.raises(SandboxError, match="no action “Nix”; there are: Do it"):
            client.start(service.url, "Nix", {})
        with pytest.raises(SandboxError, match="no flow"):
            client.status("nobody")
        with pytest.raises(SandboxError, match="no input"):
            client.start(service.url, "Do it", {"Nome": 1})
    finally:
        client.close()


def test_a_taken_port_is_one_sentence(sandbox):
    port = int(sandbox.url.rpartition(":")[2])
    with pytest.raises(StartupError, match=rf"127\.0\.0\.1:{port}.*ATOM_SANDBOX_BIND"):
        SandboxServer(port=port)
