"""Held executions: their journal does not fit the code of the worker that took them last."""

from datetime import UTC, datetime, timedelta

import pytest

from atom import names
from atom.children import NewJoin
from atom.entries import EntryKey, EntryKind
from atom.records import RunEnd, State, Step
from atom.suspension import Signalled, Wait, WaitKind
from tests.contract.test_ending_and_restarting import RESPONSE, hold, running
from tests.support.children import begun, join_of
from tests.support.waiting import until

REASON = "“approve” is recorded as a signal, and the code asks for a step."


def held_wait(seconds=60.0, name="approve"):
    now = datetime.now(UTC)
    due = now + timedelta(seconds=seconds)
    return Wait(name=name, kind=WaitKind.HELD, until=due, since=now, reason=REASON)


def time_wait(name, seconds, occurrence=1):
    now = datetime.now(UTC)
    due = now + timedelta(seconds=seconds)
    return Wait(name=name, occurrence=occurrence, kind=WaitKind.TIME, until=due, since=now)


def woken(store, execution_id):
    until(lambda: store.take_suspended(10), "its time")
    return hold(store, execution_id)


def test_held_execution_is_suspended_with_both_sides(store):
    claim = running(store)
    store.suspend(claim, held_wait())
    execution = store.get(claim.id)
    assert (execution.state, execution.wait.kind) == (State.SUSPENDED, WaitKind.HELD)
    assert execution.error == REASON
    assert [run.end for run in execution.runs] == [RunEnd.HELD]
    assert store.overview().held == 1
    assert store.claim(claim.id, "w", "1") is None


def test_hold_is_no_attempt_and_many_looks_are_one_run(store):
    claim = running(store)
    for _ in range(3):
        store.suspend(claim, held_wait(0))
        claim = woken(store, claim.id)
    assert (claim.attempt, claim.losses, claim.tries) == (1, 0, 0)
    assert claim.held_seconds > 0
    assert [run.end for run in store.get(claim.id).runs] == [RunEnd.HELD, None]


def test_start_of_a_worker_resumes_every_held_execution(store):
    claims = [running(store, token=str(number)) for number in range(3)]
    for claim in claims[:2]:
        store.suspend(claim, held_wait(3600))
    store.suspend(claims[2], time_wait("sleep", 3600))
    assert store.resume_held() == 2
    assert until(lambda: store.take_suspended(10), "the held executions") == 2
    assert {store.get(claim.id).state for claim in claims[:2]} == {State.ACCEPTED}
    assert store.get(claims[2].id).state is State.SUSPENDED
    assert store.overview().held == 2  # until an attempt shows that they fit


@pytest.mark.parametrize("end", ["completed", "cancelled", "suspended"])
def test_hold_is_over_when_the_execution_continues(store, end):
    claim = running(store)
    store.suspend(claim, held_wait(0))
    if end == "cancelled":
        store.cancel(claim.id, RESPONSE, "")
    elif end == "completed":
        store.finish(woken(store, claim.id), State.COMPLETED, RESPONSE, "")
    else:
        store.suspend(woken(store, claim.id), time_wait("sleep", 60))
    assert store.overview().held == 0
    assert store.get(claim.id).error is None


def test_signal_of_a_held_execution_is_kept(store):
    claim = running(store)
    store.suspend(claim, Wait(name="approve", kind=WaitKind.SIGNAL, until=None))
    assert store.signal(claim.id, "other", "1", None) is Signalled.KEPT
    store.signal(claim.id, "approve", "2", None)
    store.suspend(hold(store, claim.id), held_wait(3600))
    assert store.signal(claim.id, "later", "3", None) is Signalled.KEPT
    store.resume_held()
    claim = woken(store, claim.id)
    assert [store.signal_event(claim, name).event for name in ("approve", "later")] == ["2", "3"]


# --- waits that another wait interrupts


def test_wait_keeps_its_end_when_another_wait_comes_first(store):
    claim = running(store)
    first = time_wait("cool down", 3600)
    store.suspend(claim, first)
    # A new version of the process holds it, and the next one sleeps before the wait.
    assert store.resume_held() == 0
    claim = _claimed_by_time(store, claim)
    store.suspend(claim, held_wait(0, "cool down"))
    claim = woken(store, claim.id)
    store.suspend(claim, time_wait("inserted", 0))
    claim = woken(store, claim.id)
    kept = claim.waits[EntryKey("cool down")]
    assert abs(kept.until - first.until) < timedelta(seconds=5)
    assert claim.waits[EntryKey("inserted")].kind is WaitKind.TIME
    step = Step("inserted", "null", entry=EntryKind.WAIT)
    store.record_step(claim, 1, step)
    store.release(claim)
    claim = hold(store, claim.id)
    assert list(claim.waits) == [EntryKey("cool down")]
    store.record_step(claim, 2, Step("cool down", "null", entry=EntryKind.WAIT))
    store.release(claim)
    assert hold(store, claim.id).waits == {}


def _claimed_by_time(store, claim):
    """Wake an execution before its time, as a clock that was set forward does."""
    store._redis.zadd(names.SUSPENDED, {claim.id: 1})
    return woken(store, claim.id)


def test_children_of_an_interrupted_join_are_taken_over(store):
    """A deploy inserts a map before the one whose children are under way."""
    claim = running(store)
    ids = begun(store, claim, 3, width=2, stops=False)
    done, under_way = hold(store, ids[0]), hold(store, ids[1])
    store.finish(done, State.COMPLETED, b'{"result":"one"}', "")
    store.release(claim)
    claim = hold(store, claim.id)
    inserted = NewJoin(key=EntryKey("inserted"), total=1, width=1, stops=False, digest="other")
    store.open_join(claim, inserted)
    store.close_join(claim, 1, Step("inserted", "[]", entry=EntryKind.MAP))
    join = store.open_join(claim, join_of(3, stops=False))
    assert join.ids == {0: ids[0], 1: ids[1]}
    assert list(join.ends) == [0]
    assert begun(store, claim, 3, stops=False)[:2] == ids[:2]
    store.finish(under_way, State.COMPLETED, b'{"result":"two"}', "")
    assert sorted(store.open_join(claim, join_of(3, stops=False)).ends) == [0, 1]
