"""The sandbox as a platform that insists, and as one that misbehaves."""

import pytest

from atom.protocol.message_actions import forward, wait
from atom.sandbox import Answer, FlowStatus, Platform, SandboxError, SandboxServer


def prepared(platform, service):
    flow = platform.prepare(service.url, [("Do it", {})])
    return flow, next(iter(flow.calls.values()))


def test_who_insists_does_not_give_the_flow_up(service, sandbox):
    flow, call = prepared(sandbox.platform, service)
    service.answer = lambda asked: (503, {"message": "Later."})
    assert not sandbox.platform.ask(flow, call, insists=True)
    assert flow.status is FlowStatus.RUNNING
    (refused,) = flow.events_of("refused")
    assert (refused.details["status"], refused.details["message"]) == (503, "Later.")
    service.answer = lambda asked: (200, wait(asked["token"], asked["tenantId"], "Wait…"))
    assert sandbox.platform.ask(flow, call, insists=True)
    assert flow.status is FlowStatus.WAITING
    first, second = service.requests
    assert first["token"] == second["token"]
    assert call.requests == 2


def test_a_connection_that_breaks_is_a_refusal_without_a_status(service, sandbox):
    flow, call = prepared(sandbox.platform, service)
    call.url = "http://127.0.0.1:1/fs/Trial/actions/none"
    assert not sandbox.platform.ask(flow, call, insists=True)
    assert [event.details["status"] for event in flow.events_of("refused")] == [None]


def test_two_requests_answered_with_the_outcome_move_the_flow_once(service, sandbox):
    flow, call = prepared(sandbox.platform, service)
    service.answer = lambda asked: (200, forward(asked["token"], asked["tenantId"], []))
    assert sandbox.platform.ask(flow, call, insists=True)
    assert sandbox.platform.ask(flow, call, insists=True)
    assert (flow.status, call.moves) == (FlowStatus.DONE, 1)


def test_an_outcome_that_answers_a_spent_token_is_seen(service, sandbox, post):
    """The flow had moved before its only request was answered: the service has two truths."""
    flow, call = prepared(sandbox.platform, service)
    call.is_answered = True
    assert post(forward(call.token, flow.tenant_id, [])) == (200, "SUCCESS")
    service.answer = lambda asked: (200, forward(asked["token"], asked["tenantId"], []))
    sandbox.platform.ask(flow, call)
    assert call.moves == 2


def test_a_platform_that_misbehaves_chooses_for_each_callback(service, sandbox, post):
    chosen = [Answer("BUSY"), Answer(status=503, headers={"Retry-After": "2"}), None]
    tokens = []

    def choose(token):
        tokens.append(token)
        return chosen.pop(0)

    sandbox.platform.misbehave(choose)
    flow, call = prepared(sandbox.platform, service)
    sandbox.platform.send(flow)
    outcome = forward(call.token, flow.tenant_id, [])
    assert post(outcome) == (200, "BUSY")
    assert post(outcome)[0] == 503
    assert flow.status is FlowStatus.WAITING
    assert post(outcome) == (200, "SUCCESS")
    assert tokens == [call.token] * 3
    callbacks = flow.events_of("callback")
    assert [event.details["answer"] for event in callbacks] == ["BUSY", "503", "SUCCESS"]
    assert len({event.details["digest"] for event in callbacks}) == 1


def test_two_messages_can_be_told_apart(service, sandbox, post):
    flow, call = prepared(sandbox.platform, service)
    sandbox.platform.send(flow)
    for message in ("half", "all"):
        post(wait(call.token, flow.tenant_id, message))
    assert len({event.details["digest"] for event in flow.events_of("callback")}) == 2


def test_what_is_composed_needs_an_installed_service(sandbox):
    with pytest.raises(SandboxError, match="is not installed"):
        sandbox.platform.compose("http://127.0.0.1:1/fs/Trial", [("Do it", {})])


def test_the_oldest_flow_is_forgotten_with_its_token(service):
    with SandboxServer(platform=Platform(kept_flows=1)) as small:
        forgotten, call = prepared(small.platform, service)
        kept, _ = prepared(small.platform, service)
        assert small.platform.flows() == [kept]
        body = b'{"token": "%s", "invokeType": "FORWARD"}' % call.token.encode()
        assert small.platform.take_callback(forgotten.tenant_id, body).status == 404
