"""Callbacks that wait for a person, hosts left alone, and what is forgotten and counted."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from atom import names
from atom.records import CallbackState, Replay, State
from atom.store import RedisStore
from tests.support.executions import an_attempt, new_execution
from tests.support.waiting import until

RESPONSE = b'{"invokeType":"FORWARD"}'
HOST = "flow.boomi.com"
CIRCUIT = f"atom:circuit:{HOST}"
THRESHOLD = 5


def finished(store, **changes):
    """The id of one whose callback is due."""
    new = new_execution(**changes)
    store.accept(new)
    store.finish(store.claim(new.id, "w", "1"), State.COMPLETED, RESPONSE, "")
    return new.id


def parked(store, answer="NOT_ALLOWED", **changes):
    execution_id = finished(store, **changes)
    store.record_delivery(store.claim_delivery(execution_id), "parked", an_attempt(answer))
    return execution_id


def to(host):
    return {"callback_uri": f"https://{host}/api/run/1/response"}


# --- parked


def test_the_longest_parked_come_first_and_say_what_was_answered(store):
    first = parked(store)
    second = parked(store, "MESSAGE")
    found = store.parked(10)
    assert [each.execution_id for each in found] == [first, second]
    assert (found[0].service, found[0].action, found[0].host) == ("CRM", "Retrieve", HOST)
    assert found[0].answer == "200 NOT_ALLOWED"
    age = datetime.now(UTC) - found[0].parked_at
    assert timedelta() <= age < timedelta(minutes=5)
    assert [each.execution_id for each in store.parked(1)] == [first]
    assert store.parked(0) == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", 3),
        (HOST, 1),
        ("FLOW.boomi.com", 1),
        ("flow.example.org", 2),
        ("flow.example.org:8443", 1),
        ("example.org", 0),
    ],
)
def test_parked_callbacks_are_found_by_their_host(store, asked, found):
    for host in (HOST, "Flow.Example.org", "flow.example.org:8443"):
        parked(store, **to(host))
    assert len(store.parked(10, host=asked)) == found


def test_parked_callbacks_are_found_by_their_time(store, raw):
    old, new = parked(store), parked(store)
    two_hours_ago = (datetime.now(UTC) - timedelta(hours=2)).timestamp() * 1000
    raw.zadd(names.PARKED, {old: two_hours_ago})
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert [each.execution_id for each in store.parked(10, since=an_hour_ago)] == [new]
    assert len(store.parked(10, since=an_hour_ago - timedelta(hours=2))) == 2


def test_more_than_one_page_of_parked_callbacks_is_read(store, raw):
    """A host whose callbacks come after a thousand of others."""
    raw.zadd(names.PARKED, {f"other-{number}": number for number in range(1200)})
    mine = parked(store)
    assert [each.execution_id for each in store.parked(1, host=HOST)] == [mine]
    assert len(store.parked(1500)) == 1201


def test_a_replayed_callback_goes_out_at_once_with_its_tries_counted_anew(store, raw):
    execution_id = finished(store, authorization="ManyWhoUserId%3Du")
    first = store.claim_delivery(execution_id)
    store.record_delivery(first, "retry", an_attempt(), failures=7, busy=3)
    store.record_delivery(store.claim_delivery(execution_id), "parked", an_attempt("NOT_ALLOWED"))
    raw.hset(names.execution_key(execution_id), "callback_due_since", 1)

    assert store.replay(execution_id) is Replay.DUE
    assert store.parked(10) == []
    assert store.replay(execution_id) is Replay.DUE
    again = store.claim_delivery(execution_id)
    assert store.replay(execution_id) is Replay.SENDING
    assert (again.failures, again.busy, again.authorization) == (0, 0, "ManyWhoUserId%3Du")
    assert again.due_since.timestamp() > 1  # its deadline begins anew
    assert again.response == RESPONSE
    store.record_delivery(again, "delivered", an_attempt())
    assert store.replay(execution_id) is Replay.NONE
    assert len(store.get(execution_id).callback_attempts) == 3


def test_what_was_taken_while_the_flow_stood_still_can_be_sent_once_more(store, raw):
    execution_id = finished(store, authorization="ManyWhoUserId%3Du")
    delivery = store.claim_delivery(execution_id)
    store.record_delivery(delivery, "delivered", an_attempt("WAIT"), keep=True)
    found = store.get(execution_id)
    assert found.callback_state is CallbackState.DELIVERED
    key, documents = names.execution_key(execution_id), names.documents_key(execution_id)
    assert raw.ttl(key) > 0
    assert raw.ttl(documents) > 0
    assert raw.hget(documents, "token") is not None

    assert store.replay(execution_id) is Replay.DUE
    assert raw.ttl(key) == raw.ttl(documents) == -1
    again = store.claim_delivery(execution_id)
    assert (again.token, again.authorization) == (delivery.token, "ManyWhoUserId%3Du")
    store.record_delivery(again, "delivered", an_attempt())
    assert raw.hget(documents, "token") is None
    assert store.replay(execution_id) is Replay.NONE


def test_only_what_ended_and_could_be_sent_is_replayed(store):
    new = new_execution()
    store.accept(new)
    assert store.replay(new.id) is Replay.UNFINISHED
    claim = store.claim(new.id, "w", "1")
    store.progress(claim, "half way", None)
    store.record_delivery(store.claim_delivery(new.id), "parked", an_attempt())
    assert store.replay(new.id) is Replay.UNFINISHED
    assert store.replay("nobody") is Replay.UNKNOWN


# --- a host in trouble


def fail(store, times=1, **changes):
    """Tries in a row that blame the host, each of another execution."""
    for _ in range(times):
        delivery = store.claim_delivery(finished(store, **changes))
        assert delivery is not None
        store.record_delivery(
            delivery, "retry", an_attempt("503"), due_in_seconds=600, failures=1, blames_host=True
        )


def let_the_pause_end(raw, *ids):
    raw.hset(CIRCUIT, "open_until", 1)
    for each in ids:
        raw.hset(names.execution_key(each), "callback_due_at", 1)


def open_for(raw):
    """Milliseconds."""
    seconds, micros = raw.time()
    return int(raw.hget(CIRCUIT, "open_until")) - (seconds * 1000 + micros // 1000)


def test_five_tries_in_a_row_that_blame_the_host_open_its_circuit(store, raw):
    fail(store, THRESHOLD - 1)
    other = finished(store, **to("flow.example.org"))
    waits = finished(store)
    fail(store)
    assert 0 < open_for(raw) <= 1000
    before = store.get(waits)
    assert store.claim_delivery(waits) is None
    after = store.get(waits)
    assert after.callback_state is CallbackState.DUE
    assert after.callback_due_at > before.callback_due_at
    assert after.callback_attempts == ()  # being put off is no failed try
    assert raw.zscore(names.CALLBACKS_DUE, waits) >= int(raw.hget(CIRCUIT, "open_until"))
    assert store.claim_delivery(other) is not None
    delivery = until(lambda: store.claim_delivery(waits), "the pause to end", 20)
    assert delivery.failures == 0


def test_an_answer_of_any_kind_closes_it(store, raw):
    fail(store, THRESHOLD - 1)
    delivery = store.claim_delivery(finished(store))
    store.record_delivery(delivery, "parked", an_attempt("NOT_ALLOWED"))
    assert raw.exists(CIRCUIT) == 0
    fail(store, THRESHOLD - 1)
    assert store.claim_delivery(finished(store)) is not None


def test_it_opens_for_longer_each_time_up_to_a_minute(store, raw):
    fail(store, THRESHOLD)
    assert raw.ttl(CIRCUIT) > 60  # forgotten some day, but not while it is open
    pauses = []
    for _ in range(8):
        let_the_pause_end(raw)
        fail(store)
        pauses.append(open_for(raw))
    for found, most in zip(
        pauses, [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000], strict=True
    ):
        assert most / 2 < found <= most


def test_one_looks_whether_the_host_is_well_and_the_others_wait_for_it(store, raw):
    fail(store, THRESHOLD)
    looks, waits, third = finished(store), finished(store), finished(store)
    let_the_pause_end(raw, looks, waits, third)
    delivery = store.claim_delivery(looks)
    assert delivery is not None
    assert store.claim_delivery(waits) is None
    store.record_delivery(delivery, "delivered", an_attempt())
    assert raw.exists(CIRCUIT) == 0
    assert store.claim_delivery(third) is not None


def test_the_look_fails_and_the_others_go_on_waiting(store, raw):
    fail(store, THRESHOLD)
    looks, waits = finished(store), finished(store)
    let_the_pause_end(raw, looks, waits)
    store.record_delivery(
        store.claim_delivery(looks), "retry", an_attempt(), due_in_seconds=9, blames_host=True
    )
    assert store.claim_delivery(waits) is None


def test_who_waits_for_its_flow_state_does_not_look_in_place_of_others(store, raw):
    """Else nobody would look, and the host would be left alone for nothing."""
    one, two = finished(store, state_id="same"), finished(store, state_id="same")
    assert store.claim_delivery(one) is not None
    fail(store, THRESHOLD)
    other = finished(store)
    let_the_pause_end(raw, two, other)
    assert store.claim_delivery(two) is None
    assert store.claim_delivery(other) is not None


def test_what_was_held_back_does_not_come_back_all_at_once(store, raw):
    waiting = [finished(store) for _ in range(30)]
    fail(store, THRESHOLD)
    raw.hset(CIRCUIT, "open_until", 2**42)
    assert not any(store.claim_delivery(each) for each in waiting)
    due = {raw.zscore(names.CALLBACKS_DUE, each) - 2**42 for each in waiting}
    assert len(due) > 10
    assert min(due) >= 0
    assert max(due) <= 2000


# --- tried now


def test_replay_sends_what_waits_for_its_next_attempt(store):
    fail(store)
    (execution,) = store.find(1).executions
    assert store.claim_delivery(execution.id) is None
    assert store.replay(execution.id) is Replay.DUE
    delivery = store.claim_delivery(execution.id)
    assert delivery.failures == 1, "its tries are not counted anew"
    assert store.replay(execution.id) is Replay.SENDING


def test_replay_tries_the_host_although_its_circuit_is_open(store, raw):
    fail(store, THRESHOLD)
    chosen, other, third = finished(store), finished(store), finished(store)
    raw.hset(CIRCUIT, "open_until", 2**42)
    assert not any(store.claim_delivery(each) for each in (chosen, other, third))
    assert store.replay(chosen) is Replay.DUE
    delivery = store.claim_delivery(chosen)
    assert delivery is not None
    assert store.claim_delivery(other) is None
    # One callback tries the host, however many are asked for.
    assert store.replay(other) is Replay.WAITS
    assert store.claim_delivery(other) is None
    store.record_delivery(
        delivery, "retry", an_attempt(), due_in_seconds=9, failures=1, blames_host=True
    )
    assert open_for(raw) > 0
    assert store.replay(third) is Replay.DUE
    store.record_delivery(store.claim_delivery(third), "delivered", an_attempt())
    assert raw.exists(CIRCUIT) == 0


def test_replay_lets_a_parked_callback_try_the_host(store, raw):
    execution_id = parked(store)
    fail(store, THRESHOLD)
    raw.hset(CIRCUIT, "open_until", 2**42)
    assert store.replay(execution_id) is Replay.DUE
    assert store.claim_delivery(execution_id) is not None


def test_replay_waits_for_a_callback_of_the_same_flow_state(store):
    sending, other = finished(store, state_id="same"), parked(store, state_id="same")
    delivery = store.claim_delivery(sending)
    assert delivery is not None
    assert store.replay(other) is Replay.WAITS
    assert store.claim_delivery(other) is None
    assert store.record_delivery(delivery, "delivered", an_attempt()) == [other]
    assert store.claim_delivery(other) is not None


@pytest.mark.parametrize("is_answered", [False, True])
def test_replay_does_not_send_what_the_listener_is_about_to_answer(store, is_answered):
    """The flow would get its outcome twice."""
    execution_id = finished(store, sync_timeout_seconds=60)
    if is_answered:
        assert store.answer(execution_id).response == RESPONSE
    before = store.get(execution_id)
    assert store.replay(execution_id) is Replay.ANSWERING
    assert store.get(execution_id) == before


# --- recovery's own


def test_what_was_put_off_is_taken_once_by_one_of_many(settings, store):
    ids = []
    for each in range(50):
        new = new_execution(tenant_id=f"tenant {each}")
        store.accept(new)
        store.hand_back(store.claim(new.id, "w", "1"))
        ids.append(new.id)
    barrier, taken = threading.Barrier(4), []

    def take():
        own = RedisStore(settings)
        barrier.wait()
        while found := own.take_scheduled(7):
            assert len(found) <= 7
            taken.extend(found)
        own.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == sorted(ids)
    # From now on a message that is lost is noticed as that of any accepted execution.
    assert until(lambda: store.take_unstarted(100), "the time to publish again", 5)


def test_trimming_keeps_what_is_under_way_again(settings, raw):
    store = RedisStore(replace(settings, retention_days=0.3 / 86_400))
    gone, replayed, restarted = (finished(store) for _ in range(3))
    for each in (gone, replayed, restarted):
        delivery = store.claim_delivery(each)
        store.record_delivery(delivery, "delivered", an_attempt("WAIT"), keep=each != gone)
    assert store.replay(replayed).is_due
    assert store.restart(restarted, from_start=True)
    assert until(lambda: store.trim(10), "the retention to be over", 10) == 1
    assert {each.decode() for each in raw.zrange(names.HISTORY, 0, -1)} == {replayed, restarted}
    assert store.trim(10) == 0
    assert store.get(gone) is None
    assert store.claim_delivery(replayed) is not None
    store.close()


def test_trimming_is_bounded_and_waits_for_the_retention(settings, raw):
    store = RedisStore(settings)
    kept = finished(store)
    store.record_delivery(store.claim_delivery(kept), "delivered", an_attempt())
    assert store.trim(10) == 0
    for number in range(7):
        raw.zadd(names.HISTORY, {f"gone-{number}": number})
    assert [store.trim(3), store.trim(3), store.trim(3)] == [3, 3, 1]
    assert raw.zrange(names.HISTORY, 0, -1) == [kept.encode()]
    store.close()


def test_what_has_to_stay_hides_nothing_from_trimming(settings, raw):
    """However many wait for a person, and however long."""
    store = RedisStore(replace(settings, retention_days=0.0000001))
    stay = [finished(store) for _ in range(7)]
    ended = [finished(store) for _ in range(2)]
    for each in ended:
        store.record_delivery(store.claim_delivery(each), "delivered", an_attempt())
    time.sleep(0.1)
    assert sum(store.trim(3) for _ in range(4)) == 2
    store.record_delivery(store.claim_delivery(stay[0]), "delivered", an_attempt())
    time.sleep(0.1)
    assert sum(store.trim(3) for _ in range(4)) == 1
    assert {each.decode() for each in raw.zrange(names.HISTORY, 0, -1)} == set(stay[1:])
    store.close()


def test_what_was_kept_for_less_time_goes_though_more_is_wanted_now(settings, raw):
    day_ms = 86_400_000
    store = RedisStore(replace(settings, retention_days=7))
    ended = finished(store)
    store.record_delivery(store.claim_delivery(ended), "delivered", an_attempt())
    assert store.trim(10) == 0
    # Accepted two days ago, when what had ended was kept for one.
    seconds, _ = raw.time()
    raw.zadd(names.HISTORY, {ended: seconds * 1000 - 2 * day_ms})
    raw.pexpire(names.execution_key(ended), day_ms - 1)
    assert store.trim(10) == 1
    assert store.get(ended) is None
    assert [key for key in raw.keys("atom:history*") if raw.type(key) == b"zset"] == []
    store.close()


def test_what_recovery_did_is_added_up(store):
    assert store.counters() == {}
    store.count({"lost taken over": 2, "history trimmed": 1})
    store.count({"lost taken over": 3})
    store.count({})
    assert store.counters() == {"lost taken over": 5, "history trimmed": 1}
