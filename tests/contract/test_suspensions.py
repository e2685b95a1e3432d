"""Without a worker for a while: what wakes an execution that is suspended, and what does not."""

from datetime import UTC, datetime, timedelta

import pytest

from atom import names
from atom.errors import ClaimLost
from atom.parentage import Wakeup
from atom.records import CallbackState, RunEnd, State, Step
from atom.store import RedisStore
from atom.suspension import Signalled, Wait, WaitKind
from tests.contract.test_ending_and_restarting import RESPONSE, hold, running
from tests.support.executions import an_attempt
from tests.support.waiting import until


def time_wait(seconds, occurrence=1):
    due = datetime.now(UTC) + timedelta(seconds=seconds)
    return Wait(occurrence=occurrence, name="sleep", kind=WaitKind.TIME, until=due)


def signal_wait(name="approval", until=None):
    return Wait(name=name, kind=WaitKind.SIGNAL, until=until)


def suspended(store, wait, **changes):
    claim = running(store, **changes)
    store.suspend(claim, wait)
    return claim


def test_cancel_publishes_a_suspended_execution_once(store):
    claim = suspended(store, signal_wait())
    store.cancel(claim.id, RESPONSE, "")
    assert store.take_scheduled(10) == [claim.id]
    assert store.take_scheduled(10) == []
    assert store.claim(claim.id, "w", "1") is None


def test_it_holds_no_worker_and_is_nobodys_to_claim(store):
    claim = suspended(store, time_wait(60))
    found = store.get(claim.id)
    assert (found.state, found.wait.name, found.wait.kind) == (
        State.SUSPENDED,
        "sleep",
        WaitKind.TIME,
    )
    assert found.wait.until - datetime.now(UTC) > timedelta(seconds=55)
    assert store.claim(claim.id, "w", "1") is None
    assert not store.take_suspended(10)
    assert store.take_unstarted(10) == store.take_lost(10) == []
    overview = store.overview()
    assert (overview.suspended, overview.running, overview.queues["processes"].waiting) == (1, 0, 0)
    with pytest.raises(ClaimLost):
        store.record_step(claim, 1, Step("s", "1"))


def test_its_time_wakes_it_and_no_attempt_is_counted(store):
    claim = running(store)
    store.record_step(claim, 1, Step("before", "1"))
    store.suspend(claim, time_wait(0.2, occurrence=2))
    assert until(lambda: store.take_suspended(10), "its time") == 1
    found = store.get(claim.id)
    assert (found.state, found.wait) == (State.ACCEPTED, None)
    again = hold(store, claim.id)
    assert (again.attempt, again.losses) == (1, 0)
    assert again.wait.occurrence == 2
    assert again.wait.until <= again.claimed_at
    assert store.steps(again)[1] == Step("before", "1")
    runs = store.get(claim.id).runs
    assert [each.end for each in runs] == [RunEnd.SUSPENDED, None]


def test_what_is_lost_after_it_woke_is_an_attempt_more(store):
    claim = suspended(store, time_wait(0))
    until(lambda: store.take_suspended(10), "its time")
    store.release(hold(store, claim.id))
    again = hold(store, claim.id)
    assert (again.attempt, again.losses) == (2, 1)
    assert again.wait is not None
    # It came further than where that worker was lost.
    store.suspend(again, time_wait(0, occurrence=2))
    until(lambda: store.take_suspended(10), "its time")
    assert hold(store, claim.id).losses == 0


def test_suspending_again_after_a_lost_reply_changes_nothing(store):
    claim = running(store)
    store.suspend(claim, time_wait(0))
    store.suspend(claim, time_wait(50))
    until(lambda: store.take_suspended(10), "its time")
    store.suspend(claim, time_wait(50))
    assert hold(store, claim.id).wait.until < datetime.now(UTC) + timedelta(seconds=40)


def test_only_who_holds_it_may_suspend_it(store):
    claim = running(store)
    store.release(claim)
    hold(store, claim.id)
    with pytest.raises(ClaimLost):
        store.suspend(claim, time_wait(1))


def test_who_publishes_is_told_of_what_woke(settings, raw):
    told = []
    store = RedisStore(settings, on_released=told.extend)
    claim = suspended(store, time_wait(0))
    assert told == []
    until(lambda: store.take_suspended(10), "its time")
    assert told == [Wakeup(claim.id, "CRM", "Retrieve", "processes")]
    again = hold(store, claim.id)
    store.signal(claim.id, "approval", "1", None)
    store.suspend(again, signal_wait())
    assert len(told) == 2
    store.close()


def test_a_woken_one_waits_for_a_worker_until_one_takes_it(store):
    claim = suspended(store, time_wait(0))
    until(lambda: store.take_suspended(10), "its time")
    assert store.overview().queues["processes"].waiting == 1
    assert until(lambda: store.take_unstarted(10), "a lost wake-up to be noticed") == [claim.id]
    hold(store, claim.id)
    assert store.overview().queues["processes"].waiting == 0


@pytest.mark.parametrize("end", ["cancel", "time_out"])
def test_it_can_be_ended_and_never_wakes(store, end):
    claim = suspended(store, time_wait(0.1), timeout_seconds=0.05)
    ended = until(lambda: getattr(store, end)(claim.id, RESPONSE, "why"), "its end")
    assert ended.was is State.SUSPENDED
    assert store.get(claim.id).callback_state is CallbackState.DUE
    until(lambda: datetime.now(UTC) > claim.claimed_at + timedelta(seconds=0.3), "its time")
    assert not store.take_suspended(10)
    assert store.overview().suspended == 0


def test_a_cancelled_one_run_again_from_there_waits_until_the_same_time(store):
    claim = suspended(store, time_wait(60))
    store.cancel(claim.id, RESPONSE, "why")
    store.record_delivery(store.claim_delivery(claim.id), "parked", an_attempt())
    store.restart(claim.id, from_start=False)
    assert hold(store, claim.id).wait.until > datetime.now(UTC) + timedelta(seconds=50)


# --- signals


def token_of(store, claim, name="approval"):
    return store.signal_token(claim, name)


def test_a_signal_wakes_who_waits_for_it(store):
    claim = running(store)
    token = token_of(store, claim)
    store.suspend(claim, signal_wait())
    assert store.signal(claim.id, "approval", '{"by":"Ada"}', token) is Signalled.WOKEN
    again = hold(store, claim.id)
    assert store.signal_event(again, "approval").event == '{"by":"Ada"}'
    assert store.signal_event(again, "other") is None


def test_a_signal_may_come_before_it_is_waited_for(store):
    claim = running(store)
    token = token_of(store, claim)
    assert store.signal(claim.id, "approval", "1", token) is Signalled.KEPT
    store.suspend(claim, signal_wait())
    assert store.signal_event(hold(store, claim.id), "approval").event == "1"


def test_a_signal_of_another_name_does_not_wake(store):
    claim = running(store)
    token = token_of(store, claim, "other")
    store.suspend(claim, signal_wait())
    assert store.signal(claim.id, "other", "1", token) is Signalled.KEPT
    assert store.get(claim.id).state is State.SUSPENDED


def test_the_first_event_of_a_name_stands(store):
    claim = running(store)
    token = token_of(store, claim)
    store.signal(claim.id, "approval", "1", token)
    assert store.signal(claim.id, "approval", "1", token) is Signalled.KEPT
    assert store.signal(claim.id, "approval", "2", token) is Signalled.GIVEN
    assert store.signal_event(claim, "approval").event == "1"


def test_a_token_is_good_for_one_signal_of_one_execution(store):
    claim, other = running(store), running(store)
    token = token_of(store, claim)
    assert token == token_of(store, claim)
    assert len({token, token_of(store, claim, "other"), token_of(store, other)}) == 3
    for execution_id, name, given in (
        (claim.id, "approval", "wrong"),
        (claim.id, "approval", ""),
        (claim.id, "other", token),
        (claim.id, "never asked for", token),
        (other.id, "approval", token),
        ("unknown", "approval", token),
        (claim.id, "approval", "ü"),
    ):
        assert store.signal(execution_id, name, "1", given) is Signalled.REFUSED
    assert store.signal_event(claim, "approval") is None


def test_an_operator_needs_no_token_and_where_nobody_publishes_recovery_does(store):
    claim = suspended(store, signal_wait())
    assert store.signal(claim.id, "approval", "null", None) is Signalled.WOKEN
    assert store.take_unstarted(10) == [claim.id]
    assert store.signal("unknown", "approval", "1", None) is Signalled.UNKNOWN
    store.cancel(claim.id, RESPONSE, "why")
    assert store.signal(claim.id, "approval", "2", None) is Signalled.ENDED


def test_a_signal_that_does_not_come_in_time_wakes_too(store):
    claim = suspended(store, signal_wait(until=datetime.now(UTC) + timedelta(seconds=0.1)))
    assert until(lambda: store.take_suspended(10), "its time") == 1
    assert store.signal_event(hold(store, claim.id), "approval") is None


def test_a_signal_without_a_timeout_is_waited_for_for_ever(store, raw):
    claim = suspended(store, signal_wait())
    assert raw.zscore(names.SUSPENDED, claim.id) == float("inf")
    assert store.get(claim.id).wait.until is None


def test_who_lost_its_claim_gets_no_token(store):
    claim = running(store)
    store.release(claim)
    hold(store, claim.id)
    with pytest.raises(ClaimLost):
        token_of(store, claim)


def test_tokens_and_events_go_when_nothing_is_left_to_do(store, raw):
    claim = running(store)
    token = token_of(store, claim)
    store.signal(claim.id, "approval", "1", token)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    assert raw.exists(names.signals_key(claim.id))
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    assert not raw.exists(names.signals_key(claim.id))
    row = raw.hgetall(names.execution_key(claim.id))
    assert not [each for each in row if each.startswith(b"wait_")]


def ended(store, state, name="approval"):
    """An execution whose flow has heard of its end, and the token of its signal."""
    claim = running(store)
    token = token_of(store, claim, name)
    if state is State.CANCELLED:
        store.cancel(claim.id, RESPONSE, "why")
    else:
        store.finish(claim, state, RESPONSE, "")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    return claim.id, token


@pytest.mark.parametrize("state", [each for each in State if each.is_final])
def test_a_signal_after_the_end_is_told_so_with_the_right_token_alone(store, raw, state):
    execution_id, token = ended(store, state)
    other_id, other_token = ended(store, state, "other")
    assert store.signal(execution_id, "approval", "1", token) is Signalled.ENDED
    for given_id, name, given in [
        (execution_id, "approval", token[:-1]),
        (execution_id, "approval", other_token),
        (execution_id, "approval", ""),
        (execution_id, "other", token),
        (execution_id, "other", other_token),
        (other_id, "approval", token),
        ("unknown", "approval", token),
    ]:
        assert store.signal(given_id, name, "1", given) is Signalled.REFUSED
    (kept,) = raw.hgetall(names.ended_signals_key(execution_id)).items()
    assert kept[0] == b"approval"
    assert token.encode() not in kept[1]
    assert (
        0
        < raw.pttl(names.ended_signals_key(execution_id))
        <= raw.pttl(names.execution_key(execution_id))
    )


def test_an_execution_without_signals_keeps_no_hashes(store, raw):
    claim = running(store)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    assert not raw.exists(names.ended_signals_key(claim.id))


@pytest.mark.parametrize("from_start", [True, False])
def test_a_token_is_valid_again_after_a_retry(store, from_start):
    execution_id, token = ended(store, State.FAILED)
    other_id, other_token = ended(store, State.FAILED, "other")
    store.restart(execution_id, from_start=from_start)
    for given in (token[:-1], other_token, ""):
        assert store.signal(execution_id, "approval", "1", given) is Signalled.REFUSED
    assert store.signal(execution_id, "approval", "1", token) is Signalled.KEPT
    assert store.signal(other_id, "other", "1", other_token) is Signalled.ENDED


def test_an_execution_whose_callback_is_parked_keeps_its_token_over_a_retry(store):
    claim = running(store)
    token = token_of(store, claim)
    store.cancel(claim.id, RESPONSE, "why")
    store.record_delivery(store.claim_delivery(claim.id), "parked", an_attempt())
    store.restart(claim.id, from_start=True)
    assert token_of(store, hold(store, claim.id)) == token
    assert store.signal(claim.id, "approval", "1", token) is Signalled.KEPT


def test_what_was_ended_when_it_was_to_go_on_is_an_attempt_more_when_it_runs_again(store):
    claim = suspended(store, time_wait(0))
    until(lambda: store.take_suspended(10), "its time")
    store.cancel(claim.id, RESPONSE, "why")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    store.restart(claim.id, from_start=True)
    assert hold(store, claim.id).attempt == 2
