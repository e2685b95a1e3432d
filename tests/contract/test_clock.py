"""The clock of Redis is set: back, forward, and in the middle of everything."""

import time
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from atom import names
from atom.errors import StoreUnavailable, TooManyRequests
from atom.execution.clock import Clock
from atom.overview import ClockReading
from atom.records import CallbackState, State
from atom.store import RedisStore, open_store
from atom.suspension import Wait, WaitKind
from tests.contract.conftest import short_times
from tests.contract.test_ending_and_restarting import RESPONSE, accepted, finished, running
from tests.support import redis_clock
from tests.support.executions import an_attempt, new_execution
from tests.support.waiting import until

BACK = pytest.mark.parametrize("back", [30, 3600, 400 * 86_400])
HOUR = 3600


@pytest.fixture
def store(settings, raw, monkeypatch):
    """A store whose scripts read a clock that a test can set."""
    redis_clock.install(monkeypatch.setattr)
    store = open_store(settings)
    store.observe_clock()  # as recovery does each second
    yield store
    store.close()


@pytest.fixture
def set_clock(raw):
    return lambda seconds: redis_clock.set_clock(raw, seconds)


def recover(store):
    """What recovery does at its next tick."""
    return Clock(store).watch()


def store_now(store):
    return store.overview().at


def delay(store, seconds, kind=WaitKind.TIME, name="sleep"):
    now = store_now(store)
    return Wait(name=name, kind=kind, until=now + timedelta(seconds=seconds), since=now)


def field(raw, execution_id, name):
    return int(raw.hget(names.execution_key(execution_id), name))


# --- back


@BACK
def test_lost_lease_runs_out_after_its_length(store, set_clock, back):
    claim = running(store)
    set_clock(-back)
    recover(store)
    assert store.take_lost(10) == []
    until(lambda: store.take_lost(10) == [claim.id], "the lease to run out", 5)
    assert store.claim(claim.id, "another", "1").losses == 1


@BACK
def test_live_lease_is_not_lost(store, set_clock, back):
    claim = running(store)
    set_clock(-back)
    end = time.monotonic() + 4.5  # longer than a lease
    while time.monotonic() < end:
        recover(store)
        assert store.renew([claim]) == []
        assert store.take_lost(10) == []
        time.sleep(0.1)


@BACK
def test_retry_waits_for_its_delay(store, set_clock, back):
    claim = running(store)
    store.hand_back(claim, delay_seconds=0.5, failed="why")
    set_clock(-back)
    assert recover(store) >= 1
    until(lambda: store.take_scheduled(10) == [claim.id], "the retry to be due", 5)
    assert store.overview().queues["processes"].waiting == 1
    assert store.claim(claim.id, "w", "1")


@BACK
@pytest.mark.parametrize(("kind", "name"), [(WaitKind.TIME, "sleep"), (WaitKind.SIGNAL, "go")])
def test_delay_keeps_its_length(store, set_clock, back, kind, name):
    claim = running(store)
    store.suspend(claim, delay(store, 0.5, kind, name))
    set_clock(-back)
    assert recover(store) >= 1
    until(lambda: store.take_suspended(10) == 1, "it to be woken", 5)
    assert store.claim(claim.id, "w", "1").wait.until <= store_now(store)


@BACK
def test_delay_that_begins_after_the_step_is_not_longer(store, set_clock, back):
    claim = running(store)
    wait = delay(store, 0.5)  # as its worker reckons, from the time of the claim
    set_clock(-back)
    store.suspend(claim, wait)
    until(lambda: store.take_suspended(10) == 1, "it to be woken", 5)


def test_chosen_time_stays(store, set_clock, raw):
    claim = running(store)
    chosen = store_now(store).replace(microsecond=0) + timedelta(seconds=10)
    store.suspend(claim, Wait(name="wait until", kind=WaitKind.TIME, until=chosen))
    set_clock(-HOUR)
    recover(store)
    assert store.get(claim.id).wait.until == chosen
    assert store.take_suspended(10) == 0
    set_clock(HOUR + 11)
    assert store.take_suspended(10) == 1


@BACK
def test_lost_message_is_published_again(store, set_clock, back):
    execution_id = accepted(store)
    set_clock(-back)
    recover(store)
    until(lambda: store.take_unstarted(10) == [execution_id], "it to be published again", 5)
    assert store.overview().queues["processes"].waiting == 1
    assert store.claim(execution_id, "w", "1")


@BACK
def test_woken_execution_can_be_claimed_at_once(store, set_clock, back):
    claim = running(store)
    store.suspend(claim, Wait(name="go", kind=WaitKind.SIGNAL, until=None))
    store.signal(claim.id, "go", '"now"', None)
    set_clock(-back)
    recover(store)
    assert store.claim(claim.id, "w", "1")


@BACK
def test_callback_is_tried_again_after_its_delay(store, set_clock, back):
    claim = finished(store)
    store.record_delivery(
        store.claim_delivery(claim.id), "retry", an_attempt("BUSY"), due_in_seconds=0.5, busy=1
    )
    set_clock(-back)
    recover(store)
    until(lambda: store.take_due_callbacks(10) == [claim.id], "the callback to be due", 5)
    delivery = store.claim_delivery(claim.id)
    assert delivery.claimed_at - delivery.due_since < timedelta(minutes=1)


@BACK
def test_callback_of_a_dead_worker_is_taken_over(settings, raw, monkeypatch, set_clock, back):
    redis_clock.install(monkeypatch.setattr)
    store = RedisStore(short_times(settings.redis_url, callback_timeout_seconds=1.0))
    hold_seconds = 11
    store.observe_clock()
    state_id = "the same state"
    dead, waiting = finished(store, state_id=state_id), finished(store, state_id=state_id)
    assert store.claim_delivery(dead.id)
    assert store.claim_delivery(waiting.id) is None
    set_clock(-back)
    recover(store)
    for each in (dead, waiting):
        due = raw.zscore(names.CALLBACKS_DUE, each.id) / 1000
        assert due - store_now(store).timestamp() <= hold_seconds
    (lock,) = [key for key in raw.scan_iter("atom:flow-state:*") if not key.endswith(b":waiting")]
    assert 0 < raw.pttl(lock) <= hold_seconds * 1000
    store.close()


@BACK
def test_deadline_is_as_far_away_as_at_first(store, set_clock, back):
    execution_id = accepted(store, timeout_seconds=1)
    set_clock(-back)
    assert recover(store) >= 1
    until(lambda: store.take_overdue(10) == [execution_id], "the deadline", 5)
    assert store.time_out(execution_id, RESPONSE, "late").was is State.ACCEPTED


@BACK
def test_rate_limit_holds_for_no_longer(settings, raw, monkeypatch, set_clock, back):
    redis_clock.install(monkeypatch.setattr)
    store = RedisStore(short_times(settings.redis_url, tenant_requests_per_second=2.0))
    for _ in range(2):
        store.accept(new_execution())
    set_clock(-back)  # no recovery: there may be none
    until(lambda: _is_taken(store), "a request to be taken", 5)
    store.close()


def _is_taken(store):
    try:
        return store.accept(new_execution()).is_new
    except TooManyRequests:
        return False


@BACK
def test_progress_is_shown_at_its_interval(store, set_clock, back):
    claim = running(store)
    store.progress(claim, "one", None)
    delivery = store.claim_delivery(claim.id)
    store.record_delivery(delivery, "delivered", an_attempt("WAIT"))
    set_clock(-back)
    store.progress(claim, "two", None)
    until(lambda: store.claim_delivery(claim.id), "the second message to be due", 5)


@BACK
def test_inline_answer_that_is_not_confirmed_is_followed_by_its_callback(store, set_clock, back):
    new = new_execution(sync_timeout_seconds=1)
    store.accept(new)
    claim = store.claim(new.id, "w", "1")
    set_clock(-back)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    recover(store)
    assert store.get(new.id).callback_state is CallbackState.DUE
    due = store.overview()
    assert due.callbacks_due == 1


@BACK
def test_dead_role_is_forgotten(store, set_clock, raw, back):
    store.announce("listener", "dead@host")
    set_clock(-back)
    recover(store)
    (presence,) = raw.keys("atom:presence:*")
    assert 0 < raw.pttl(presence) <= 30_000
    ends = raw.zscore(names.PRESENCES, "listener\0dead@host") / 1000
    assert ends - store_now(store).timestamp() <= 30


@BACK
def test_open_circuit_closes(store, set_clock, back):
    claim = finished(store)
    for _ in range(5):
        delivery = until(lambda: store.claim_delivery(claim.id), "the callback to be due", 5)
        attempt = an_attempt("503")
        store.record_delivery(delivery, "retry", attempt, failures=1, blames_host=True)
    assert store.overview().open_circuits
    set_clock(-back)
    recover(store)
    assert store.overview().open_circuits == {}
    until(lambda: store.claim_delivery(claim.id), "the callback to be due", 10)


@BACK
def test_taken_place_is_free_after_the_lease(store, set_clock, raw, back):
    first = store.claim(accepted(store), "w", "1", max_concurrency=1)
    store.cancel(first.id, RESPONSE, "")  # its code may still run
    second = accepted(store)
    assert store.claim(second, "w", "1", max_concurrency=1) is None
    set_clock(-back)
    recover(store)
    until(lambda: second in store.take_released({"CRM.Retrieve": 1}, 10), "the place to be free", 5)


def test_step_back_is_reported_once_and_shown(store, set_clock, caplog):
    running(store)
    set_clock(-HOUR)
    recover(store)
    recover(store)
    assert caplog.text.count("set back by 3600 s") == 1
    change = store.overview().clock_change
    assert change.seconds == pytest.approx(-HOUR, abs=5)
    assert store_now(store) - change.at < timedelta(minutes=1)


def test_small_correction_is_no_step(store, set_clock, caplog):
    set_clock(-2)
    assert recover(store) == 0
    assert store.overview().clock_change is None
    assert "clock" not in caplog.text


def test_recomputing_goes_on_after_a_crash(store, set_clock, monkeypatch):
    claim = running(store)
    store.hand_back(claim, delay_seconds=0.5, failed="why")
    set_clock(-HOUR)
    calls = []

    def dies(*_):
        calls.append(1)
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store._scripts, "recompute", dies)
        with pytest.raises(StoreUnavailable):
            recover(store)
    assert calls
    assert store.take_scheduled(10) == []
    assert recover(store) >= 1
    assert not store.observe_clock().has_wrong_due_times
    until(lambda: store.take_scheduled(10) == [claim.id], "the retry to be due", 5)


def test_thousands_are_recomputed_in_parts(store, set_clock, raw):
    claims = [running(store) for _ in range(450)]
    for claim in claims:
        store.suspend(claim, delay(store, 0.1))
    set_clock(-HOUR)
    assert recover(store) >= 450
    woken = 0

    def all_woken():
        nonlocal woken
        woken += store.take_suspended(500)
        return woken == 450

    until(all_woken, "all to be woken", 10)


SEVERAL = st.lists(
    st.tuples(
        st.sampled_from(["retry", "sleep", "chosen", "lease", "callback"]),
        st.floats(0, 100_000),
        st.booleans(),
    ),
    max_size=8,
)
FIELDS = {
    "retry": "not_before",
    "sleep": "wait_until",
    "chosen": "wait_until",
    "lease": "lease_until",
    "callback": "callback_due_at",
}


def begin(store, kind, seconds):
    """One of a kind that is due after these seconds; its id, and when it is due."""
    claim = running(store)
    due = store_now(store) + timedelta(seconds=seconds)
    match kind:
        case "retry":
            store.hand_back(claim, delay_seconds=seconds, failed="why")
        case "sleep":
            store.suspend(claim, delay(store, seconds))
        case "chosen":
            store.suspend(claim, Wait(name="wait until", kind=WaitKind.TIME, until=due))
        case "callback":
            store.finish(claim, State.COMPLETED, RESPONSE, "")
            delivery = store.claim_delivery(claim.id)
            store.record_delivery(delivery, "retry", an_attempt("BUSY"), due_in_seconds=seconds)
    return claim.id, due


@pytest.fixture
def plain_store(embedded_redis, raw, monkeypatch):
    redis_clock.install(monkeypatch.setattr)
    store = RedisStore(short_times(embedded_redis.url))
    yield store
    store.close()


# The database is emptied by the test itself.
@hypothesis_settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(back=st.integers(10, 10_000_000), several=SEVERAL)
def test_every_due_time_is_moved_at_most_once(plain_store, raw, back, several):
    raw.flushall()
    store = plain_store
    store.observe_clock()
    begun = [(*begin(store, kind, s), kind, s) for kind, s, is_early in several if is_early]
    redis_clock.set_clock(raw, -back)
    later = [(*begin(store, kind, s), kind, s) for kind, s, is_early in several if not is_early]
    untouched = {each: field(raw, each, FIELDS[kind]) for each, _, kind, _ in later}
    recover(store)
    now = store_now(store).timestamp()
    for each, due, kind, seconds in begun:
        moved = field(raw, each, FIELDS[kind]) / 1000
        if kind == "chosen":
            assert moved == pytest.approx(due.timestamp(), abs=0.01)
        elif kind == "lease":
            assert moved <= now + store._settings.lease_seconds
        else:
            assert moved == pytest.approx(now + seconds, abs=5)
    assert {each: field(raw, each, FIELDS[kind]) for each, _, kind, _ in later} == untouched
    found = {each: raw.hgetall(names.execution_key(each)) for each, *_ in [*begun, *later]}
    store.recompute_due_times()
    assert {each: raw.hgetall(names.execution_key(each)) for each in found} == found


# --- forward


def test_no_lease_is_judged_until_each_could_be_renewed(store, set_clock):
    claim = running(store)
    clock = Clock(store)
    clock.watch()
    assert clock.can_judge_leases
    set_clock(HOUR)
    clock.watch()
    assert not clock.can_judge_leases
    assert store.renew([claim]) == []
    until(lambda: clock.watch() is not None and clock.can_judge_leases, "a lease to pass", 5)
    store.renew([claim])
    assert store.take_lost(10) == []


def test_step_forward_is_reported_and_shown(store, set_clock, caplog):
    clock = Clock(store)
    clock.watch()
    set_clock(HOUR)
    clock.watch()
    clock.watch()
    assert caplog.text.count("set forward by 3600 s") == 1
    assert store.overview().clock_change.seconds == pytest.approx(HOUR, abs=5)


def test_a_time_without_recovery_is_no_step_forward(store, set_clock, caplog):
    Clock(store).watch()
    set_clock(HOUR)  # as long as no recovery ran
    clock = Clock(store)
    clock.watch()
    assert "clock" not in caplog.text
    assert not clock.can_judge_leases


class Stalling:
    """A store that answers late, and whose clock is right."""

    def __init__(self, now):
        self._now = now

    def observe_clock(self, forward_seconds=0):
        assert not forward_seconds
        self._now[0] += 60  # until Redis went on
        seconds = self._now[0]
        self._now[0] += 60  # until its reply came
        return ClockReading(
            seconds=seconds, set_back_seconds=0, has_wrong_due_times=False, can_judge_leases=True
        )


def test_a_store_that_stalls_is_no_step_forward(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("atom.execution.clock.time.monotonic", lambda: now[0])
    clock = Clock(Stalling(now))
    for _ in range(5):
        clock.watch()
        now[0] += 1
