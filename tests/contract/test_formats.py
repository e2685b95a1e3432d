"""Records of other formats: the second and third are carried on, a newer one is left alone.

What those two wrote is frozen here: the code that wrote it is gone.
"""

import pytest

from atom import names
from atom.records import CallbackState, Restart, State, Step, StepKind
from tests.support.executions import an_attempt

ID = "0b6c4d3e-0000-4000-8000-000000000002"
KEY = names.execution_key(ID)
RESPONSE = b'{"invokeType":"FORWARD","token":"\xe2\x80\xa2"}'
REQUEST = b'{"token":"\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2","inputs":[]}'

# Times are milliseconds before now, or after it where they are negative.
ACCEPTED = {
    "format": 2,
    "service": "CRM",
    "action": "Retrieve",
    "tenant_id": "tenant",
    "state_id": "state",
    "token": "canary-token",
    "callback_uri": "https://flow.boomi.com/api/run/1/response",
    "request": REQUEST,
    "authorization": "ManyWhoUserId%3Du",
    "state": "accepted",
    "attempts": 0,
    "fence": 0,
    "callback_state": "none",
    "callback_seq": 0,
}
RUNNING = ACCEPTED | {
    "state": "running",
    "attempts": 1,
    "fence": 1,
    "worker": "old:1",
    "holder": "abc",
}
FINISHED = RUNNING | {
    "state": "completed",
    "response": RESPONSE,
    "error": "",
    "callback_seq": 1,
    "callback_failures": 2,
    "callback_busy": 1,
    "callback_state": "due",
    "callback_fence": 2,
}
DELIVERING = FINISHED | {"callback_state": "delivering", "callback_fence": 3}
PARKED = FINISHED | {"callback_state": "parked"}
PROGRESS = RUNNING | {
    "progress": "half way",
    "progress_fraction": "0.5",
    "callback_state": "due",
    "callback_seq": 1,
}
STEPS = {1: b'["one","1"]', 2: b'["two","{\\"a\\":2}"]'}
TRY = (
    b'{"at":"2026-11-01T10:00:00.123456+00:00","kind":"outcome","status":503,"answer":"BUSY",'
    b'"milliseconds":12}'
)
HOUR = 3_600_000


# What the third format added.
THIRD = {"format": 3, "timeout_ms": 2 * HOUR, "callback_host": "flow.boomi.com"}


@pytest.fixture(params=[2, 3])
def write(raw, request):
    """Writes a record as that format did; times become those of the server's clock."""

    def write(record, moments, indexes, steps=None, attempts=()):
        seconds, micros = raw.time()
        now = seconds * 1000 + micros // 1000
        moments = {"accepted_at": HOUR, "deadline": -HOUR, **moments}
        if (record["format"], request.param) == (2, 3):
            record = {**record, **THIRD}
            if "finished_at" in moments:
                moments["callback_due_since"] = moments["finished_at"]
        raw.hset(KEY, mapping={**record, **{each: now - ago for each, ago in moments.items()}})
        for index, ago in {"history": HOUR, **indexes}.items():
            raw.zadd(f"atom:{index}", {ID: now - ago})
        if steps:
            raw.hset(names.steps_key(ID), mapping=steps)
        for each in attempts:
            raw.rpush(names.attempts_key(ID), each)
        token = names.token_key("tenant", "canary-token", "CRM", "Retrieve")
        raw.set(token, ID, px=HOUR)

    return write


def finish_and_deliver(store, raw, claim):
    """From a claim to the end of what there is to do."""
    assert (claim.token, claim.authorization) == ("canary-token", "ManyWhoUserId%3Du")
    assert (claim.request, claim.service, claim.action) == (REQUEST, "CRM", "Retrieve")
    store.record_step(claim, 3, Step("three", '["x"]', StepKind.FAILURE))
    assert store.finish(claim, State.COMPLETED, RESPONSE, "").is_callback_due is True
    deliver(store, raw)


def deliver(store, raw):
    delivery = store.claim_delivery(ID)
    assert (delivery.token, delivery.authorization) == ("canary-token", "ManyWhoUserId%3Du")
    assert (delivery.response, delivery.is_final) == (RESPONSE, True)
    assert delivery.due_since is not None
    assert store.record_delivery(delivery, "delivered", an_attempt()) == []
    found = store.get(ID)
    assert (found.state, found.callback_state) == (State.COMPLETED, CallbackState.DELIVERED)
    assert raw.hget(KEY, "token") is None
    assert raw.ttl(KEY) > 0
    assert all(raw.ttl(each) > 0 for each in raw.keys(f"{KEY}*"))
    every = ("accepted", "scheduled", "leases", "deadlines", "callbacks", "parked")
    assert not any(raw.exists(f"atom:{index}") for index in every)


def test_accepted(store, raw, write):
    write(ACCEPTED, {}, {"accepted": 1, "deadlines": -HOUR})
    assert store.take_unstarted(10) == [ID]
    assert store.get(ID).state is State.ACCEPTED
    claim = store.claim(ID, "new", "7")
    assert (claim.attempt, claim.losses, claim.tries) == (1, 0, 0)
    assert store.get(ID).worker_version == "7"
    finish_and_deliver(store, raw, claim)


def test_accepted_and_waited_for(store, raw, write):
    record = {**ACCEPTED, "answer": "pending"}
    write(record, {"answer_until": -HOUR}, {"accepted": 1, "deadlines": -HOUR})
    claim = store.claim(ID, "new", "7")
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    assert store.answer(ID).response == RESPONSE
    store.confirm_answer(ID)
    assert store.get(ID).callback_state is CallbackState.DELIVERED


def test_running_with_an_ended_lease_and_recorded_steps(store, raw, write):
    moments = {"started_at": 5000, "lease_until": 1}
    write(RUNNING, moments, {"leases": 1, "deadlines": -HOUR}, STEPS)
    assert store.take_lost(10) == [ID]
    claim = store.claim(ID, "new", "7")
    assert (claim.attempt, claim.losses, claim.fence) == (2, 1, 2)
    assert store.steps(claim) == {1: Step("one", "1"), 2: Step("two", '{"a":2}')}
    assert len(store.get(ID).steps) == 2
    finish_and_deliver(store, raw, claim)


def test_running_with_progress_that_is_due(store, raw, write):
    moments = {"started_at": 5000, "lease_until": 1, "callback_due_at": 1, "progress_sent_at": HOUR}
    write(PROGRESS, moments, {"leases": 1, "deadlines": -HOUR, "callbacks": 1})
    delivery = store.claim_delivery(ID)
    assert (delivery.is_final, delivery.progress) == (False, "half way")
    store.record_delivery(delivery, "delivered", an_attempt("WAIT"))
    claim = store.claim(ID, "new", "7")
    assert store.progress(claim, "further", None) in (True, False)
    finish_and_deliver(store, raw, claim)


def test_held_by_a_worker_of_the_previous_version(store, write):
    """Which goes on renewing it, and is not taken over while it does."""
    moments = {"started_at": 5000, "lease_until": -HOUR}
    write(RUNNING, moments, {"leases": -HOUR, "deadlines": -HOUR}, STEPS)
    assert store.claim(ID, "new", "7") is None
    assert store.cancel(ID, RESPONSE, "").was is State.RUNNING
    assert store.claim_delivery(ID).response == RESPONSE


def test_a_failed_try_put_off(store, raw, write):
    moments = {"started_at": 5000, "lease_until": 1}
    write(RUNNING, moments, {"leases": 1, "deadlines": -HOUR}, STEPS)
    store.hand_back(store.claim(ID, "new", "7"), failed="ValueError")
    assert store.take_scheduled(10) == [ID]
    claim = store.claim(ID, "new", "7")
    assert store.steps(claim) == {1: Step("one", "1"), 2: Step("two", '{"a":2}')}
    finish_and_deliver(store, raw, claim)


def test_finished_with_a_due_callback(store, raw, write):
    moments = {"started_at": 5000, "lease_until": 1, "finished_at": 4000, "callback_due_at": 1}
    write(FINISHED, moments, {"callbacks": 1}, STEPS, [TRY])
    assert store.claim(ID, "new", "7") is None
    assert store.take_due_callbacks(10) == [ID]
    (tried,) = store.get(ID).callback_attempts
    assert (tried.answer, tried.status) == ("BUSY", 503)
    deliver(store, raw)
    assert len(store.get(ID).callback_attempts) == 2


def test_its_failures_count_on(store, write):
    moments = {"finished_at": 4000, "callback_due_at": 1}
    write(FINISHED, moments, {"callbacks": 1})
    delivery = store.claim_delivery(ID)
    assert (delivery.failures, delivery.busy, delivery.fence) == (2, 1, 3)
    assert delivery.due_since == store.get(ID).finished_at


def test_delivering_by_a_worker_that_died(store, raw, write):
    moments = {"finished_at": 4000, "callback_due_at": 1}
    write(DELIVERING, moments, {"callbacks": 1})
    deliver(store, raw)


def test_delivering_by_a_worker_that_lives(store, write):
    moments = {"finished_at": 4000, "callback_due_at": -HOUR}
    write(DELIVERING, moments, {"callbacks": -HOUR})
    assert store.claim_delivery(ID) is None


def test_parked(store, raw, write):
    write(PARKED, {"finished_at": 4000, "callback_due_at": 1, "parked_at": 1000}, {}, STEPS, [TRY])
    raw.zadd(names.PARKED, {ID: 1000})
    assert [each.answer for each in store.parked(1)] == ["503 BUSY"]
    assert store.claim_delivery(ID) is None
    assert store.replay(ID) is True
    deliver(store, raw)
    assert [each.answer for each in store.get(ID).callback_attempts] == ["BUSY", "SUCCESS"]


def test_parked_and_run_once_more(store, raw, write):
    record = {**PARKED, "state": "failed"}
    write(record, {"finished_at": 4000, "callback_due_at": 1, "parked_at": 1000}, {}, STEPS)
    assert store.restart(ID, from_start=False) is Restart.RESTARTED
    deadline = store.get(ID).deadline  # it gets as much time as it had at first
    claim = store.claim(ID, "new", "7")
    assert (deadline - claim.accepted_at).total_seconds() > 7200
    assert store.steps(claim) == {1: Step("one", "1"), 2: Step("two", '{"a":2}')}
    finish_and_deliver(store, raw, claim)


def test_secrets_of_its_own(store, write):
    record = {**FINISHED, "private_request": b'{"pin":"1"}', "private_response": b'{"pin":"2"}'}
    write(record, {"finished_at": 4000, "callback_due_at": 1}, {"callbacks": 1})
    assert store.claim_delivery(ID).response == b'{"pin":"2"}'


def test_it_waits_in_no_queue_that_is_watched(store, write):
    write(ACCEPTED, {}, {"accepted": 1, "deadlines": -HOUR})
    claim = store.claim(ID, "new", "7")
    assert (claim.queue, claim.trace) == ("", "")
    store.hand_back(claim)
    assert (store.overview().queues, store.overview().scheduled) == ({}, 0)
    assert store.get(ID).queue is None


def test_overdue(store, write):
    write(ACCEPTED, {"deadline": 1}, {"accepted": 1, "deadlines": 1})
    assert store.take_overdue(10) == [ID]
    assert store.time_out(ID, RESPONSE, "").was is State.ACCEPTED
    assert store.claim_delivery(ID).response == RESPONSE


# --- newer than we are


@pytest.mark.parametrize("stands", ["accepted", "running"])
def test_a_newer_format_is_left_to_newer_workers(store, raw, write, stands):
    if stands == "accepted":
        write({**ACCEPTED, "format": 99}, {}, {"accepted": 1, "deadlines": -HOUR})
    else:
        record, moments = {**RUNNING, "format": 99}, {"lease_until": 1}
        write(record, moments, {"leases": 1, "deadlines": -HOUR}, STEPS)
    before = raw.hgetall(KEY), sorted(raw.keys())
    assert store.claim(ID, "new", "7") is None
    assert (raw.hgetall(KEY), sorted(raw.keys())) == before
    # It stays where recovery looks: a newer worker will hear of it again.
    assert (store.take_unstarted(10) or store.take_lost(10)) == [ID]
