"""Children and their parent in the store: who begins when, and who is woken by whose end."""

import json
from datetime import timedelta

import pytest

from atom import names
from atom.catalog import Catalog
from atom.errors import ClaimLost
from atom.execution.ending import cancel
from atom.records import Restart, State, Step, StepKind
from atom.store import RedisStore
from atom.suspension import Wait, WaitKind
from tests.contract.test_ending_and_restarting import RESPONSE, hold, running
from tests.support.children import begun, child, join_of
from tests.support.executions import an_attempt

WAIT = Wait(name="items", kind=WaitKind.CHILDREN, until=None)


@pytest.fixture
def store(settings, raw):
    """A store that remembers what was to be published; all of it at once."""
    told = []
    store = RedisStore(settings, on_released=told.extend)
    store.told = told
    store.set_windows({"processes": 100})
    yield store
    store.close()


def woken(store):
    """For whom a worker is to be woken, since the last time this was asked."""
    ids = [each.id for each in store.told]
    store.told.clear()
    return ids


def spawned(store, claim, total, width=2, **options):
    """The ids of children by index, and of those that may begin."""
    return begun(store, claim, total, width, **options), woken(store)


def ended(store, execution_id, state=State.COMPLETED):
    """End a child; whom a worker is to be woken for then."""
    store.finish(hold(store, execution_id), state, b'{"result":1}', "")
    return woken(store)


def test_so_many_begin_and_each_end_lets_another_begin(store):
    claim = running(store)
    ids, begun = spawned(store, claim, 4)
    assert begun == ids[:2]
    store.suspend(claim, WAIT)
    assert woken(store) == []
    assert store.overview().queues["processes"].waiting == 2
    assert ended(store, ids[1]) == [ids[2]]
    assert ended(store, ids[0]) == [ids[3]]
    assert ended(store, ids[2]) == []
    assert ended(store, ids[3]) == [claim.id]
    again = hold(store, claim.id)
    join = store.open_join(again, join_of(4))
    assert join.is_over
    assert [(each.state, each.response) for _, each in sorted(join.ends.items())] == [
        (State.COMPLETED, b'{"result":1}')
    ] * 4


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAULTED, State.FAILED])
def test_children_are_not_counted_as_executions(store, state):
    claim = running(store, action="Map")
    ids, _ = spawned(store, claim, 3, width=3)
    ended(store, ids[0], state)
    hold(store, ids[1])
    assert cancel(Catalog([]), store, ids[1])  # while it runs
    assert cancel(Catalog([]), store, ids[2])  # before it starts
    assert store.overview().ends == {}
    store.finish(claim, State.COMPLETED, b"{}", "")
    assert store.overview().ends == {("CRM", "Map", "completed"): 1}
    assert store.counters() == {"finished:completed:CRM.Map": 1}
    minutes = store.minutes(3)
    assert sum(minute.counts.get("accepted", 0) for minute in minutes) == 1
    assert sum(minute.counts.get("completed", 0) for minute in minutes) == 1
    assert not any(minute.counts.keys() - {"accepted", "completed"} for minute in minutes)


def test_a_child_knows_its_parent_and_its_request(store):
    claim = running(store, request=b'{"inputs":[]}', authorization="ManyWhoUserId%3Du")
    ids, _ = spawned(store, claim, 1)
    held = hold(store, ids[0])
    assert (held.parentage.parent, held.parentage.root) == (claim.id, claim.id)
    assert (held.request, held.parent_request) == (b'{"item":0}', b'{"inputs":[]}')
    assert (held.authorization, held.token) == ("ManyWhoUserId%3Du", "")
    assert held.deadline <= claim.deadline
    grandchildren, _ = spawned(store, held, 1)
    held = hold(store, grandchildren[0])
    assert (held.parentage.parent, held.parentage.root) == (ids[0], claim.id)


def test_children_are_found_under_their_parent_alone(store, raw):
    claim = running(store)
    ids, _ = spawned(store, claim, 3)
    ended(store, ids[0], State.FAILED)
    assert [each.id for each in store.find(10).executions] == [claim.id]
    assert store.count_states()[State.ACCEPTED] == 0
    assert store.failed(10) == []
    found = store.children(claim.id)
    assert [(each.id, each.parent) for each in found] == [(each, claim.id) for each in ids]
    assert found[0].state is State.FAILED
    assert store.get(claim.id).children == 3
    assert store.get(ids[1]).parent == claim.id
    assert raw.ttl(names.execution_key(ids[0])) > 0


def test_spawning_again_stores_what_is_missing(store):
    claim = running(store)
    join = store.open_join(claim, join_of(3))
    store.spawn(claim, {0: child(claim.id, join.nonce, 0)})
    assert len(woken(store)) == 1
    store.release(claim)
    again = hold(store, claim.id)
    known = store.open_join(again, join_of(3))
    assert (known.nonce, list(known.ids), known.is_over) == (join.nonce, [0], False)
    children = {index: child(claim.id, join.nonce, index) for index in range(3)}
    store.spawn(again, children)
    assert woken(store) == [children[1].id]
    store.spawn(again, children)
    assert woken(store) == []
    assert len(store.children(claim.id)) == 3


def test_children_that_end_before_the_others_are_stored_leave_their_places(store):
    claim = running(store)
    join = store.open_join(claim, join_of(4, width=2))
    store.spawn(claim, {index: child(claim.id, join.nonce, index) for index in range(2)})
    woken(store)
    assert ended(store, child(claim.id, join.nonce, 0).id) == []
    later = {index: child(claim.id, join.nonce, index) for index in (2, 3)}
    store.spawn(claim, later)
    assert woken(store) == [later[2].id]


@pytest.mark.parametrize("state", [State.FAULTED, State.FAILED])
def test_the_first_that_does_not_complete_wakes_the_parent_where_it_stops(store, state):
    claim = running(store)
    ids, _ = spawned(store, claim, 5)
    store.suspend(claim, WAIT)
    assert ended(store, ids[0], state) == [claim.id]
    again = hold(store, claim.id)
    join = store.open_join(again, join_of(5))
    assert (join.is_stopped, join.is_over, len(join.unfinished)) == (True, True, 4)
    assert ended(store, ids[1]) == []  # and no other begins


def test_what_is_stored_after_that_does_not_begin(store):
    claim = running(store)
    join = store.open_join(claim, join_of(2))
    first, second = (child(claim.id, join.nonce, index) for index in range(2))
    store.spawn(claim, {0: first})
    woken(store)
    ended(store, first.id, State.FAULTED)
    store.spawn(claim, {1: second})
    assert woken(store) == []


def test_where_it_does_not_stop_the_others_go_on(store):
    claim = running(store)
    ids, _ = spawned(store, claim, 3, stops=False)
    store.suspend(claim, WAIT)
    assert ended(store, ids[0], State.FAULTED) == [ids[2]]
    assert ended(store, ids[1]) == []
    assert ended(store, ids[2]) == [claim.id]


def test_what_is_over_before_the_parent_is_suspended_wakes_it_at_once(store):
    claim = running(store)
    ids, _ = spawned(store, claim, 1)
    assert ended(store, ids[0]) == []
    store.suspend(claim, WAIT)
    assert woken(store) == [claim.id]


def test_a_held_back_child_that_is_cancelled_is_passed_by(store):
    claim = running(store)
    ids, _ = spawned(store, claim, 4, stops=False)
    store.suspend(claim, WAIT)
    store.cancel(ids[2], RESPONSE, "why")
    assert woken(store) == []
    assert ended(store, ids[0]) == [ids[3]]
    assert ended(store, ids[1]) == []
    assert ended(store, ids[3]) == [claim.id]


def test_a_child_is_not_run_once_more_by_itself(store):
    claim = running(store)
    ids, _ = spawned(store, claim, 2)
    store.suspend(claim, WAIT)
    ended(store, ids[0], State.FAULTED)
    assert store.restart(ids[0], from_start=False) is Restart.CHILD
    assert store.restart(ids[1], from_start=True) is Restart.UNFINISHED


def test_with_the_parent_ended_a_child_does_not_begin(store):
    claim = running(store)
    ids, _ = spawned(store, claim, 3)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    assert store.claim(ids[0], "w", "1") is None
    assert store.get(ids[0]).state is State.CANCELLED
    assert "its parent ended" in store.get(ids[0]).error


def test_cancelling_the_parent_ends_its_children(store):
    claim = running(store)
    ids, _ = spawned(store, claim, 3)
    held = hold(store, ids[0])
    assert cancel(Catalog([]), store, claim.id) is not None
    assert {each.state for each in store.children(claim.id)} == {State.CANCELLED}
    with pytest.raises(ClaimLost):
        store.record_step(held, 1, Step("s", "1"))
    assert store.overview().queues["processes"].waiting == 0


def test_when_it_is_recorded_nothing_of_the_join_is_kept(store, raw):
    claim = running(store)
    ids, _ = spawned(store, claim, 1)
    ended(store, ids[0])
    store.close_join(claim, 1, Step("items", "[1]"))
    store.close_join(claim, 1, Step("items", "[1]"))  # after a lost reply
    assert not raw.exists(names.join_key(claim.id))
    store.release(claim)
    assert store.steps(hold(store, claim.id)) == {1: Step("items", "[1]")}


def failed_map(store):
    """A parent whose map of four failed: the first two items completed, the third did not."""
    claim = running(store)
    ids, _ = spawned(store, claim, 4, width=4)
    for each in ids[:2]:
        store.finish(hold(store, each), State.COMPLETED, b'{"result":"%s"}' % each.encode(), "")
    ended(store, ids[2], State.FAILED)
    store.close_join(claim, 1, Step("items", '["no"]', StepKind.FAILURE))
    return claim, ids


def again(store, claim, **changes):
    """What its next attempt finds of the same map, and which children begin then."""
    claim = hold(store, claim.id)
    assert store.steps(claim) == {}
    join = store.open_join(claim, join_of(4, 4, **changes))
    missing = {each: child(claim.id, join.nonce, each) for each in range(4) if each not in join.ids}
    store.spawn(claim, missing)
    return claim, join, [missing[each].id for each in missing]


def test_a_failed_map_that_is_tried_again_runs_what_did_not_complete(store):
    claim, ids = failed_map(store)
    woken(store)
    store.hand_back(claim, failed="no")
    claim, join, new = again(store, claim)
    assert join.ids == {0: ids[0], 1: ids[1]}
    assert {each: json.loads(join.ends[each].response)["result"] for each in join.ends} == join.ids
    assert woken(store) == new
    assert len(new) == 2
    assert not set(new) & set(ids)
    store.suspend(claim, WAIT)
    assert ended(store, new[0]) == []
    assert ended(store, new[1]) == [claim.id]
    assert [each.id for each in store.children(claim.id)] == [*ids, *new]


def test_what_completed_is_known_after_one_more_failure(store):
    claim, ids = failed_map(store)
    store.hand_back(claim, failed="no")
    claim, _, new = again(store, claim)
    ended(store, new[0])
    ended(store, new[1], State.FAULTED)
    store.close_join(claim, 1, Step("items", '["no"]', StepKind.FAULT))
    store.hand_back(claim, failed="no")
    _, join, newest = again(store, claim)
    assert join.ids == {0: ids[0], 1: ids[1], 2: new[0]}
    assert len(newest) == 1


def test_so_it_is_when_a_person_has_it_run_from_the_failed_step(store):
    claim, ids = failed_map(store)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    store.restart(claim.id, from_start=False)
    _, join, new = again(store, claim)
    assert (join.ids, len(new)) == ({0: ids[0], 1: ids[1]}, 2)


def run_again(store, claim, verdict="parked"):
    store.record_delivery(store.claim_delivery(claim.id), verdict, an_attempt())
    assert store.restart(claim.id, from_start=False) is Restart.RESTARTED
    claim = hold(store, claim.id)
    return claim, store.open_join(claim, join_of(3))


@pytest.mark.parametrize("verdict", ["parked", "delivered"])
def test_so_it_is_where_the_parent_was_ended_while_it_waited(store, verdict):
    claim = running(store)
    ids, _ = spawned(store, claim, 3, width=3)
    store.suspend(claim, WAIT)
    ended(store, ids[0])
    assert cancel(Catalog([]), store, claim.id) is not None
    _, join = run_again(store, claim, verdict)
    assert (join.ids, join.is_over) == ({0: ids[0]}, False)


def test_children_of_an_earlier_try_do_not_begin(store):
    claim = running(store)
    ids, _ = spawned(store, claim, 3, width=3)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    assert store.claim(ids[0], "w", "1") is None
    claim, join = run_again(store, claim)
    assert join.ids == {}
    store.spawn(claim, {n: child(claim.id, join.nonce, n) for n in range(3)})
    store.suspend(claim, WAIT)
    assert store.claim(ids[1], "w", "1") is None
    assert store.get(ids[1]).state is State.CANCELLED
    assert store.get(claim.id).state is State.SUSPENDED


def test_from_the_start_all_run_again(store):
    claim, _ = failed_map(store)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    store.restart(claim.id, from_start=True)
    _, join, new = again(store, claim)
    assert (join.ids, len(new)) == ({}, 4)


def test_of_another_map_nothing_is_taken(store):
    claim, _ = failed_map(store)
    store.hand_back(claim, failed="no")
    _, join, new = again(store, claim, digest="another")
    assert (join.ids, len(new)) == ({}, 4)


def test_what_completed_with_secrets_runs_again(store):
    claim = running(store)
    ids, _ = spawned(store, claim, 4, width=4)
    store.finish(hold(store, ids[0]), State.COMPLETED, b"{}", "", b'{"result":"canary"}')
    ended(store, ids[1])
    ended(store, ids[2], State.FAILED)
    store.close_join(claim, 1, Step("items", '["no"]', StepKind.FAILURE))
    store.hand_back(claim, failed="no")
    _, join, new = again(store, claim)
    assert (list(join.ids), len(new)) == ([1], 3)


def test_who_lost_its_claim_begins_nothing(store):
    claim = running(store)
    join = store.open_join(claim, join_of(1))
    store.release(claim)
    hold(store, claim.id)
    with pytest.raises(ClaimLost):
        store.open_join(claim, join_of(1))
    with pytest.raises(ClaimLost):
        store.spawn(claim, {0: child(claim.id, join.nonce, 0)})
    with pytest.raises(ClaimLost):
        store.close_join(claim, 1, Step("items", "[1]"))
    assert store.children(claim.id) == []


def test_run_anew_a_parent_has_other_children(store):
    claim = running(store)
    first = store.open_join(claim, join_of(2)).nonce
    cancel(Catalog([]), store, claim.id)
    store.record_delivery(store.claim_delivery(claim.id), "parked", an_attempt())
    store.restart(claim.id, from_start=True)
    again = hold(store, claim.id)
    assert store.open_join(again, join_of(2, digest="other")).nonce != first


def test_its_progress_is_told_by_whoever_ends_a_child(store):
    claim = running(store)
    ids, _ = spawned(store, claim, 3)
    store.suspend(claim, WAIT)
    after = store.finish(hold(store, ids[0]), State.COMPLETED, b'{"result":1}', "")
    told = after.progress
    assert (told.parent, told.key.name, told.done, told.total) == (claim.id, "items", 1, 3)
    assert store.join_progress(told, "1 of 3") is True
    found = store.get(claim.id)
    assert found.progress == "1 of 3"
    after = store.finish(hold(store, ids[1]), State.COMPLETED, b'{"result":1}', "")
    assert after.progress is None  # not more often than a flow is told
    ended(store, ids[2])
    hold(store, claim.id)
    assert store.join_progress(told, "late") is False


@pytest.mark.parametrize("is_item", [True, False])
def test_a_called_child_takes_a_place_of_its_process_and_an_item_of_a_map_none(store, is_item):
    claim = running(store, action="Parent")
    join = store.open_join(claim, join_of(2))
    children = {n: child(claim.id, join.nonce, n, is_item=is_item) for n in range(2)}
    store.spawn(claim, children)
    first, second = (each.id for each in children.values())
    held = store.claim(first, "w", "1", 1)
    other = store.claim(second, "w", "1", 1)
    assert (other is not None) == is_item
    if is_item:
        return
    woken(store)
    until = held.claimed_at + timedelta(seconds=60)  # it holds no place meanwhile
    store.suspend(held, Wait(name="sleep", kind=WaitKind.TIME, until=until))
    assert woken(store) == [second]
    assert store.claim(second, "w", "1", 1) is not None
