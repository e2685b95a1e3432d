"""Accepting once, claiming by one worker at a time, and what a fencing token keeps out."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import pytest
import redis

from atom import names
from atom.errors import ClaimLost, StoreUnavailable
from atom.records import CallbackState, Ended, State, Step
from atom.settings import Settings
from atom.store import RedisStore
from tests.support.executions import an_attempt, new_execution
from tests.support.waiting import until


def claimed(store, execution_id, worker="w"):
    claim = store.claim(execution_id, worker, "1")
    assert claim is not None
    return claim


def test_an_accepted_execution_can_be_read_back(store):
    new = new_execution()
    assert store.accept(new) == (new.id, True, True)
    found = store.get(new.id)
    assert (found.service, found.action, found.state) == ("CRM", "Retrieve", State.ACCEPTED)
    assert found.callback_state is CallbackState.NONE
    assert found.attempts == 0
    assert (found.deadline - found.accepted_at).total_seconds() == 600


def test_the_same_request_is_stored_once_even_when_sent_at_the_same_moment(store, raw):
    requests = [new_execution(token="same") for _ in range(32)]
    barrier = threading.Barrier(len(requests))

    def accept(new):
        barrier.wait()
        return store.accept(new)

    with ThreadPoolExecutor(len(requests)) as pool:
        accepted = list(pool.map(accept, requests))

    assert len({each.id for each in accepted}) == sum(each.is_new for each in accepted) == 1
    assert raw.zcard("atom:history") == raw.zcard("atom:accepted") == 1


def test_a_reply_that_was_lost_is_asked_for_again(store, raw, monkeypatch):
    store.accept(new_execution(tenant_id="other"))  # connected, and the script is known
    read, lost = redis.Connection.read_response, []

    def lose_first(self, *arguments, **options):
        answer = read(self, *arguments, **options)
        if not lost:
            lost.append(answer)
            raise redis.ConnectionError("lost on its way")
        return answer

    monkeypatch.setattr(redis.Connection, "read_response", lose_first)
    new = new_execution()
    assert store.accept(new) == (new.id, True, True)
    assert lost[0][0] == [b"new", 1]
    assert raw.zcard("atom:history") == 2


@pytest.mark.parametrize("other", ["tenant_id", "token", "service", "action"])
def test_a_request_that_differs_in_its_identity_is_another_one(store, other):
    first = new_execution(token="same")
    second = new_execution(**{"token": "same", other: "other"})
    assert store.accept(first).id != store.accept(second).id


def test_without_a_token_each_request_is_one_of_its_own(store, raw):
    first, second = new_execution(token=""), new_execution(token="")
    assert store.accept(first).id != store.accept(second).id
    assert store.accept(first) == (first.id, False, False)
    assert raw.zcard("atom:history") == 2


def test_accepting_again_after_a_lost_reply_is_the_same_acceptance(store, monkeypatch):
    new = new_execution()
    with monkeypatch.context() as patched:
        patched.setattr("atom.store.redis_executions.uuid4", lambda: UUID(int=1))
        # As the driver repeats it.
        assert store.accept(new) == store.accept(new) == (new.id, True, True)
    claimed(store, new.id)
    assert store.accept(new) == (new.id, False, False)


@pytest.mark.parametrize("stands", ["accepted", "running", "finished", "delivered"])
def test_a_request_is_known_wherever_its_execution_stands(store, stands):
    new = new_execution(token="same")
    store.accept(new)
    if stands != "accepted":
        claim = claimed(store, new.id)
    if stands in ("finished", "delivered"):
        store.finish(claim, State.COMPLETED, b"{}", "")
    if stands == "delivered":
        store.record_delivery(store.claim_delivery(new.id), "delivered", an_attempt())
    before = store.get(new.id)
    assert store.accept(new_execution(token="same", state_id="another")) == (new.id, False, False)
    assert store.get(new.id) == before
    assert store.find(10).executions[0].id == new.id


def test_a_request_is_known_until_the_retention_after_its_deadline(settings, raw):
    """However soon it ended, and its execution was forgotten."""
    store = RedisStore(replace(settings, retention_days=0.0000001))
    slow, quick = new_execution(), new_execution(timeout_seconds=0.5)
    plain = new_execution(token="")
    for new in (slow, quick, plain):
        store.accept(new)
        store.cancel(new.id, b"{}", "")
        store.record_delivery(store.claim_delivery(new.id), "delivered", an_attempt())
    until(lambda: time.sleep(0.01) or store.trim(100) == 0, "the retention to be over", 5)
    assert store.get(slow.id) is None
    assert store.accept(slow) == (slow.id, False, False)
    assert store.answer(slow.id).response is None  # which is WAIT
    assert 590 < raw.ttl(f"{names.execution_key(slow.id)}:known") <= 600
    assert not raw.exists(f"{names.execution_key(plain.id)}:known")  # it cannot come again
    until(lambda: store.accept(quick) == (quick.id, True, True), "its deadline", 5)
    store.close()


def test_one_worker_claims_and_the_second_finds_nothing_to_do(store):
    new = new_execution(authorization="ManyWhoUserId%3Du")
    store.accept(new)
    claim = claimed(store, new.id)
    assert (claim.attempt, claim.fence, claim.request) == (1, 1, new.request)
    assert store.claim(new.id, "other", "1") is None
    assert store.get(new.id).state is State.RUNNING


def test_of_many_workers_exactly_one_claims(store):
    new = new_execution()
    store.accept(new)
    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(lambda n: store.claim(new.id, f"w{n}", "1"), range(16)))
    assert sum(claim is not None for claim in claims) == 1


def test_an_unknown_execution_cannot_be_claimed(store):
    assert store.claim("nobody", "w", "1") is None


def test_a_lost_lease_is_taken_over_and_the_first_holder_writes_nothing_more(store):
    new = new_execution()
    store.accept(new)
    first = claimed(store, new.id, "first")
    second = until(lambda: store.claim(new.id, "second", "1"), "the lease to run out", 5)
    assert (second.attempt, second.fence) == (2, 2)
    assert store.renew([first, second]) == [first]
    with pytest.raises(ClaimLost):
        store.record_step(first, 1, Step("s", "1"))
    with pytest.raises(ClaimLost):
        store.progress(first, "late", None)
    with pytest.raises(ClaimLost):
        store.finish(first, State.COMPLETED, b'{"by":"first"}', "")
    assert store.steps(second) == {}
    store.finish(second, State.COMPLETED, b'{"by":"second"}', "")
    assert store.get(new.id).response == {"by": "second"}


def test_a_renewed_lease_is_not_taken_over(store, raw):
    new = new_execution()
    store.accept(new)
    claim = claimed(store, new.id)
    before = int(raw.hget(f"atom:execution:{new.id}", "lease_until"))
    until(lambda: int(raw.time()[0] * 1000) > before - 1000, "some time to pass", 5)
    assert store.renew([claim]) == []
    assert int(raw.hget(f"atom:execution:{new.id}", "lease_until")) >= before
    assert store.claim(new.id, "other", "1") is None


def test_steps_are_kept_by_position(store):
    new = new_execution()
    store.accept(new)
    claim = claimed(store, new.id)
    store.record_step(claim, 2, Step("second", '"b"'))
    store.record_step(claim, 1, Step("first", '"a"'))
    assert store.steps(claim) == {1: Step("first", '"a"'), 2: Step("second", '"b"')}
    assert [step.name for step in store.get(new.id).steps] == ["first", "second"]


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAULTED, State.FAILED])
def test_finishing_makes_the_callback_due_at_once(store, raw, state):
    new = new_execution()
    store.accept(new)
    assert store.finish(claimed(store, new.id), state, b"{}", "why").is_callback_due is True
    found = store.get(new.id)
    assert (found.state, found.callback_state) == (state, CallbackState.DUE)
    assert found.finished_at is not None
    assert raw.zcard("atom:leases") == raw.zcard("atom:deadlines") == 0
    assert raw.zscore("atom:callbacks", new.id) is not None


def test_finishing_again_after_a_lost_reply_changes_nothing(store):
    new = new_execution()
    store.accept(new)
    claim = claimed(store, new.id)
    store.finish(claim, State.COMPLETED, b'{"n":1}', "")
    store.finish(claim, State.COMPLETED, b'{"n":1}', "")
    with pytest.raises(ClaimLost):
        store.finish(claim, State.FAULTED, b'{"n":2}', "")
    assert store.get(new.id).response == {"n": 1}


def test_a_finished_execution_is_never_claimed_again(store, raw):
    new = new_execution()
    store.accept(new)
    store.finish(claimed(store, new.id), State.COMPLETED, b"{}", "")
    assert store.claim(new.id, "late", "1") is None


def test_what_did_not_start_is_found_once_per_put_off(store):
    new = new_execution()
    store.accept(new)
    assert until(lambda: store.take_unstarted(10), "it to be due", 5) == [new.id]
    assert store.take_unstarted(10) == []
    started = new_execution()
    store.accept(started)
    claimed(store, started.id)
    assert until(lambda: store.take_lost(10), "its lease to run out", 5) == [started.id]


def test_past_its_deadline_it_ends_and_its_worker_writes_nothing_more(store):
    new = new_execution(timeout_seconds=0.05)
    patient = new_execution()
    store.accept(new)
    store.accept(patient)
    claim = claimed(store, new.id)
    assert until(lambda: store.take_overdue(10), "the deadline", 5) == [new.id]
    assert store.time_out(new.id, b'{"rootFaults":{}}', "too long") == Ended(State.RUNNING, True)
    assert store.time_out(new.id, b"{}", "again") is None
    assert store.time_out(patient.id, b"{}", "not yet") is None
    assert store.get(new.id).state is State.TIMED_OUT
    with pytest.raises(ClaimLost):
        store.finish(claim, State.COMPLETED, b"{}", "")


def test_documents_are_shown_without_tokens_and_passwords(store):
    request = (
        b'{"token":"canary-token","inputs":[{"developerName":"Pin","contentType":'
        b'"ContentPassword","contentValue":"canary-pin"}]}'
    )
    new = new_execution(request=request, token="canary-token", authorization="canary-user")
    store.accept(new)
    assert "canary" not in repr(store.get(new.id))
    assert "canary" not in repr(store.claim(new.id, "w", "1"))
    assert "canary" not in repr(new)


def test_the_history_forgets_what_has_expired(settings, raw):
    store = RedisStore(replace(settings, retention_days=0.0000001))
    kept, gone = new_execution(), new_execution()
    for new in (kept, gone):
        store.accept(new)
    store.cancel(gone.id, b"{}", "")
    store.record_delivery(store.claim_delivery(gone.id), "delivered", an_attempt())
    until(lambda: store.trim(100), "the retention to be over", 5)
    assert raw.zrange("atom:history", 0, -1) == [kept.id.encode()]
    store.close()


def test_presence_is_announced_and_withdrawn(store, raw):
    store.announce("processes", "a@host")
    store.announce("callbacks", "b@host")
    assert store.present("processes") == ["a@host"]
    assert 0 < raw.ttl("atom:presence:processes:a@host") <= 30
    store.withdraw("processes", "a@host")
    assert store.present("processes") == []


def test_a_store_that_does_not_answer_is_one_error_without_the_password():
    store = RedisStore(Settings(redis_url="redis://:canary@127.0.0.1:1/0"))
    with pytest.raises(StoreUnavailable) as refused:
        store.accept(new_execution())
    assert "127.0.0.1:1" in str(refused.value)
    assert "canary" not in str(refused.value)
    assert isinstance(refused.value.__cause__, redis.RedisError)
    store.close()
