"""What the store tells those who watch: queues, what is late, who is there, what was counted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from atom import names
from atom.overview import QueueState
from atom.records import LogLine, State, Step, StepKind
from atom.store import RedisStore
from tests.support.executions import an_attempt, new_execution
from tests.support.waiting import until


def accepted(store, **changes):
    new = new_execution(**changes)
    assert store.accept(new).is_new
    return new.id


def claimed(store, **changes):
    return store.claim(accepted(store, **changes), "w", "1")


def waiting(store, queue="processes"):
    return store.overview().queues[queue].waiting


def server_time(raw):
    seconds, micros = raw.time()
    return datetime.fromtimestamp(seconds + micros / 1_000_000, UTC)


def in_a_minute(raw):
    return int(server_time(raw).timestamp() * 1000) + 60_000


# --- the queues


def test_nothing_yet(store):
    found = store.overview()
    assert (found.queues, found.open_circuits, found.paused, found.counters) == ({}, {}, {}, {})
    assert (found.scheduled, found.running, found.lost, found.overdue_deadlines) == (0, 0, 0, 0)
    assert (found.callbacks_due, found.callbacks_late_since, found.parked) == (0, None, 0)


def test_what_is_accepted_waits_in_its_queue_since_then(store, raw):
    before = server_time(raw) - timedelta(milliseconds=1)
    first = accepted(store)
    after = server_time(raw)
    accepted(store)
    accepted(store, queue="reports")
    queues = store.overview().queues
    assert {queue: each.waiting for queue, each in queues.items()} == {"processes": 2, "reports": 1}
    assert before <= queues["processes"].oldest_at <= after
    assert store.get(first).queue == "processes"


def test_a_duplicate_waits_once(store):
    new = new_execution()
    store.accept(new)
    store.accept(new)
    assert waiting(store) == 1


def test_who_is_claimed_waits_no_longer(store):
    claim = claimed(store)
    found = store.overview()
    assert found.queues == {"processes": QueueState(0, None)}
    assert (found.running, found.lost, claim.queue) == (1, 0, "processes")


def test_who_is_handed_back_waits_again(store):
    store.hand_back(claimed(store))
    assert waiting(store) == 1
    (execution_id,) = store.take_scheduled(10)
    assert waiting(store) == 1
    assert store.claim(execution_id, "w", "1")
    assert waiting(store) == 0


def test_who_is_to_be_tried_later_does_not_wait_before(store, raw):
    claim = claimed(store)
    store.hand_back(claim, delay_seconds=600, failed="ValueError")
    found = store.overview()
    assert (found.scheduled, found.queues) == (1, {"processes": QueueState(0, None)})
    # When its time has come it waits, whether recovery has seen it or not.
    for index in (names.SCHEDULED, f"{names.WAITING}:processes"):
        raw.zadd(index, {claim.id: 1})
    found = store.overview()
    assert (found.scheduled, found.queues["processes"].waiting) == (0, 1)


@pytest.mark.parametrize("end", ["cancel", "time_out", "give_up", "too late"])
def test_who_ends_without_having_begun_waits_no_longer(store, raw, end):
    is_synchronous = end in ("give_up", "too late")
    new_id = accepted(store, timeout_seconds=0.001, is_synchronous=is_synchronous)
    assert waiting(store) == 1
    if end == "cancel":
        assert store.cancel(new_id, b"{}", "")
    elif end == "time_out":
        until(lambda: store.time_out(new_id, b"{}", ""), "the deadline")
    elif end == "give_up":
        assert store.give_up(new_id) is True
    else:
        raw.hset(names.execution_key(new_id), "answer_until", 1)
        assert store.claim(new_id, "w", "1") is None
    assert waiting(store) == 0


def test_who_is_run_once_more_waits_again(store):
    claim = claimed(store)
    store.record_step(claim, 1, Step("s", "", StepKind.FAILURE))
    store.finish(claim, State.FAILED, b"{}", "why")
    store.record_delivery(store.claim_delivery(claim.id), "parked", an_attempt())
    store.restart(claim.id, from_start=False)
    assert waiting(store) == 1


def test_what_is_gone_waits_nowhere(store, raw):
    gone = accepted(store)
    raw.delete(names.execution_key(gone))
    assert store.claim(gone, "w", "1") is None
    assert waiting(store) == 0


# --- what is late


def test_a_lease_that_ran_out_is_lost_until_it_is_taken_over(store):
    claim = claimed(store)
    store.release(claim)
    assert store.overview().lost == 1
    assert store.take_lost(10) == [claim.id]
    assert store.overview().lost == 1  # put off for the next look, but lost all the same
    assert store.claim(claim.id, "w", "1")
    found = store.overview()
    assert (found.lost, found.running, found.counters) == (0, 1, {"lease_lost": 1})


def test_a_deadline_is_overdue_until_somebody_ends_it(store):
    late = accepted(store, timeout_seconds=0.001)
    accepted(store)
    until(lambda: store.overview().overdue_deadlines == 1, "the deadline")
    assert store.take_overdue(10) == [late]
    assert store.overview().overdue_deadlines == 1
    assert store.time_out(late, b"{}", "")
    assert store.overview().overdue_deadlines == 0


def test_a_callback_is_late_from_its_due_time_on(store):
    claim = claimed(store)
    store.finish(claim, State.COMPLETED, b"{}", "")
    due_at = store.get(claim.id).callback_due_at
    found = store.overview()
    assert (found.callbacks_due, found.callbacks_late_since) == (1, due_at)
    assert store.take_due_callbacks(10) == [claim.id]
    assert store.overview().callbacks_late_since == due_at
    delivery = store.claim_delivery(claim.id)
    found = store.overview()
    assert (found.callbacks_due, found.callbacks_late_since) == (1, None)  # it is on its way
    store.record_delivery(delivery, "retry", an_attempt(), due_in_seconds=600)
    found = store.overview()
    assert (found.callbacks_due, found.callbacks_late_since) == (1, None)
    assert found.parked == 0


def test_parked_paused_and_circuits(store, raw):
    store.pause("CRM")
    assert store.overview().paused == store.paused()
    store.resume("CRM")
    for _ in range(5):
        claim = claimed(store)
        store.finish(claim, State.COMPLETED, b"{}", "")
        delivery = store.claim_delivery(claim.id)
        store.record_delivery(delivery, "parked", an_attempt(), blames_host=True)
    assert store.overview().parked == 5
    open_until = raw.hget(f"{names.CIRCUIT_PREFIX}flow.boomi.com", "open_until")
    assert raw.zrange(names.CIRCUITS, 0, -1, withscores=True) == [
        (b"flow.boomi.com", int(open_until))
    ]
    assert raw.ttl(names.CIRCUITS) > 60
    raw.zadd(names.CIRCUITS, {"flow.boomi.com": in_a_minute(raw)})
    (closes_at,) = store.overview().open_circuits.values()
    assert closes_at > server_time(raw)
    raw.zadd(names.CIRCUITS, {"flow.boomi.com": 1})
    assert store.overview().open_circuits == {}  # its pause is over


def test_a_host_that_answers_has_no_open_circuit(store, raw):
    claim = claimed(store)
    store.finish(claim, State.COMPLETED, b"{}", "")
    raw.hset(f"{names.CIRCUIT_PREFIX}flow.boomi.com", "failures", 5)
    raw.zadd(names.CIRCUITS, {"flow.boomi.com": in_a_minute(raw)})
    assert store.overview().open_circuits
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    assert store.overview().open_circuits == {}


def test_the_cost_is_bounded_however_much_is_late(store, raw):
    """A thousand lost leases: at least the bound of them are counted."""
    for number in range(1000):
        raw.hset(names.execution_key(f"e{number}"), "lease_until", 1)
        raw.zadd(names.LEASES, {f"e{number}": 1})
    assert store.overview().lost == 500
    assert store.overview().running == 1000


# --- counters


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAULTED, State.FAILED])
def test_each_end_is_counted_once(store, state):
    claim = claimed(store)
    store.finish(claim, state, b"{}", "")
    store.finish(claim, state, b"{}", "")  # repeated after a lost reply
    assert store.overview().ends == {("CRM", "Retrieve", state): 1}
    assert store.overview().finished == {state: 1}


def test_ends_from_outside_are_counted(store):
    for _ in range(2):
        assert store.cancel(accepted(store), b"{}", "")
    assert store.give_up(accepted(store, is_synchronous=True)) is True
    late = accepted(store, timeout_seconds=0.001)
    until(lambda: store.time_out(late, b"{}", ""), "the deadline")
    assert store.overview().finished == {"cancelled": 3, "timed_out": 1}


# --- an execution's own log


def line(message, attempt=1):
    return LogLine(datetime.now(UTC), "INFO", message, attempt)


def test_its_lines_are_kept_in_order(store):
    execution_id = accepted(store)
    first, second, third = line("one"), line("two"), line("three", 2)
    store.add_log(execution_id, [first, second])
    store.add_log(execution_id, [])
    store.add_log(execution_id, [third])
    assert store.log(execution_id) == [first, second, third]
    assert store.log("nobody") == []


def test_of_too_many_lines_the_oldest_go(settings, store):
    store = RedisStore(replace(settings, max_log_lines=3))
    execution_id = accepted(store)
    store.add_log(execution_id, [line(str(number)) for number in range(5)])
    store.add_log(execution_id, [line("5")])
    assert [each.message for each in store.log(execution_id)] == ["3", "4", "5"]
    store.close()


def test_it_lasts_as_long_as_its_execution(store, raw):
    claim = claimed(store)
    store.add_log(claim.id, [line("one")])
    key = names.log_key(claim.id)
    assert raw.ttl(key) == -1
    store.finish(claim, State.FAILED, b"{}", "")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    assert 0 < raw.pexpiretime(key) == raw.pexpiretime(names.execution_key(claim.id))
    store.restart(claim.id, from_start=True)
    assert raw.ttl(key) == -1


def test_lines_that_come_after_the_end_expire_with_the_rest(store, raw):
    execution_id = accepted(store, is_synchronous=True)
    store.give_up(execution_id)
    store.add_log(execution_id, [line("late")])
    end = raw.pexpiretime(names.execution_key(execution_id))
    assert 0 < end == pytest.approx(raw.pexpiretime(names.log_key(execution_id)), abs=5)
    store.add_log("nobody", [line("lost")])
    assert not raw.exists(names.log_key("nobody"))


# --- who is there


def test_a_presence_says_when_it_was_seen_and_what_is_known_of_it(store, raw):
    before = server_time(raw) - timedelta(milliseconds=1)
    store.announce("listener", "host:1", {"pid": "7"})
    store.announce("processes", "a@host")
    store.announce("processes-2", "b@host")
    listener, *workers = store.presences()
    assert (listener.role, listener.instance, listener.details) == (
        "listener",
        "host:1",
        {"pid": "7"},
    )
    assert before <= listener.seen_at <= server_time(raw)
    assert [(each.role, each.instance, each.details) for each in workers] == [
        ("processes", "a@host", {}),
        ("processes-2", "b@host", {}),
    ]
    assert store.presences("processes") == workers[:1]
    assert store.present("processes") == ["a@host"]
    store.withdraw("processes", "a@host")
    assert store.presences("processes") == []


def test_who_is_not_seen_any_more_is_gone(store, raw):
    store.announce("listener", "host:1")
    store.announce("listener", "host:2")
    assert 0 < raw.ttl(names.presence_key("listener", "host:1")) <= 30
    assert 0 < raw.ttl(names.PRESENCES) <= 30
    raw.delete(names.presence_key("listener", "host:1"))  # as at its expiry
    assert store.present("listener") == ["host:2"]
    raw.zadd(names.PRESENCES, {names.presence_member("listener", "host:1"): 1})
    store.announce("listener", "host:2")
    assert raw.zcard(names.PRESENCES) == 1
