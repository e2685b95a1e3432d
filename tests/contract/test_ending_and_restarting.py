"""Ended from outside, put off, run once more; what may come in at all, and what is forgotten."""

from dataclasses import replace
from datetime import timedelta

import pytest

from atom import names
from atom.errors import ClaimLost, Overloaded, Paused
from atom.records import CallbackState, Ended, Restart, State, Step, StepKind
from atom.store import RedisStore
from tests.support.executions import an_attempt, new_execution
from tests.support.waiting import until

FAILURE = Step("broken", '{"kinds":["builtins.ValueError"],"reason":"x"}', StepKind.FAILURE)
FAULT = Step("no", '[["No.","No",null]]', StepKind.FAULT)
RESPONSE = b'{"invokeType":"FORWARD"}'


def accepted(store, **changes):
    new = new_execution(**changes)
    store.accept(new)
    return new.id


def running(store, **changes):
    claim = store.claim(accepted(store, **changes), "w", "1")
    assert claim is not None
    return claim


def finished(store, state=State.COMPLETED, **changes):
    claim = running(store, **changes)
    store.finish(claim, state, RESPONSE, "why")
    return claim


def delivered(store, verdict="delivered", answer="SUCCESS", **changes):
    """Finished, and its callback recorded with this verdict."""
    keep = changes.pop("keep", False)
    claim = finished(store, **changes)
    store.record_delivery(store.claim_delivery(claim.id), verdict, an_attempt(answer), keep=keep)
    return claim


def hold(store, execution_id):
    claim = store.claim(execution_id, "w", "1")
    assert claim is not None
    return claim


def taken(take):
    """What is due; recovery's view of an index."""
    return until(lambda: take(10), "it to be due", 5)


def test_what_nobody_waits_for_has_no_callback_and_keeps_no_secret(store):
    nobody = {"token": "", "callback_uri": "", "private_request": b'{"with":"secrets"}'}
    claim = running(store, **nobody)
    assert store.claim_delivery(claim.id) is None
    assert store.progress(claim, "half of it", 0.5) is False
    store.finish(claim, State.COMPLETED, RESPONSE, "", b'{"with":"secrets"}')
    found = store.get(claim.id)
    assert (found.state, found.callback_state) == (State.COMPLETED, CallbackState.NONE)
    assert (found.progress, found.callback_due_at) == ("half of it", None)
    assert found.response == {"invokeType": "FORWARD"}
    assert store.next_delivery() is None
    assert store.restart(claim.id, from_start=True) is Restart.SECRET
    waiting = accepted(store, **nobody)
    assert store.cancel(waiting, RESPONSE, "why").is_callback_due is False
    assert store.get(waiting).callback_state is CallbackState.NONE


def assert_writes_nothing(store, claim):
    before = store.get(claim.id)
    with pytest.raises(ClaimLost):
        store.record_step(claim, 1, Step("s", "1"))
    with pytest.raises(ClaimLost):
        store.progress(claim, "late", None)
    with pytest.raises(ClaimLost):
        store.hand_back(claim)
    with pytest.raises(ClaimLost):
        store.finish(claim, State.COMPLETED, b'{"late":1}', "")
    assert store.renew([claim]) == [claim]
    assert not store.holds(claim)
    store.release(claim)
    assert store.get(claim.id) == before


def indexes(raw, execution_id):
    """The indexes that an execution is in."""
    every = (
        *(names.ACCEPTED, names.SCHEDULED, names.LEASES, names.DEADLINES),
        *(names.CALLBACKS_DUE, names.PARKED, names.HISTORY),
    )
    return {key.removeprefix("atom:") for key in every if raw.zscore(key, execution_id) is not None}


# --- cancelled and timed out


def test_cancelled_before_the_start_it_never_starts(store, raw):
    execution_id = accepted(store)
    assert store.cancel(execution_id, RESPONSE, "by hand") == Ended(State.ACCEPTED, True)
    assert store.claim(execution_id, "w", "1") is None
    assert indexes(raw, execution_id) == {"callbacks", "history"}
    found = store.get(execution_id)
    assert (found.state, found.error, found.attempts) == (State.CANCELLED, "by hand", 0)
    assert store.claim_delivery(execution_id).response == RESPONSE


def test_cancelled_while_it_runs_its_holder_writes_nothing_more(store, raw):
    claim = running(store)
    assert store.holds(claim)
    assert store.cancel(claim.id, RESPONSE, "") == Ended(State.RUNNING, True)
    assert indexes(raw, claim.id) == {"callbacks", "history"}
    assert_writes_nothing(store, claim)


def test_what_waits_for_its_next_try_can_be_cancelled(store, raw):
    claim = running(store)
    store.hand_back(claim, delay_seconds=60, failed="x")
    assert store.cancel(claim.id, RESPONSE, "") == Ended(State.ACCEPTED, True)
    # One more message is published, so that a worker reports the end to Flower.
    assert indexes(raw, claim.id) == {"callbacks", "history", "scheduled"}
    assert store.take_scheduled(10) == [claim.id]
    assert indexes(raw, claim.id) == {"callbacks", "history"}
    assert store.claim(claim.id, "w", "1") is None


def test_what_has_ended_is_not_ended_again(store):
    claim = finished(store)
    before = store.get(claim.id)
    assert store.cancel(claim.id, b"{}", "") is None
    assert store.time_out(claim.id, b"{}", "") is None
    assert store.get(claim.id) == before
    assert store.cancel("nobody", b"{}", "") is None


def test_cancelled_while_progress_is_on_its_way_the_end_follows_it(store):
    claim = running(store)
    store.progress(claim, "half way", None)
    progress = store.claim_delivery(claim.id)
    assert store.cancel(claim.id, RESPONSE, "") == Ended(State.RUNNING, False)
    assert store.record_delivery(progress, "delivered", an_attempt()) == [claim.id]
    assert store.claim_delivery(claim.id).is_final


def test_a_synchronous_caller_hears_that_it_was_cancelled(store):
    claim = running(store, token="", is_synchronous=True, sync_timeout_seconds=30)
    assert store.cancel(claim.id, b'{"statusCode":409}', "") == Ended(State.RUNNING, False)
    result = store.wait_result(claim.id, 5)
    assert (result.state, result.response) == (State.CANCELLED, b'{"statusCode":409}')
    assert store.get(claim.id).callback_state is CallbackState.NONE


@pytest.mark.parametrize("begin", [accepted, lambda store, **c: running(store, **c).id])
def test_what_passed_its_deadline_is_ended_wherever_it_stood(store, raw, begin):
    execution_id = begin(store, timeout_seconds=0.01)
    assert taken(store.take_overdue) == [execution_id]
    assert store.time_out(execution_id, RESPONSE, "late").is_callback_due
    assert indexes(raw, execution_id) == {"callbacks", "history"}
    assert store.get(execution_id).state is State.TIMED_OUT


# --- handed back, and released


def test_handed_back_it_waits_for_a_worker_at_once_and_no_loss_is_counted(store, raw):
    claim = running(store)
    store.record_step(claim, 1, Step("one", "1"))
    store.hand_back(claim)
    assert indexes(raw, claim.id) == {"scheduled", "deadlines", "history"}
    assert_hands_back_no_second_time(store, claim)
    assert store.take_scheduled(10) == [claim.id]
    assert indexes(raw, claim.id) == {"accepted", "deadlines", "history"}
    again = hold(store, claim.id)
    assert (again.attempt, again.losses, again.tries) == (2, 0, 0)
    assert store.steps(again) == {1: Step("one", "1")}


def assert_hands_back_no_second_time(store, claim):
    """That may be repeated after a lost reply, and then changes nothing."""
    before = store.get(claim.id)
    store.hand_back(claim, failed="x")
    assert store.get(claim.id) == before
    with pytest.raises(ClaimLost):
        store.finish(claim, State.COMPLETED, b"{}", "")


def test_put_off_it_is_not_claimed_before_its_time(store):
    claim = running(store)
    store.hand_back(claim, delay_seconds=1.0)
    assert store.claim(claim.id, "w", "1") is None
    assert store.take_scheduled(10) == []
    assert taken(store.take_scheduled) == [claim.id]
    assert hold(store, claim.id).attempt == 2


def test_a_failed_try_is_counted_and_shown_and_its_failures_are_forgotten(store):
    claim = running(store)
    steps = {1: Step("one", "1"), 2: FAILURE, 3: Step("three", "3"), 4: FAULT, 5: FAILURE}
    for position, step in steps.items():
        store.record_step(claim, position, step)
    store.hand_back(claim, failed="ValueError")
    found = store.get(claim.id)
    assert (found.state, found.tries, found.error) == (State.ACCEPTED, 1, "ValueError")
    again = hold(store, claim.id)
    assert (again.tries, again.losses) == (1, 0)
    # The failure that the process has dealt with stays what it was.
    assert store.steps(again) == {position: steps[position] for position in (1, 2, 3)}


def test_a_failure_is_forgotten_although_a_step_before_it_could_not_be_recorded(store):
    claim = running(store)
    steps = {1: Step("one", "1"), 3: FAILURE}
    for position, step in steps.items():
        store.record_step(claim, position, step)
    store.hand_back(claim, failed="ValueError")
    assert store.steps(hold(store, claim.id)) == {1: steps[1]}


def test_a_released_lease_can_be_taken_at_once(settings, raw):
    store = RedisStore(replace(settings, lease_seconds=600))
    claim = running(store)
    assert store.claim(claim.id, "other", "1") is None
    store.release(claim)
    assert store.take_lost(10) == [claim.id]
    again = hold(store, claim.id)
    assert (again.attempt, again.losses) == (2, 1)
    store.release(claim)  # by the first keeper once more, late
    assert store.holds(again)
    assert store.claim(claim.id, "other", "1") is None
    store.close()


# --- run once more


@pytest.mark.parametrize("from_start", [True, False])
def test_restarted_its_flow_hears_of_the_new_result_where_it_heard_of_none(store, raw, from_start):
    claim = running(store)
    store.record_step(claim, 1, Step("one", "1"))
    store.record_step(claim, 2, FAILURE)
    store.finish(claim, State.FAILED, RESPONSE, "broke")
    store.record_delivery(store.claim_delivery(claim.id), "parked", an_attempt("NOT_ALLOWED"))
    assert indexes(raw, claim.id) == {"parked", "history"}

    assert store.restart(claim.id, from_start=from_start) is Restart.RESTARTED
    assert indexes(raw, claim.id) == {"scheduled", "deadlines", "history"}
    found = store.get(claim.id)
    assert (found.state, found.callback_state) == (State.ACCEPTED, CallbackState.NONE)
    assert (found.finished_at, found.response, found.error) == (None, None, None)
    assert_hands_back_no_second_time(store, claim)

    again = hold(store, claim.id)
    assert store.steps(again) == ({} if from_start else {1: Step("one", "1")})
    assert again.token == claim.token
    assert again.deadline > claim.deadline
    assert store.finish(again, State.COMPLETED, b'{"new":1}', "").is_callback_due is True
    delivery = store.claim_delivery(claim.id)
    assert (delivery.response, delivery.failures, delivery.token) == (b'{"new":1}', 0, claim.token)


def test_restarted_after_its_flow_moved_on_the_result_goes_to_the_history_alone(store, raw):
    claim = delivered(store, state=State.FAILED)
    assert store.restart(claim.id, from_start=False) is Restart.RESTARTED
    assert raw.ttl(names.execution_key(claim.id)) == -1
    again = hold(store, claim.id)
    assert store.progress(again, "half way", None) is False
    assert store.finish(again, State.COMPLETED, b'{"new":1}', "").is_callback_due is False
    found = store.get(claim.id)
    assert (found.state, found.callback_state) == (State.COMPLETED, CallbackState.NONE)
    assert found.response == {"new": 1}
    assert indexes(raw, claim.id) == {"history"}
    assert raw.ttl(names.execution_key(claim.id)) > 0


def test_restarted_its_lost_workers_and_tries_are_counted_anew(store):
    claim = running(store)
    store.release(claim)
    claim = hold(store, claim.id)
    store.hand_back(claim, failed="x")
    claim = hold(store, claim.id)
    assert (claim.losses, claim.tries) == (1, 1)
    store.finish(claim, State.FAILED, RESPONSE, "")
    store.record_delivery(store.claim_delivery(claim.id), "parked", an_attempt())
    store.restart(claim.id, from_start=False)
    again = hold(store, claim.id)
    assert (again.losses, again.tries, again.attempt) == (0, 0, 4)


def test_why_it_is_not_restarted(store):
    assert store.restart("nobody", from_start=True) is Restart.UNKNOWN
    assert store.restart(accepted(store), from_start=True) is Restart.UNFINISHED
    claim = running(store)
    assert store.restart(claim.id, from_start=True) is Restart.UNFINISHED
    store.finish(claim, State.FAILED, RESPONSE, "")
    assert store.restart(claim.id, from_start=True) is Restart.UNDELIVERED
    store.claim_delivery(claim.id)
    assert store.restart(claim.id, from_start=True) is Restart.UNDELIVERED
    completed = delivered(store)
    assert store.restart(completed.id, from_start=False) is Restart.COMPLETED
    assert store.restart(completed.id, from_start=True) is Restart.RESTARTED
    assert store.restart(completed.id, from_start=True) is Restart.UNFINISHED


def test_a_request_whose_secrets_are_forgotten_is_not_restarted(settings, raw):
    store = RedisStore(replace(settings, keep_secrets="never"))
    secret = {"private_request": b'{"inputs":["pin"]}', "state": State.FAILED}
    moved_on = delivered(store, **secret)
    assert store.restart(moved_on.id, from_start=True) is Restart.SECRET
    parked = delivered(store, "parked", **secret)
    assert store.restart(parked.id, from_start=True) is Restart.RESTARTED
    assert hold(store, parked.id).request == b'{"inputs":["pin"]}'
    store.close()


# --- what may come in


@pytest.mark.parametrize("target", ["*", "CRM", "CRM.Retrieve"])
def test_what_is_paused_takes_nothing_new_and_goes_on(store, raw, target):
    waits, runs = accepted(store), running(store)
    known = new_execution(token="known")
    store.accept(known)
    store.pause(target)
    since = store.paused()[target]
    store.pause(target)
    assert store.paused() == {target: since}  # since the first time

    before = sorted(raw.keys())
    with pytest.raises(Paused):
        store.accept(new_execution())
    assert sorted(raw.keys()) == before
    assert store.accept(known) == (known.id, False, False)  # a duplicate is answered
    hold(store, waits)
    store.finish(runs, State.COMPLETED, RESPONSE, "")
    store.claim_delivery(runs.id)

    assert store.resume(target) is True
    assert store.resume(target) is False
    accepted(store)


def test_a_pause_is_of_what_it_names_and_of_nothing_else(store):
    for target in ("CRM.Other", "Other", "CRM.Retrieve.x", "Retrieve", "CR"):
        store.pause(target)
    accepted(store)
    assert list(store.paused()) == sorted(
        ["CRM.Other", "Other", "CRM.Retrieve.x", "Retrieve", "CR"]
    )
    assert store.resume("CRM") is False


def test_where_too_many_wait_nothing_is_taken(settings, raw):
    store = RedisStore(replace(settings, max_pending=2))
    first, second = new_execution(), new_execution()
    store.accept(first)
    store.accept(second)
    before = sorted(raw.keys())
    with pytest.raises(Overloaded):
        store.accept(new_execution())
    assert sorted(raw.keys()) == before
    assert store.accept(first) == (first.id, False, False)  # a duplicate is no load
    hold(store, first.id)
    accepted(store)
    store.close()


@pytest.mark.parametrize("from_start", [True, False])
def test_the_time_an_execution_took_counts_from_its_latest_retry(store, raw, from_start):
    claim = running(store)
    key = f"atom:execution:{claim.id}"
    raw.hincrby(key, "started_at", -3_600_000)
    store.finish(claim, State.FAILED, RESPONSE, "broken")
    first = store.get(claim.id)
    assert timedelta(minutes=59) < first.took(first.finished_at) < timedelta(minutes=61)
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())

    assert store.restart(claim.id, from_start=from_start) is Restart.RESTARTED
    waiting = store.get(claim.id)
    assert waiting.took(waiting.accepted_at) is None
    again = hold(store, claim.id)
    store.hand_back(again, failed="once more")
    again = hold(store, claim.id)
    (listed,) = store.find(1).executions
    assert timedelta() <= listed.took(again.claimed_at) < timedelta(minutes=1)
    raw.hincrby(key, "restarted_at", -120_000)
    store.finish(again, State.COMPLETED, RESPONSE, "")
    ended = store.get(claim.id)
    assert ended.started_at == first.started_at
    assert timedelta(minutes=2) <= ended.took(ended.finished_at) < timedelta(minutes=3)


def test_an_execution_that_never_started_took_no_time(store):
    execution_id = accepted(store)
    store.cancel(execution_id, RESPONSE, "")
    found = store.get(execution_id)
    assert found.took(found.finished_at) is None
