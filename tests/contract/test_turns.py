"""Whose turn it is: windows of tenants, priorities, lines of processes, and what repairs them."""

from dataclasses import replace

import pytest

from atom import names
from atom.errors import Overloaded
from atom.parentage import Wakeup
from atom.records import State
from atom.store import RedisStore
from tests.support.executions import an_attempt, new_execution
from tests.support.waiting import until

PROCESS = "CRM.Retrieve"
WINDOW = 2


@pytest.fixture
def store(settings, raw, told):
    store = RedisStore(settings, on_released=told.extend)
    store.set_windows(dict.fromkeys(("processes", "own"), WINDOW))
    yield store
    store.close()


@pytest.fixture
def silent(settings, raw):
    """A store of somebody who does not publish, as the CLI's."""
    store = RedisStore(settings)
    store.set_windows({"processes": WINDOW})
    yield store
    store.close()


def accepted(store, count, **changes):
    """The ids of so many executions, accepted one after the other, each in a time of its own."""
    ids = []
    for _ in range(count):
        new = new_execution(**changes)
        store.accept(new)
        before = store.get(new.id).accepted_at
        until(lambda before=before: store.overview().at > before, "the next millisecond")
        ids.append(new.id)
    return ids


def claimed(store, execution_id, most=0):
    claim = store.claim(execution_id, "w", "1", most)
    assert claim is not None
    return claim


def finished(store, claim):
    store.finish(claim, State.COMPLETED, b"{}", "")


def ids_of(told):
    """What was told since the last look."""
    ids = [each.id for each in told]
    told.clear()
    return ids


# --- windows


def test_a_tenant_has_so_many_out_and_the_rest_waits(store, raw):
    news = [new_execution() for _ in range(WINDOW + 3)]
    outs = [store.accept(each).is_out for each in news]
    assert outs == [True] * WINDOW + [False] * 3
    assert store.accept(new_execution(tenant_id="another")).is_out
    assert store.accept(new_execution(queue="another")).is_out
    assert store.overview().queues["processes"].waiting == WINDOW + 4
    assert raw.zcount(names.ACCEPTED, "-inf", "(inf") == WINDOW + 2  # recovery looks at no others


def test_without_a_window_one_is_out_and_a_new_one_counts_at_the_next_look(store, told):
    ids = accepted(store, 5, queue="unheard")
    assert store.take_released({}, 10) == []
    claimed(store, ids[0])
    assert ids_of(told) == [ids[1]]
    store.set_windows({"unheard": 3})
    assert store.take_released({}, 10) == ids[2:4]


def test_whoever_begins_makes_room_for_the_next(store, told):
    ids = accepted(store, WINDOW + 2)
    for begins, follows in zip(ids, [*ids[WINDOW:], *[None] * WINDOW], strict=True):
        claimed(store, begins)
        assert ids_of(told) == ([follows] if follows else [])


def test_it_is_told_what_is_needed_to_publish(store, told):
    ids = accepted(store, WINDOW + 1, queue="own", service="S", action="A")
    claimed(store, ids[0])
    assert told == [Wakeup(ids[-1], "S", "A", "own")]


def test_higher_priorities_begin_first(store, told):
    ids = accepted(store, WINDOW)
    low = accepted(store, 1, priority=-1)
    middle = accepted(store, 2)
    high = accepted(store, 1, priority=100)
    for begins, follows in zip([*ids, *high, *middle][:4], [*high, *middle, *low], strict=True):
        claimed(store, begins)
        assert ids_of(told) == [follows]


def test_what_is_ended_while_it_waits_makes_room_or_leaves_the_backlog(store, told):
    ids = accepted(store, WINDOW + 3)
    store.cancel(ids[WINDOW], b"{}", "")
    assert ids_of(told) == []
    store.cancel(ids[0], b"{}", "")
    assert ids_of(told) == [ids[WINDOW + 1]]


def test_what_its_caller_withdraws_makes_room(store, told):
    ids = accepted(store, WINDOW + 1, is_synchronous=True, token="", sync_timeout_seconds=5)
    assert store.give_up(ids[0]) is True
    assert ids_of(told) == [ids[WINDOW]]


def test_what_waits_in_a_backlog_counts_as_waiting(settings, raw, told):
    store = RedisStore(replace(settings, max_pending=WINDOW + 1), on_released=told.extend)
    accepted(store, WINDOW + 1)  # one of them is out
    with pytest.raises(Overloaded):
        store.accept(new_execution())
    store.close()


def test_what_was_put_off_waits_for_its_turn_as_well(store, told):
    ids = accepted(store, WINDOW + 1)
    for each in ids:
        claim = claimed(store, each)
        store.hand_back(claim)
    told.clear()
    due = store.take_scheduled(10)
    assert len(due) == WINDOW
    claimed(store, due[0])
    assert sorted([*due, *ids_of(told)]) == sorted(ids)
    assert store.take_scheduled(10) == []


def test_the_same_request_once_more_is_not_published_again(store):
    new = new_execution()
    assert store.accept(new) == (new.id, True, True)
    assert store.accept(new) == (new.id, False, False)


# --- what puts windows right


def test_where_nobody_publishes_recovery_makes_room(silent):
    ids = accepted(silent, WINDOW + 2)
    silent.cancel(ids[0], b"{}", "")
    assert silent.take_released({}, 10) == [ids[WINDOW]]
    assert silent.take_released({}, 10) == []


def test_what_only_seems_to_be_out_closes_no_window(store, raw, told):
    ids = accepted(store, WINDOW + 1)
    key = f"{names.OUT}:processes\0tenant"
    raw.delete(key)
    raw.sadd(key, *(f"ghost-{each}" for each in range(WINDOW)))
    assert store.take_released({}, 10) == [ids[-1]]
    assert raw.smembers(key) == {ids[-1].encode()}


def test_a_message_that_is_lost_is_noticed(settings, raw, told):
    """It was released, and whoever was to publish it died."""
    store = RedisStore(replace(settings, republish_seconds=0), on_released=told.extend)
    ids = accepted(store, 2)
    claimed(store, ids[0])
    assert ids[1] in until(lambda: store.take_unstarted(10), "the time to publish again")
    store.close()


def test_redelivered_message_may_begin_an_execution_of_a_backlog(store, told):
    ids = accepted(store, WINDOW + 2)
    claimed(store, ids[-1])
    assert ids_of(told) == []
    claimed(store, ids[0])
    assert ids_of(told) == [ids[WINDOW]]


def test_nothing_stays_when_all_is_done(store, raw, told):
    for each in accepted(store, WINDOW + 2):
        finished(store, claimed(store, each, 1))
    store.take_released({PROCESS: 1}, 10)
    keys = [names.OUT, names.BACKLOGS, names.LINES, names.CALLED, names.LEAVING]
    assert [key for each in keys for key in raw.keys(f"{each}*")] == []


# --- max_concurrency


def test_no_more_than_its_max_concurrency_run(store, told):
    ids = accepted(store, 4)
    first, second = (claimed(store, each, 2) for each in ids[:2])
    told.clear()
    assert [store.claim(each, "w", "1", 2) for each in ids[2:]] == [None, None]
    assert [store.get(each).state for each in ids[2:]] == [State.ACCEPTED] * 2
    assert store.overview().queues["processes"].waiting == 2
    assert store.overview().held_back == {PROCESS: 2}
    finished(store, first)
    assert ids_of(told) == [ids[2]]
    finished(store, second)
    assert ids_of(told) == [ids[3]]
    claimed(store, ids[2], 2)
    claimed(store, ids[3], 2)
    assert store.overview().held_back == {}


def test_what_is_refused_makes_room_for_the_next_of_its_tenant(store, told):
    ids = accepted(store, WINDOW + 1)
    other = accepted(store, 1, action="Other")
    claimed(store, ids[0], 1)
    told.clear()
    for each in ids[1:]:
        assert store.claim(each, "w", "1", 1) is None
    assert other[0] in ids_of(told)


def test_a_place_is_kept_for_whoever_is_called(store, told):
    ids = accepted(store, 3, tenant_id="first")
    running = claimed(store, ids[0], 1)
    assert store.claim(ids[1], "w", "1", 1) is None
    finished(store, running)
    assert ids[1] in ids_of(told)
    assert store.claim(ids[2], "w", "1", 1) is None  # not its turn
    finished(store, claimed(store, ids[1], 1))
    assert ids_of(told) == [ids[2]]


def test_the_tenants_of_a_line_take_turns(store, told):
    running = claimed(store, *accepted(store, 1), 1)
    many = accepted(store, 3, tenant_id="many")
    one = accepted(store, 1, tenant_id="one")
    for each in [*many, *one]:
        assert store.claim(each, "w", "1", 1) is None
    told.clear()
    order = []
    for _ in range(4):
        finished(store, running)
        (called,) = ids_of(told)
        order.append(called)
        running = claimed(store, called, 1)
    assert order == [many[0], one[0], many[1], many[2]]


def test_priority_counts_in_a_line_too(store, told):
    running = claimed(store, *accepted(store, 1), 1)
    (low,) = accepted(store, 1)
    (high,) = accepted(store, 1, priority=5)
    for each in (low, high):
        assert store.claim(each, "w", "1", 1) is None
    told.clear()
    finished(store, running)
    assert ids_of(told) == [high]


def test_a_lost_worker_keeps_its_place_until_it_is_taken_over(store, told):
    ids = accepted(store, 2)
    store.release(claimed(store, ids[0], 1))
    assert store.claim(ids[1], "w", "1", 1) is None
    again = claimed(store, ids[0], 1)
    told.clear()
    finished(store, again)
    assert ids_of(told) == [ids[1]]


@pytest.mark.parametrize("how", ["cancel", "time_out"])
def test_what_is_ended_from_outside_keeps_its_place_until_it_runs_no_longer(store, told, how):
    ids = accepted(store, 1, timeout_seconds=0) + accepted(store, 1)
    claim = claimed(store, ids[0], 1)
    assert store.claim(ids[1], "w", "1", 1) is None
    told.clear()
    getattr(store, how)(ids[0], b"{}", "")
    assert ids_of(told) == []
    assert store.claim(ids[1], "w", "1", 1) is None
    store.let_go(claim)
    assert ids_of(told) == [ids[1]]
    claimed(store, ids[1], 1)


def test_its_place_is_free_when_its_lease_would_have_run_out(settings, raw, told):
    store = RedisStore(replace(settings, lease_seconds=1), on_released=told.extend)
    ids = accepted(store, 2)
    claim = claimed(store, ids[0], 1)
    assert store.claim(ids[1], "w", "1", 1) is None
    store.cancel(ids[0], b"{}", "")
    assert store.renew([claim]) == [claim]
    assert store.take_released({PROCESS: 1}, 10) == []
    released = until(lambda: store.take_released({PROCESS: 1}, 10), "the end of the lease", 10)
    assert released == [ids[1]]
    store.close()


def test_its_place_is_free_when_its_process_is_dead(store, told):
    ids = accepted(store, 2)
    claim = claimed(store, ids[0], 1)
    assert store.claim(ids[1], "w", "1", 1) is None
    store.cancel(ids[0], b"{}", "")
    store.release(claim)
    assert store.take_released({PROCESS: 1}, 10) == [ids[1]]


def test_what_was_ended_may_be_run_again_beside_its_old_attempt(store, told):
    (only,) = accepted(store, 1)
    first = claimed(store, only, 2)
    store.cancel(only, b"{}", "")
    store.record_delivery(store.claim_delivery(only), "parked", an_attempt())
    store.restart(only, from_start=True)
    store.take_scheduled(10)
    claimed(store, only, 2)
    other = accepted(store, 1)[0]
    assert store.claim(other, "w", "1", 2) is None  # both places are taken
    told.clear()
    store.let_go(first)
    assert ids_of(told) == [other]


def test_what_is_handed_back_frees_its_place(store, told):
    ids = accepted(store, 2)
    claim = claimed(store, ids[0], 1)
    assert store.claim(ids[1], "w", "1", 1) is None
    told.clear()
    store.hand_back(claim, delay_seconds=60, failed="once more")
    assert ids_of(told) == [ids[1]]


def test_what_a_worker_hands_back_while_it_runs_keeps_its_place(store, told):
    ids = accepted(store, 2)
    claim = claimed(store, ids[0], 1)
    assert store.claim(ids[1], "w", "1", 1) is None
    told.clear()
    store.hand_back(claim, is_running=True)
    assert ids_of(told) == []
    store.let_go(claim)
    assert ids_of(told) == [ids[1]]


def test_what_is_ended_when_it_was_called_passes_its_place_on(store, told):
    ids = accepted(store, 3)
    claim = claimed(store, ids[0], 1)
    for each in ids[1:]:
        assert store.claim(each, "w", "1", 1) is None
    told.clear()
    finished(store, claim)
    assert ids_of(told) == [ids[1]]
    store.cancel(ids[1], b"{}", "")
    assert ids_of(told) == [ids[2]]


def test_what_is_ended_in_a_line_is_not_called(store, told):
    ids = accepted(store, 3)
    claim = claimed(store, ids[0], 1)
    for each in ids[1:]:
        assert store.claim(each, "w", "1", 1) is None
    store.cancel(ids[1], b"{}", "")
    told.clear()
    finished(store, claim)
    assert ids_of(told) == [ids[2]]


@pytest.mark.parametrize(("limit", "called"), [(1, 0), (2, 1), (3, 2), (0, 3)])
def test_a_limit_that_was_raised_or_dropped_counts_at_the_next_look(store, told, limit, called):
    ids = accepted(store, 4)
    claimed(store, ids[0], 1)
    for each in ids[1:]:
        assert store.claim(each, "w", "1", 1) is None
    told.clear()
    assert store.take_released({PROCESS: limit}, 10) == ids[1 : 1 + called]
    assert store.lines() == [PROCESS]


def test_a_place_that_was_kept_for_what_no_longer_waits_is_free(store, raw, told):
    ids = accepted(store, 2)
    claim = claimed(store, ids[0], 1)
    assert store.claim(ids[1], "w", "1", 1) is None
    raw.sadd(f"{names.CALLED}:{PROCESS}", "ghost")
    told.clear()
    finished(store, claim)
    assert ids_of(told) == []
    assert store.take_released({PROCESS: 1}, 10) == [ids[1]]
