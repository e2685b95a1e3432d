"""Who answers a synchronous request, and one callback at a time until the flow took it."""

import random
import threading
import time
from dataclasses import replace

import pytest

from atom.records import CallbackState, State
from atom.store import RedisStore
from tests.support.executions import an_attempt, new_execution
from tests.support.waiting import until


def running(store, **changes):
    new = new_execution(**changes)
    store.accept(new)
    claim = store.claim(new.id, "w", "1")
    assert claim is not None
    return claim


def finished(store, **changes):
    claim = running(store, **changes)
    store.finish(claim, State.COMPLETED, b'{"invokeType":"FORWARD"}', "")
    return claim


# --- synchronous answers


def test_a_result_in_time_is_the_answer_and_no_callback_follows(store):
    claim = finished(store, sync_timeout_seconds=5)
    store.wait_finished(claim.id, 5)
    assert store.answer(claim.id).response == b'{"invokeType":"FORWARD"}'
    assert store.claim_delivery(claim.id) is None
    store.confirm_answer(claim.id)
    assert store.get(claim.id).callback_state is CallbackState.DELIVERED
    assert store.take_due_callbacks(10) == []


def test_after_wait_the_callback_carries_the_outcome(store):
    claim = running(store, sync_timeout_seconds=1)
    store.progress(claim, "half way", 0.5)
    answer = store.answer(claim.id)
    assert (answer.response, answer.progress) == (None, "half way")
    assert store.finish(claim, State.COMPLETED, b"{}", "").is_callback_due is True
    assert store.answer(claim.id).response is None
    assert store.claim_delivery(claim.id) is not None


def test_an_inline_answer_that_nobody_confirms_is_followed_by_its_callback(store, raw):
    claim = finished(store, sync_timeout_seconds=1)
    assert store.answer(claim.id).response is not None
    assert store.get(claim.id).callback_state is CallbackState.DUE
    # As if the time for the confirmation were over.
    raw.hset(f"atom:execution:{claim.id}", "callback_due_at", 1)
    assert store.claim_delivery(claim.id) is not None


def test_a_listener_that_died_waiting_leaves_a_callback(store, raw):
    claim = finished(store, sync_timeout_seconds=1)
    assert store.claim_delivery(claim.id) is None
    raw.hset(f"atom:execution:{claim.id}", "callback_due_at", 1)
    assert store.claim_delivery(claim.id) is not None


def test_a_duplicate_of_an_inline_answer_gets_the_same_one(store):
    claim = finished(store, sync_timeout_seconds=5)
    assert store.answer(claim.id) == store.answer(claim.id)
    store.confirm_answer(claim.id)
    assert store.answer(claim.id).response == b'{"invokeType":"FORWARD"}'


def test_finish_and_answer_racing_have_exactly_one_winner(store):
    """200 runs at the boundary: the outcome is the answer, or it is in the callback."""
    seen = set()
    for run in range(200):
        claim = running(store, sync_timeout_seconds=30)
        barrier = threading.Barrier(2)
        delays = random.Random(run)
        finish_after, answer_after = delays.uniform(0, 0.002), delays.uniform(0, 0.002)

        def finish(claim=claim, barrier=barrier, after=finish_after):
            barrier.wait()
            time.sleep(after)
            store.finish(claim, State.COMPLETED, b"{}", "")

        thread = threading.Thread(target=finish)
        thread.start()
        barrier.wait()
        time.sleep(answer_after)
        inline = store.answer(claim.id).response is not None
        thread.join()
        callback = store.claim_delivery(claim.id) is not None
        assert inline != callback, f"run {run}: inline {inline}, callback {callback}"
        seen.add(inline)
    assert seen == {True, False}, "the race was never close"


# --- progress


def test_progress_is_throttled_and_the_latest_message_wins(store):
    claim = running(store)
    assert store.progress(claim, "one", None) is True
    first = store.claim_delivery(claim.id)
    assert (first.is_final, first.progress) == (False, "one")
    store.record_delivery(first, "delivered", an_attempt())
    assert store.progress(claim, "two", None) is False
    assert store.progress(claim, "three", None) is False
    assert store.claim_delivery(claim.id) is None
    second = until(lambda: store.claim_delivery(claim.id), "the throttle", 5)
    assert second.progress == "three"


def test_the_outcome_takes_the_place_of_unsent_progress(store):
    claim = running(store)
    store.progress(claim, "one", None)
    store.finish(claim, State.COMPLETED, b"{}", "")
    delivery = store.claim_delivery(claim.id)
    assert delivery.is_final
    assert store.record_delivery(delivery, "delivered", an_attempt()) == []
    assert store.claim_delivery(claim.id) is None


@pytest.mark.parametrize("verdict", ["delivered", "retry", "parked"])
def test_an_outcome_that_comes_during_a_progress_callback_follows_it_at_once(store, verdict):
    claim = running(store)
    store.progress(claim, "one", None)
    progress = store.claim_delivery(claim.id)
    assert store.finish(claim, State.COMPLETED, b"{}", "").is_callback_due is False
    assert store.claim_delivery(claim.id) is None
    assert store.record_delivery(progress, verdict, an_attempt(), failures=1) == [claim.id]
    outcome = store.claim_delivery(claim.id)
    assert (outcome.is_final, outcome.failures) == (True, 0)


def test_progress_that_the_flow_refuses_is_dropped(store):
    claim = running(store)
    store.progress(claim, "one", None)
    store.record_delivery(store.claim_delivery(claim.id), "parked", an_attempt())
    assert store.get(claim.id).callback_state is CallbackState.NONE


# --- outcomes


def test_a_callback_says_when_it_is_due_only_while_it_is(store):
    claim = finished(store)
    assert store.get(claim.id).callback_due_at is not None
    delivery = store.claim_delivery(claim.id)
    assert store.get(claim.id).callback_due_at is None
    store.record_delivery(delivery, "delivered", an_attempt())
    assert store.get(claim.id).callback_due_at is None


def test_a_delivered_callback_expires_with_its_retention_and_forgets_the_user(store, raw):
    claim = finished(store, authorization="ManyWhoUserId%3Du")
    delivery = store.claim_delivery(claim.id)
    assert delivery.authorization == "ManyWhoUserId%3Du"
    store.record_delivery(delivery, "delivered", an_attempt())
    found = store.get(claim.id)
    assert found.callback_state is CallbackState.DELIVERED
    assert [each.answer for each in found.callback_attempts] == ["SUCCESS"]
    documents = raw.hkeys(f"atom:execution:{claim.id}:documents")
    assert sorted(documents) == [b"callback_attempts", b"request", b"response"]
    assert raw.ttl(f"atom:execution:{claim.id}") > 29 * 86_400
    assert raw.ttl(f"atom:execution:{claim.id}:documents") > 29 * 86_400


def test_the_latest_tries_of_a_callback_are_kept(store):
    claim = finished(store)
    for number in range(53):
        delivery = store.claim_delivery(claim.id)
        store.record_delivery(delivery, "retry", an_attempt(f"answer\n{number}"))
        if number == 1:
            assert len(store.get(claim.id).callback_attempts) == 2
    tries = [each.answer for each in store.get(claim.id).callback_attempts]
    assert tries == [f"answer\n{number}" for number in range(3, 53)]


def test_a_failed_try_is_due_again_with_its_counts(store):
    claim = finished(store)
    delivery = store.claim_delivery(claim.id)
    store.record_delivery(
        delivery, "retry", an_attempt("BUSY"), due_in_seconds=1.0, failures=1, busy=2
    )
    assert store.claim_delivery(claim.id) is None
    again = until(lambda: store.claim_delivery(claim.id), "the next try", 5)
    assert (again.failures, again.busy) == (1, 2)
    assert again.fence == delivery.fence + 1


def test_a_parked_callback_stays_until_a_person_acts(store, raw):
    claim = finished(store)
    store.record_delivery(store.claim_delivery(claim.id), "parked", an_attempt("NOT_ALLOWED"))
    assert store.get(claim.id).callback_state is CallbackState.PARKED
    assert store.claim_delivery(claim.id) is None
    assert raw.ttl(f"atom:execution:{claim.id}") == -1


def test_one_callback_is_sent_by_one_worker(store):
    claim = finished(store)
    assert store.claim_delivery(claim.id) is not None
    assert store.claim_delivery(claim.id) is None


def test_a_delivery_whose_worker_died_is_taken_over(settings, raw):
    store = RedisStore(replace(settings, callback_timeout_seconds=-9.9))  # holds for 0.1 s
    claim = finished(store)
    first = store.claim_delivery(claim.id)
    second = until(lambda: store.claim_delivery(claim.id), "the hold to end", 5)
    assert store.record_delivery(first, "parked", an_attempt()) == []
    assert store.get(claim.id).callback_state is CallbackState.DELIVERING
    store.record_delivery(second, "delivered", an_attempt())
    assert store.get(claim.id).callback_state is CallbackState.DELIVERED
    store.close()


def test_callbacks_of_one_flow_state_go_one_at_a_time(store):
    one, two = finished(store, state_id="same"), finished(store, state_id="same")
    other = finished(store, state_id="other")
    first = store.claim_delivery(one.id)
    assert store.claim_delivery(two.id) is None
    assert store.claim_delivery(other.id) is not None
    assert store.record_delivery(first, "delivered", an_attempt()) == [two.id]
    assert store.claim_delivery(two.id) is not None


def test_flow_states_of_two_tenants_are_two(store):
    one = finished(store, state_id="same", tenant_id="a")
    two = finished(store, state_id="same", tenant_id="b")
    assert store.claim_delivery(one.id) is not None
    assert store.claim_delivery(two.id) is not None


def test_due_callbacks_are_found_for_recovery(store):
    claim = finished(store)
    assert store.take_due_callbacks(10) == [claim.id]
    assert store.take_due_callbacks(10) == []
    assert store.claim_delivery(claim.id) is not None


# --- one wake-up for all


def test_nobody_else_is_woken_while_a_wake_up_is_on_its_way(store):
    claims = [running(store) for _ in range(3)]
    assert store.finish(claims[0], State.COMPLETED, b"{}", "").is_callback_due is True
    assert store.finish(claims[1], State.COMPLETED, b"{}", "").is_callback_due is False
    assert store.claim_delivery(claims[0].id) is not None  # it has come
    assert store.finish(claims[2], State.COMPLETED, b"{}", "").is_callback_due is True


def test_nor_while_somebody_is_about_to_look_again(store):
    claims = [running(store) for _ in range(3)]
    assert store.next_delivery(back_in_seconds=60) is None
    assert store.finish(claims[0], State.COMPLETED, b"{}", "").is_callback_due is False
    delivery, another = store.next_delivery(back_in_seconds=0)  # and not again
    assert (delivery.execution_id, another) == (claims[0].id, "")
    assert store.finish(claims[1], State.COMPLETED, b"{}", "").is_callback_due is True


def test_who_said_so_and_died_is_not_waited_for_long(store):
    claim = running(store)
    assert store.next_delivery(back_in_seconds=0.05) is None
    time.sleep(0.1)
    assert store.finish(claim, State.COMPLETED, b"{}", "").is_callback_due is True


def test_due_callbacks_are_taken_one_after_the_other(store):
    claims = []
    for _ in range(3):
        claims.append(finished(store))
        time.sleep(0.002)  # they stand in the order of milliseconds
    store.claim_delivery("nobody")
    assert store.next_delivery()[0].execution_id == claims[0].id
    delivery, another = store.next_delivery(takes=0)
    assert (delivery.execution_id, another) == (claims[1].id, "")  # one was woken for the third
    assert store.next_delivery()[0].execution_id == claims[2].id
    assert store.next_delivery() is None


@pytest.mark.parametrize(("takes", "is_woken"), [(0, True), (1, True), (2, False)])
def test_another_one_is_woken_for_what_is_too_much(store, takes, is_woken):
    claims = [finished(store) for _ in range(3)]
    store.claim_delivery("nobody")
    delivery, another = store.next_delivery(takes=takes)
    assert (another != "") is is_woken
    others = {each.id for each in claims} - {delivery.execution_id}
    assert another in {*others, ""}


def test_what_waits_for_another_callback_of_its_flow_state_is_passed_over(store):
    one, two = finished(store, state_id="same"), finished(store, state_id="same")
    other = finished(store, state_id="other")
    first, _ = store.next_delivery()
    taken, _ = store.next_delivery()
    assert {first.execution_id, taken.execution_id} - {one.id, two.id} == {other.id}
    assert store.next_delivery() is None
    locked = first if first.execution_id != other.id else taken
    (awake,) = store.record_delivery(locked, "delivered", an_attempt())
    assert store.next_delivery()[0].execution_id == awake


def test_more_that_cannot_go_out_than_are_looked_at_hide_nobody(store):
    held = [finished(store, state_id="same") for _ in range(120)]
    time.sleep(0.002)
    other = finished(store, state_id="other")
    assert store.next_delivery()[0].execution_id in {each.id for each in held}
    assert store.next_delivery()[0].execution_id == other.id


def test_an_execution_is_packed_closely_beside_its_documents(store, raw):
    claim = finished(store)
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    assert raw.object("ENCODING", f"atom:execution:{claim.id}") == b"listpack"
