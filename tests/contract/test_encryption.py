"""Encryption at rest: nothing to be read without a key, nothing lost where one is missing."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from atom import names
from atom.errors import ClaimLost, Unreadable
from atom.records import CallbackState, LogLine, RecordedStep, State, Step, StepKind
from atom.redaction import MASK
from atom.store import RedisStore, Result
from atom.store.encryption import new_key
from tests.contract.conftest import short_times
from tests.support.executions import an_attempt, new_execution
from tests.support.redis_content import content_of

OLD, NEW = new_key(), new_key()
REQUEST = b'{"inputs":"canary-request"}'
PRIVATE_RESPONSE = b'{"outputs":"canary-private-response"}'
RESPONSE = b'{"outputs":"canary-response"}'


@pytest.fixture
def settings(embedded_redis):
    return short_times(embedded_redis.url, secret_key=(NEW,))


@pytest.fixture
def with_keys(settings, raw):
    """Makes stores with these keys over one database."""
    stores = []

    def make(*keys, **changes):
        stores.append(RedisStore(replace(settings, secret_key=keys, **changes)))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def accepted(store, **changes):
    values = {
        "token": "canary-token",
        "authorization": "canary-user",
        "request": REQUEST,
        "private_request": b'{"inputs":"canary-private-request"}',
    }
    new = new_execution(**{**values, **changes})
    store.accept(new)
    return new.id


def claimed(store, **changes):
    return store.claim(accepted(store, **changes), "w", "1")


def finished(store, **changes):
    claim = claimed(store, **changes)
    store.finish(
        claim, State.FAULTED, RESPONSE, "canary-error", b'{"of":"canary-private-response"}'
    )
    return claim.id


def let_its_time_come(raw, execution_id):
    for each in ("not_before", "callback_due_at"):
        if raw.hexists(names.execution_key(execution_id), each):
            raw.hset(names.execution_key(execution_id), each, 1)


def live(store):
    """Everything that can be said of an execution, at one time or another; returns its id."""
    new_id = accepted(store)
    claim = store.claim(new_id, "w", "1")
    store.record_step(claim, 1, Step("canary-step-name", '"canary-step-result"'))
    store.record_step(claim, 2, Step("s", '"canary-step-fault"', StepKind.FAULT))
    store.progress(claim, "canary-progress", 0.5)
    store.add_log(new_id, [LogLine(datetime.now(UTC), "INFO", "canary-line", 1)])
    store.hand_back(claim, failed="canary-failed-try")
    claim = store.claim(new_id, "w", "1")
    store.finish(
        claim, State.FAULTED, RESPONSE, "canary-error", b'{"of":"canary-private-response"}'
    )
    store.record_delivery(store.claim_delivery(new_id), "parked", an_attempt("canary-answer"))
    waited_for = claimed(store, is_synchronous=True, token="")
    store.finish(waited_for, State.COMPLETED, b'{"outputs":"canary-synchronous"}', "")
    return new_id


def test_with_a_key_nothing_that_was_said_can_be_read(store, raw):
    live(store)
    assert b"canary" not in content_of(raw)


def test_without_one_everything_can(with_keys, raw):
    live(with_keys())
    found = content_of(raw)
    for each in ("token", "user", "request", "private-request", "response", "private-response"):
        assert f"canary-{each}".encode() in found
    for each in ("step-name", "step-result", "progress", "line", "error", "answer", "synchronous"):
        assert f"canary-{each}".encode() in found


def test_who_has_the_key_reads_everything(store):
    found = store.get(live(store))
    assert (found.request, found.response) == (orjson.loads(REQUEST), orjson.loads(RESPONSE))
    assert (found.progress, found.error) == ("canary-progress", "canary-error")
    (step,) = found.steps
    assert step == RecordedStep("canary-step-name", StepKind.RESULT, result='"canary-step-result"')
    assert [each.answer for each in found.callback_attempts] == ["canary-answer"]
    assert found.unreadable is None
    (parked,) = store.parked(10)
    assert parked.answer == "200 canary-answer"
    assert [each.message for each in store.log(found.id)] == ["canary-line"]


@pytest.mark.parametrize(
    ("before", "after"),
    [((), (NEW,)), ((NEW,), (NEW,)), ((OLD,), (NEW, OLD)), ((OLD,), (OLD, NEW))],
)
def test_keys_may_change_at_any_time(with_keys, raw, before, after):
    """Each step of an execution by another role than the last one, with other keys."""
    first, second = with_keys(*before), with_keys(*after)
    execution_id = accepted(first)
    claim = second.claim(execution_id, "w", "1")
    assert (claim.token, claim.authorization) == ("canary-token", "canary-user")
    assert claim.request == b'{"inputs":"canary-private-request"}'
    first.record_step(claim, 1, Step("one", "1"))
    second.record_step(claim, 2, Step("two", "2", StepKind.FAILURE))
    assert second.steps(claim) == {
        1: Step("one", "1"),
        2: Step("two", "2", StepKind.FAILURE),
    }
    first.finish(claim, State.FAILED, RESPONSE, "canary-error")
    delivery = second.claim_delivery(execution_id)
    assert (delivery.token, delivery.authorization) == ("canary-token", "canary-user")
    assert delivery.response == RESPONSE
    second.record_delivery(delivery, "parked", an_attempt())
    second.restart(execution_id, from_start=False)
    assert second.steps(second.claim(execution_id, "w", "1")) == {1: Step("one", "1")}


# --- without the key


@pytest.mark.parametrize("keys", [(), (OLD,)])
def test_who_cannot_read_it_leaves_it_to_a_worker_that_can(store, with_keys, raw, keys):
    execution_id = accepted(store)
    other = with_keys(*keys)
    with pytest.raises(Unreadable, match=f"execution {execution_id} .*ATOM_SECRET_KEY"):
        other.claim(execution_id, "other", "1")
    found = store.get(execution_id)
    assert (found.state, found.losses, found.tries) == (State.ACCEPTED, 0, 0)
    # Not at once, or it would come back to the same worker as fast as it can.
    assert store.claim(execution_id, "w", "1") is None
    assert store.take_scheduled(10) == []
    let_its_time_come(raw, execution_id)
    raw.zadd(names.SCHEDULED, {execution_id: 1})
    assert store.take_scheduled(10) == [execution_id]
    assert store.claim(execution_id, "w", "1").token == "canary-token"


def test_steps_that_cannot_be_read_are_an_error(store, with_keys):
    claim = claimed(store)
    with_keys(OLD).record_step(claim, 1, Step("one", "1"))
    with pytest.raises(Unreadable):
        store.steps(claim)


@pytest.mark.parametrize("keys", [(), (OLD,)])
def test_a_callback_that_cannot_be_read_is_left_to_a_worker_that_can(store, with_keys, raw, keys):
    execution_id = finished(store)
    with pytest.raises(Unreadable, match="ATOM_SECRET_KEY"):
        with_keys(*keys).claim_delivery(execution_id)
    found = store.get(execution_id)
    (tried,) = found.callback_attempts
    assert "ATOM_SECRET_KEY" in tried.answer
    assert found.unreadable is None
    assert found.callback_state is CallbackState.DUE
    assert store.claim_delivery(execution_id) is None, "not at once"
    let_its_time_come(raw, execution_id)
    delivery = store.claim_delivery(execution_id)
    assert (delivery.token, delivery.failures) == ("canary-token", 0)
    assert not raw.exists(f"{names.CIRCUIT_PREFIX}flow.boomi.com")


def test_it_says_nothing_of_the_host(store, with_keys, raw):
    circuit = f"{names.CIRCUIT_PREFIX}flow.boomi.com"
    raw.hset(circuit, "failures", 3)
    with pytest.raises(Unreadable):
        with_keys().claim_delivery(finished(store))
    assert raw.hget(circuit, "failures") == b"3"


def test_a_callback_that_nobody_could_read_is_parked_some_day(store, with_keys, raw):
    execution_id = finished(store)
    raw.hset(names.execution_key(execution_id), "callback_due_since", 1)
    other = with_keys(OLD)
    with pytest.raises(Unreadable):
        other.claim_delivery(execution_id)
    (parked,) = other.parked(10)
    assert "ATOM_SECRET_KEY" in parked.answer
    # The key is found again: nothing was lost.
    assert store.replay(execution_id).is_due
    assert store.claim_delivery(execution_id).token == "canary-token"


def test_progress_that_cannot_be_read_is_not_sent(store, with_keys):
    claim = claimed(store)
    store.progress(claim, "canary-progress", None)
    with pytest.raises(Unreadable):
        with_keys().claim_delivery(claim.id)
    assert store.get(claim.id).callback_state is CallbackState.NONE
    assert store.finish(claim, State.COMPLETED, RESPONSE, "").is_callback_due is True


def test_people_see_what_can_be_read_and_why_the_rest_cannot(store, with_keys):
    execution_id = live(store)
    other = with_keys(OLD)
    found = other.get(execution_id)
    assert (found.service, found.state) == ("CRM", State.FAULTED)
    assert (found.request, found.response, found.error, found.progress) == (None,) * 4
    assert found.steps == (RecordedStep(MASK, StepKind.RESULT),)
    assert found.callback_attempts == ()
    assert f"execution {execution_id} is encrypted" in found.unreadable
    assert {each.id for each in other.find(10).executions} == {
        each.id for each in store.find(10).executions
    }
    assert other.find(10).executions[-1].unreadable == found.unreadable
    assert [each.answer for each in other.parked(10)] == [""]
    assert other.log(execution_id) == []


def test_it_can_be_ended_without_the_key(store, with_keys):
    other = with_keys()
    ended, late = accepted(store), accepted(store, token="another", timeout_seconds=0.001)
    assert other.envelope(ended).is_awaited
    assert other.cancel(ended, b"{}", "cancelled").was is State.ACCEPTED
    assert store.claim_delivery(ended).response == b"{}"
    assert other.time_out(late, b"{}", "late") or other.time_out(late, b"{}", "late")


def test_a_synchronous_answer_that_cannot_be_read(store, with_keys):
    other = with_keys(OLD)
    inline = claimed(store, sync_timeout_seconds=5)
    store.finish(inline, State.COMPLETED, RESPONSE, "")
    with pytest.raises(Unreadable):
        other.answer(inline.id)
    assert store.get(inline.id).callback_state is CallbackState.DUE, "so a callback follows"
    for ask in (lambda each: other.wait_result(each, 5), other.give_up):
        only = claimed(store, is_synchronous=True, token="")
        store.finish(only, State.COMPLETED, RESPONSE, "")
        with pytest.raises(Unreadable):
            ask(only.id)
    only = claimed(store, is_synchronous=True, token="")
    store.finish(only, State.COMPLETED, RESPONSE, "")
    assert store.wait_result(only.id, 5) == Result(State.COMPLETED, RESPONSE)


def test_a_claim_that_was_lost_meanwhile_is_not_handed_back(store, with_keys, monkeypatch):
    execution_id = accepted(store)
    other = with_keys()

    def lost(*_, **__):
        raise ClaimLost(execution_id)

    monkeypatch.setattr(other, "hand_back", lost)
    with pytest.raises(Unreadable):
        other.claim(execution_id, "other", "1")


def test_the_same_request_is_known_whatever_the_key(with_keys):
    """Else it would be run twice when keys change."""
    first = accepted(with_keys(OLD))
    again = new_execution(token="canary-token")
    assert with_keys(NEW, OLD).accept(again) == (first, False, False)
    assert with_keys().accept(again) == (first, False, False)
