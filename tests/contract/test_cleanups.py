"""Cleanups in the store: created with the end of an execution, kept, retried and forgotten."""

from datetime import UTC, datetime, timedelta

import pytest

from atom import names
from atom.catalog import Catalog
from atom.errors import ClaimLost
from atom.execution.ending import cancel
from atom.records import Ending, Restart, State, Step
from atom.store import RedisStore
from atom.suspension import Wait, WaitKind
from tests.contract.test_ending_and_restarting import RESPONSE, accepted, hold
from tests.support.children import begun, child, join_of
from tests.support.executions import an_attempt
from tests.support.waiting import until

SLEEP = Wait(name="sleep", kind=WaitKind.TIME, until=datetime(2099, 1, 1, tzinfo=UTC))
CHILDREN = Wait(name="items", kind=WaitKind.CHILDREN, until=None)
SECRETS = {"private_request": b'{"with":"secrets"}', "authorization": "ManyWhoUserId%3Du"}
ENDS = [State.COMPLETED, State.FAULTED, State.FAILED, State.TIMED_OUT, State.CANCELLED]


@pytest.fixture
def store(settings, raw, told):
    """A store that remembers the executions to publish."""
    store = RedisStore(settings, on_released=told.extend)
    store.set_windows({"processes": 100})
    yield store
    store.close()


def running(store, execution_id=None, **changes):
    """Claim an execution of an action that has a cleanup."""
    execution_id = execution_id or accepted(store, **changes)
    claim = store.claim(execution_id, "w", "1", has_cleanup=True)
    assert claim is not None
    return claim


def end(store, raw, claim, state):
    """End a running execution, as its worker, recovery or an operator does."""
    if state is State.CANCELLED:
        assert cancel(Catalog([]), store, claim.id)
    elif state is State.TIMED_OUT:
        raw.hset(names.execution_key(claim.id), "deadline", 1)
        assert store.time_out(claim.id, RESPONSE, "why")
    else:
        store.finish(claim, state, RESPONSE, "" if state is State.COMPLETED else "why")


def cleanups(store, execution_id):
    return [each for each in store.children(execution_id) if each.ending]


def cleanup_of(store, execution_id):
    (cleanup,) = cleanups(store, execution_id)
    return cleanup


def failed(store, **changes):
    """Return the ids of an execution that completed and of its cleanup, which failed."""
    claim = running(store, **changes)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    cleanup = hold(store, cleanup_of(store, claim.id).id)
    store.finish(cleanup, State.FAILED, RESPONSE, "ValueError: broken")
    return claim.id, cleanup.id


def deliver(store, execution_id, verdict="delivered"):
    store.record_delivery(store.claim_delivery(execution_id), verdict, an_attempt())


def lifetime(raw, execution_id):
    """Return for how many seconds Redis keeps an execution; -1: without limit."""
    return raw.ttl(names.execution_key(execution_id))


@pytest.mark.parametrize("state", ENDS)
def test_each_end_creates_one_cleanup(store, raw, told, state):
    claim = running(store, **SECRETS)
    end(store, raw, claim, state)
    cleanup = cleanup_of(store, claim.id)
    assert [each.id for each in told] == [cleanup.id]
    assert (cleanup.state, cleanup.parent) == (State.ACCEPTED, claim.id)
    held = hold(store, cleanup.id)
    error = store.get(claim.id).error
    assert held.ending == Ending(execution_id=claim.id, state=state, error=error)
    assert (held.request, held.authorization) == (
        SECRETS["private_request"],
        SECRETS["authorization"],
    )
    assert (held.token, held.parent_request, held.state_id) == ("", None, claim.state_id)
    assert held.parentage.root == claim.id
    assert held.deadline - held.accepted_at == timedelta(days=1)


def test_action_without_cleanup_has_none(store):
    claim = store.claim(accepted(store), "w", "1")
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    assert store.children(claim.id) == []


def test_scripts_that_are_repeated_create_no_second_cleanup(store):
    claim = running(store)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    store.finish(claim, State.FAILED, RESPONSE, "why")
    assert store.cancel(claim.id, RESPONSE, "why") is None
    with pytest.raises(ClaimLost):
        store.finish(claim, State.COMPLETED, RESPONSE, "")
    assert len(cleanups(store, claim.id)) == 1


def test_execution_that_never_began_has_no_cleanup(store):
    waiting = accepted(store)
    assert cancel(Catalog([]), store, waiting)
    assert store.children(waiting) == []


@pytest.mark.parametrize("leave", ["hand back", "suspend"])
def test_execution_that_began_and_waits_has_a_cleanup(store, leave):
    claim = running(store)
    if leave == "suspend":
        store.suspend(claim, SLEEP)
    else:
        store.hand_back(claim)
    assert cancel(Catalog([]), store, claim.id)
    assert cleanup_of(store, claim.id).ending.state is State.CANCELLED


def test_the_latest_claim_decides_whether_there_is_a_cleanup(store):
    claim = running(store)
    store.hand_back(claim)
    claim = store.claim(claim.id, "w", "2")
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    assert cleanups(store, claim.id) == []


def test_timeout_of_the_action_counts_if_it_is_longer_than_a_day(store):
    claim = running(store, timeout_seconds=3 * 86_400)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    cleanup = cleanup_of(store, claim.id)
    assert cleanup.deadline - cleanup.accepted_at == timedelta(days=3)


def test_cleanup_runs_although_its_parent_has_ended(store):
    claim = running(store)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    deliver(store, claim.id)
    cleanup = running(store, cleanup_of(store, claim.id).id)
    store.record_step(cleanup, 1, Step("s", "1"))
    store.hand_back(cleanup, failed="once")
    cleanup = running(store, cleanup.id)
    assert (cleanup.tries, store.steps(cleanup)) == (1, {1: Step("s", "1")})
    store.finish(cleanup, State.COMPLETED, RESPONSE, "")
    assert store.get(cleanup.id).state is State.COMPLETED
    assert store.children(cleanup.id) == []  # a cleanup has none itself


def test_cleanup_is_found_under_its_execution_alone_and_not_counted(store):
    execution_id, _ = failed(store, action="Create")
    assert [each.id for each in store.find(10).executions] == [execution_id]
    assert store.overview().ends == {("CRM", "Create", "completed"): 1}
    assert store.get(execution_id).state is State.COMPLETED
    assert store.get(execution_id).error is None


def test_failed_cleanup_is_in_the_inbox_until_it_is_dismissed(store):
    execution_id, cleanup_id = failed(store)
    (item,) = store.failed(10)
    assert (item.id, item.error) == (cleanup_id, "ValueError: broken")
    assert (item.ending.execution_id, item.ending.state) == (execution_id, State.COMPLETED)
    assert store.overview().failed == 1
    assert store.dismiss(cleanup_id) is True
    assert (store.failed(10), store.dismiss(cleanup_id)) == ([], False)


def test_cleanup_takes_no_slot_of_its_process(store):
    claim = store.claim(accepted(store), "w", "1", 1, has_cleanup=True)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    other = store.claim(accepted(store), "w", "1", 1, has_cleanup=True)
    assert other is not None
    assert store.claim(cleanup_of(store, claim.id).id, "w", "1", 1) is not None


def test_cancel_spares_the_cleanup_but_not_the_children(store):
    claim = running(store)
    ids = begun(store, claim, 1)
    cancel(Catalog([]), store, claim.id)
    cancel(Catalog([]), store, claim.id)
    states = {each.id: each.state for each in store.children(claim.id)}
    assert states == {ids[0]: State.CANCELLED, cleanup_of(store, claim.id).id: State.ACCEPTED}


def called(store, claim):
    """Return the id of a child that another execution calls."""
    join = store.open_join(claim, join_of(1))
    new = child(claim.id, join.nonce, 0, is_item=False)
    store.spawn(claim, {0: new})
    return new.id


def test_called_child_has_a_cleanup_and_item_of_a_map_has_none(store):
    claim = store.claim(accepted(store), "w", "1")
    held = running(store, called(store, claim))
    store.finish(held, State.COMPLETED, b'{"result":1}', "")
    cleanup = hold(store, cleanup_of(store, held.id).id)
    assert (cleanup.parentage.parent, cleanup.parentage.root) == (held.id, claim.id)
    assert cleanup.parent_request is None
    other = store.claim(accepted(store), "w", "1")
    (item,) = begun(store, other, 1)
    store.finish(running(store, item), State.COMPLETED, b'{"result":1}', "")
    assert store.children(item) == []


def test_child_that_is_withdrawn_after_it_began_has_a_cleanup(store):
    claim = store.claim(accepted(store), "w", "1")
    held = running(store, called(store, claim))
    store.hand_back(held)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    assert store.claim(held.id, "w", "1", has_cleanup=True) is None
    assert cleanup_of(store, held.id).ending.state is State.CANCELLED


# --- retries


def test_retry_cancels_a_cleanup_that_has_not_begun(store):
    claim = running(store)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    deliver(store, claim.id)
    assert store.restart(claim.id, from_start=True) is Restart.RESTARTED
    cleanup = cleanup_of(store, claim.id)
    assert cleanup.state is State.CANCELLED
    assert "its execution was retried" in cleanup.error
    assert store.claim(cleanup.id, "w", "1") is None


@pytest.mark.parametrize("leave", [None, "hand back", "suspend"])
def test_retry_is_refused_while_a_cleanup_has_begun_and_not_ended(store, leave):
    claim = running(store)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    deliver(store, claim.id)
    cleanup = hold(store, cleanup_of(store, claim.id).id)
    if leave == "suspend":
        store.suspend(cleanup, SLEEP)
    elif leave:
        store.hand_back(cleanup)
    assert store.restart(claim.id, from_start=True) is Restart.CLEANUP
    assert store.get(claim.id).state is State.FAILED
    assert store.cancel(cleanup.id, RESPONSE, "why")
    assert store.restart(claim.id, from_start=True) is Restart.RESTARTED


def test_each_end_of_a_retried_execution_has_a_cleanup_of_its_own(store):
    claim = running(store)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    deliver(store, claim.id)
    first = hold(store, cleanup_of(store, claim.id).id)
    store.finish(first, State.COMPLETED, RESPONSE, "")
    assert store.restart(claim.id, from_start=True) is Restart.RESTARTED
    # Also without another attempt: what the first attempt left behind may still be there.
    assert cancel(Catalog([]), store, claim.id)
    endings = [(each.state, each.ending.state) for each in cleanups(store, claim.id)]
    assert endings == [(State.COMPLETED, State.FAILED), (State.ACCEPTED, State.CANCELLED)]


@pytest.mark.parametrize("from_start", [True, False])
def test_failed_cleanup_is_retried(store, from_start):
    execution_id, cleanup_id = failed(store)
    assert store.restart(cleanup_id, from_start=from_start) is Restart.RESTARTED
    assert store.failed(10) == []
    assert until(lambda: store.take_scheduled(10), "the cleanup to be due") == [cleanup_id]
    store.finish(hold(store, cleanup_id), State.COMPLETED, RESPONSE, "")
    assert store.get(cleanup_id).state is State.COMPLETED
    assert [each.id for each in store.find(10).executions] == [execution_id]


# --- how long they are kept


def test_execution_is_kept_until_its_cleanup_has_ended(store, raw):
    claim = running(store)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    deliver(store, claim.id)
    cleanup = hold(store, cleanup_of(store, claim.id).id)
    assert (lifetime(raw, claim.id), lifetime(raw, cleanup.id)) == (-1, -1)
    store.finish(cleanup, State.COMPLETED, RESPONSE, "")
    assert lifetime(raw, claim.id) > 0
    assert lifetime(raw, cleanup.id) == pytest.approx(lifetime(raw, claim.id), abs=2)


@pytest.mark.parametrize("verdict", ["delivered", "parked"])
def test_execution_is_kept_until_its_callback_is_settled(store, raw, verdict):
    claim = running(store)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    if verdict == "parked":
        deliver(store, claim.id, verdict)
    cleanup = hold(store, cleanup_of(store, claim.id).id)
    store.finish(cleanup, State.COMPLETED, RESPONSE, "")
    assert lifetime(raw, claim.id) == -1
    if verdict == "parked":
        assert store.dismiss(claim.id)
    else:
        deliver(store, claim.id)
    assert lifetime(raw, claim.id) > 0
    assert lifetime(raw, cleanup.id) == pytest.approx(lifetime(raw, claim.id), abs=2)


def test_cleanup_that_is_retried_keeps_its_execution_again(store, raw):
    execution_id, cleanup_id = failed(store)
    deliver(store, execution_id)
    assert lifetime(raw, execution_id) > 0
    store.restart(cleanup_id, from_start=True)
    assert (lifetime(raw, execution_id), lifetime(raw, cleanup_id)) == (-1, -1)
    store.finish(hold(store, cleanup_id), State.COMPLETED, RESPONSE, "")
    assert lifetime(raw, execution_id) > 0
    assert lifetime(raw, cleanup_id) > 0


def test_cleanup_of_a_child_keeps_the_whole_family(store, raw):
    claim = store.claim(accepted(store), "w", "1")
    held = running(store, called(store, claim))
    store.suspend(claim, CHILDREN)
    store.finish(held, State.COMPLETED, b'{"result":1}', "")
    claim = hold(store, claim.id)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    deliver(store, claim.id)
    cleanup = hold(store, cleanup_of(store, held.id).id)
    family = [claim.id, held.id, cleanup.id]
    assert [lifetime(raw, each) for each in family] == [-1, -1, -1]
    store.finish(cleanup, State.COMPLETED, RESPONSE, "")
    assert all(lifetime(raw, each) > 0 for each in family)


def test_secrets_of_a_cleanup_go_when_it_has_completed(store, raw):
    claim = running(store, **SECRETS)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    deliver(store, claim.id)
    cleanup = hold(store, cleanup_of(store, claim.id).id)
    key = names.documents_key(cleanup.id)
    assert raw.hexists(key, "private_request")
    store.finish(cleanup, State.COMPLETED, RESPONSE, "")
    assert not raw.hexists(key, "private_request")
    assert not raw.hexists(key, "authorization")


def test_failed_cleanup_with_secrets_is_retried_if_they_are_encrypted(store, settings):
    _, cleanup_id = failed(store, **SECRETS)
    if not settings.secret_key:
        assert store.restart(cleanup_id, from_start=True) is Restart.SECRET
        return
    assert store.restart(cleanup_id, from_start=True) is Restart.RESTARTED
    assert until(lambda: store.take_scheduled(10), "the cleanup to be due") == [cleanup_id]
    held = hold(store, cleanup_id)
    assert held.request == SECRETS["private_request"]
    assert held.authorization == SECRETS["authorization"]


def test_failed_cleanup_leaves_the_inbox_with_its_execution(settings, raw):
    store = RedisStore(settings)
    execution_id, _ = failed(store)
    deliver(store, execution_id)
    raw.pexpire(names.execution_key(execution_id), 1000)
    raw.zadd(names.HISTORY, {execution_id: 1})
    assert store.trim(10) == 1
    assert (store.failed(10), store.overview().failed) == ([], 0)
    assert not raw.exists(f"{names.execution_key(execution_id)}:cleanups")
    store.close()
