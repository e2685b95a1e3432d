"""Children go to the history database with their parent, and stay with it."""

import pytest

from atom import names
from atom.history import ExecutionFilter
from atom.records import Restart, State, Step, StepKind
from atom.store import whole_store
from tests.support.children import begun
from tests.support.executions import an_attempt, new_execution
from tests.support.moving import everything, keys_of, move


def finished(store, claim, state=State.COMPLETED):
    store.finish(claim, state, b'{"result":1}', "")


def end_parent(store, claim, *, is_awaited=True):
    finished(store, claim)
    if is_awaited:
        store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())


DAY_MS = 86_400_000


@pytest.fixture
def parent(store):
    """One that runs."""
    new = new_execution()
    store.accept(new)
    return store.claim(new.id, "w", "1")


@pytest.fixture
def family(store, parent):
    """Ended, with two children, the second of which has one of its own."""
    first, second = begun(store, parent, 2)
    finished(store, store.claim(first, "w", "1"))
    claim = store.claim(second, "w", "1")
    (grandchild,) = begun(store, claim)
    finished(store, store.claim(grandchild, "w", "1"))
    finished(store, claim, State.FAULTED)
    end_parent(store, parent)
    return [parent.id, first, second, grandchild]


def in_redis(raw, ids):
    return [each for each in ids if raw.exists(names.execution_key(each))]


def seen(store, family):
    return [(everything(store, each), store.children(each)) for each in family]


def listed(store):
    return [each.id for each in store.find(10).executions]


def test_a_parent_is_moved_with_all_its_children(store, raw, family):
    before = seen(store, family)
    assert [each.state for each in before[0][1]] == [State.COMPLETED, State.FAULTED]
    assert move(store) == 4
    assert in_redis(raw, family) == []
    assert [keys_of(raw, each) for each in family[1:]] == [[], [], []]
    assert seen(store, family) == before
    assert listed(store) == [family[0]]
    assert store.count_states()[State.COMPLETED] == 1
    assert not raw.exists(names.IN_BOTH)


def left_ms(raw, execution_id):
    """For how long its parts are kept; all for as long."""
    keys = [names.execution_key(execution_id), names.documents_key(execution_id)]
    times = [raw.pttl(key) for key in keys]
    assert max(times) - min(times) < 1000
    return times[0]


def test_children_are_kept_until_their_parent_can_have_outlived_its_retention(store, raw):
    parent = new_execution(timeout_seconds=50 * DAY_MS / 1000)
    store.accept(parent)
    claim = store.claim(parent.id, "w", "1")
    (only,) = begun(store, claim)
    nested = store.claim(only, "w", "1")
    (grandchild,) = begun(store, nested)
    finished(store, store.claim(grandchild, "w", "1"))
    finished(store, nested)
    # 50 days, the 30 of its retention, and the one that is left to whoever trims.
    assert 80.9 < left_ms(raw, grandchild) / DAY_MS <= 81
    assert 80.9 < left_ms(raw, only) / DAY_MS <= 81
    end_parent(store, claim)
    assert 30.9 < left_ms(raw, parent.id) / DAY_MS <= 31


@pytest.mark.parametrize("verdict", ["retry", "parked"])
def test_children_are_kept_with_a_parent_whose_callback_is_not_taken(store, raw, parent, verdict):
    (only,) = begun(store, parent)
    finished(store, store.claim(only, "w", "1"))
    finished(store, parent)
    store.record_delivery(store.claim_delivery(parent.id), verdict, an_attempt())
    assert left_ms(raw, only) == -1
    if verdict == "parked":
        assert store.dismiss(parent.id)
    else:
        store.record_delivery(store.claim_delivery(parent.id), "delivered", an_attempt())
    assert 30.9 < left_ms(raw, only) / DAY_MS <= 31


def test_children_are_kept_with_a_parent_that_runs_again(store, raw, family):
    assert store.restart(family[0], from_start=True) is Restart.RESTARTED
    assert [left_ms(raw, each) for each in family] == [-1] * 4
    end_parent(store, store.claim(family[0], "w", "2"), is_awaited=False)
    assert all(30.9 < left_ms(raw, each) / DAY_MS <= 31 for each in family)


def test_children_that_end_while_their_parent_is_kept_are_kept_with_it(store, raw, parent):
    """The grandchild ends first, and the parent of both last."""
    finished(store, parent, State.FAILED)
    store.record_delivery(store.claim_delivery(parent.id), "parked", an_attempt())
    assert store.restart(parent.id, from_start=False) is Restart.RESTARTED
    again = store.claim(parent.id, "w", "1")
    (only,) = begun(store, again)
    nested = store.claim(only, "w", "1")
    (grandchild,) = begun(store, nested)
    finished(store, store.claim(grandchild, "w", "1"))
    finished(store, again)
    store.record_delivery(store.claim_delivery(parent.id), "parked", an_attempt())
    assert left_ms(raw, grandchild) == -1
    assert store.dismiss(parent.id)
    assert 30.9 < left_ms(raw, grandchild) / DAY_MS <= 31
    assert left_ms(raw, only) == -1
    finished(store, nested)
    assert 30.9 < left_ms(raw, only) / DAY_MS < 31.1


def test_a_child_that_outlives_its_parent_is_waited_for(store, raw, parent):
    (only,) = begun(store, parent)
    claim = store.claim(only, "w", "1")
    end_parent(store, parent)
    assert left_ms(raw, only) == -1
    assert move(store) == 0
    assert store.children(parent.id)[0].state is State.RUNNING
    finished(store, claim)
    assert move(store) == 2
    assert store.children(parent.id)[0].state is State.COMPLETED


def test_children_that_only_were_copied_are_seen_once(store, family):
    before = seen(store, family)
    copied = store.copy_settled(store.take_settled(10))
    assert seen(store, family) == before
    store.remove_copied(copied[:2])
    assert seen(store, family) == before
    assert move(store) == 4 - 2
    assert seen(store, family) == before


def test_a_large_family_is_moved_in_parts(store, raw, family, monkeypatch):
    monkeypatch.setattr(whole_store, "_BATCH", 1)
    monkeypatch.setattr(whole_store, "_COPIED_AT_ONCE", 2)
    before = seen(store, family)
    assert move(store) == 2
    assert seen(store, family) == before
    assert in_redis(raw, family) == [family[0], family[2]]
    assert move(store) == 2
    assert in_redis(raw, family) == []
    assert seen(store, family) == before


def test_a_parent_that_runs_again_has_its_earlier_children_too(store, raw, family):
    earlier = store.children(family[0])
    move(store)
    assert store.restart(family[0], from_start=True) is Restart.RESTARTED
    claim = store.claim(family[0], "w", "2")
    (new,) = begun(store, claim)
    assert [each.id for each in store.children(family[0])] == [*family[1:3], new]
    assert store.children(family[0])[:2] == earlier
    finished(store, store.claim(new, "w", "2"))
    finished(store, claim)
    assert move(store) == 2
    assert [each.id for each in store.children(family[0])] == [*family[1:3], new]
    assert in_redis(raw, family) == []


def test_a_map_that_goes_on_takes_what_was_moved_of_it(store, raw, parent):
    first, second = begun(store, parent, 2)
    finished(store, store.claim(first, "w", "1"))
    finished(store, store.claim(second, "w", "1"), State.FAULTED)
    store.close_join(parent, 1, Step("items", '["no"]', StepKind.FAULT))
    finished(store, parent, State.FAULTED)
    store.record_delivery(store.claim_delivery(parent.id), "delivered", an_attempt())
    assert move(store) == 3
    assert store.restart(parent.id, from_start=False) is Restart.RESTARTED
    assert listed(store) == [parent.id]
    claim = store.claim(parent.id, "w", "2")
    assert begun(store, claim, 2)[0] == first
    finished(store, claim)
    states = [each.state for each in store.children(parent.id)]
    assert states == [State.COMPLETED, State.FAULTED, State.ACCEPTED]
    # The new one has not begun, and never will.
    assert store.claim(store.children(parent.id)[2].id, "w", "2") is None
    assert move(store) == 4
    assert len(store.children(parent.id)) == 3
    assert in_redis(raw, [parent.id, first, second]) == []


@pytest.fixture
def failed_map(store, parent):
    """A parent whose map of two failed at its second item, and the children."""
    first, second = begun(store, parent, 2)
    finished(store, store.claim(first, "w", "1"))
    finished(store, store.claim(second, "w", "1"), State.FAULTED)
    store.close_join(parent, 1, Step("items", '["no"]', StepKind.FAULT))
    finished(store, parent, State.FAULTED)
    store.record_delivery(store.claim_delivery(parent.id), "delivered", an_attempt())
    return [parent.id, first, second]


def test_so_it_does_where_only_a_part_of_it_was_moved(store, raw, failed_map, monkeypatch):
    monkeypatch.setattr(whole_store, "_BATCH", 1)
    monkeypatch.setattr(whole_store, "_COPIED_AT_ONCE", 1)
    parent, first, second = failed_map
    assert move(store) == 1
    assert in_redis(raw, failed_map) == [parent, second]
    assert store.restart(parent, from_start=False) is Restart.RESTARTED
    assert begun(store, store.claim(parent, "w", "2"), 2)[0] == first


def test_so_it_does_where_it_is_being_moved(store, raw, failed_map):
    copied = store.copy_settled(store.take_settled(10))
    parent, first, _ = failed_map
    assert store.restart(parent, from_start=False) is Restart.RESTARTED
    assert store.remove_copied(copied) == 0
    assert begun(store, store.claim(parent, "w", "2"), 2)[0] == first


def test_a_child_is_not_run_once_more_by_itself(store, raw, family):
    move(store)
    assert store.restart(family[1], from_start=True) is Restart.CHILD
    assert in_redis(raw, family) == []


def test_a_child_is_found_by_its_id_in_either_place(store, family):
    def found():
        return [each.id for each in store.find(10, ExecutionFilter(text=family[3])).executions]

    assert found() == [family[3]]
    move(store)
    assert found() == [family[3]]


def test_they_are_trimmed_with_their_parent(make_store, family):
    store = make_store(history_retention_days=1e-9)
    move(store)
    assert store.trim(10) == 1
    assert seen(store, family) == [(None, [])] * 4


def test_what_is_not_a_parent_costs_the_database_nothing(settings, make_store):
    """Children are looked for where their parent is."""
    store = make_store(history_url="postgresql://nobody@127.0.0.1:9/none")
    new = new_execution()
    store.accept(new)
    assert store.children(new.id) == []


@pytest.fixture
def ended_with_cleanup(store):
    """An execution that failed and the claim of its cleanup."""
    new = new_execution()
    store.accept(new)
    claim = store.claim(new.id, "w", "1", has_cleanup=True)
    store.finish(claim, State.FAILED, b"{}", "why")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    store.dismiss(claim.id)
    (cleanup,) = store.children(claim.id)
    return store.claim(cleanup.id, "w", "1")


def test_execution_is_moved_with_its_cleanup_once_that_has_ended(store, raw, ended_with_cleanup):
    cleanup = ended_with_cleanup
    family = [cleanup.parentage.parent, cleanup.id]
    assert move(store) == 0
    finished(store, cleanup)
    before = seen(store, family)
    assert move(store) == 2
    assert in_redis(raw, family) == []
    assert seen(store, family) == before
    assert store.get(cleanup.id).ending == cleanup.ending
    assert [each.ending.state for each in store.children(family[0])] == [State.FAILED]
    assert store.restart(cleanup.id, from_start=True) is Restart.MOVED


def test_execution_is_moved_once_its_failed_cleanup_is_dismissed(store, raw, ended_with_cleanup):
    cleanup = ended_with_cleanup
    finished(store, cleanup, State.FAILED)
    assert move(store) == 0
    assert [each.id for each in store.failed(10)] == [cleanup.id]
    assert store.dismiss(cleanup.id)
    assert move(store) == 2
    assert in_redis(raw, [cleanup.id, cleanup.parentage.parent]) == []


def test_failed_cleanup_leaves_the_inbox_when_its_retention_is_over(store, raw, ended_with_cleanup):
    cleanup = ended_with_cleanup
    finished(store, cleanup, State.FAILED)
    for execution_id in (cleanup.id, cleanup.parentage.parent):
        for key in keys_of(raw, execution_id):
            raw.pexpire(key, DAY_MS - 1000)
    assert move(store) == 2
    assert store.overview().failed == 0
    assert in_redis(raw, [cleanup.id, cleanup.parentage.parent]) == []


def test_execution_that_was_moved_is_retried_and_has_another_cleanup(
    store, raw, ended_with_cleanup
):
    first = ended_with_cleanup
    parent = first.parentage.parent
    finished(store, first)
    assert move(store) == 2
    assert store.restart(parent, from_start=True) is Restart.RESTARTED
    claim = store.claim(parent, "w", "1", has_cleanup=True)
    finished(store, claim)
    second = next(each for each in store.children(parent) if each.id != first.id)
    finished(store, store.claim(second.id, "w", "1"))
    assert move(store) >= 2
    assert in_redis(raw, [parent, first.id, second.id]) == []
    assert [each.id for each in store.children(parent)] == [first.id, second.id]
