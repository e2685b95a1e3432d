"""What people look for: the newest of what they choose, page by page, at a cost that is bounded."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import pytest

from atom import names
from atom.history import EVERYTHING, ExecutionFilter
from atom.records import CallbackState, RunEnd, State, Step, StepKind
from atom.store import RedisStore
from tests.support.executions import an_attempt, new_execution
from tests.support.waiting import until


def accept(store, **changes):
    new = new_execution(**changes)
    store.accept(new)
    return new.id


def run(store, execution_id, state=State.COMPLETED):
    claim = store.claim(execution_id, "w", "1")
    if state is not State.RUNNING:
        store.finish(claim, state, b'{"invokeType":"FORWARD"}', "")
    return execution_id


def found(store, limit=100, **wanted):
    return [each.id for each in store.find(limit, ExecutionFilter(**wanted)).executions]


def pages(store, limit, **wanted):
    """All of it, page by page."""
    asked, older, seen = ExecutionFilter(**wanted), "", []
    while True:
        page = store.find(limit, asked, older_than=older)
        assert len(page.executions) <= limit
        seen += [each.id for each in page.executions]
        older = page.older
        if not older:
            return seen


@pytest.fixture
def many(store):
    """24 executions of two services with two actions each, for two tenants, in four states."""
    states = (State.ACCEPTED, State.RUNNING, State.COMPLETED, State.FAILED)
    ids = []
    for number in range(24):
        made = accept(
            store,
            service="CRM" if number % 2 else "Shop",
            action="Item.get" if number % 3 else "Order",
            tenant_id="north" if number % 5 else "south",
        )
        state = states[number % 4]
        ids.append(made if state is State.ACCEPTED else run(store, made, state))
    return ids


def test_the_newest_come_first(store, many):
    assert sorted(found(store)) == sorted(many)
    moments = [each.accepted_at for each in store.find(100).executions]
    assert moments == sorted(moments, reverse=True)
    assert len(found(store, 5)) == 5


def test_a_page_can_be_had_again_whatever_came_since(store, many):
    asked = ExecutionFilter(service="CRM")
    page = store.find(5, asked)
    for _ in range(3):
        accept(store, service="CRM")
    again = store.find(5, asked, older_than=page.first)
    assert again == page
    assert store.find(5, asked) != page
    assert store.find(5, ExecutionFilter(service="Nobody's")).first == ""


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"state": State.ACCEPTED},
        {"state": State.RUNNING},
        {"state": State.COMPLETED},
        {"state": State.FAULTED},
        {"service": "CRM"},
        {"service": "CRM", "action": "Order"},
        {"action": "Item.get"},
        {"tenant_id": "south"},
        {"tenant_id": "nobody"},
        {"service": "CRM", "state": State.FAILED},
        {"tenant_id": "north", "state": State.FAILED},
        {"tenant_id": "south", "service": "CRM"},
        {"tenant_id": "south", "action": "Order", "state": State.FAILED},
    ],
    ids=str,
)
def test_every_choice_finds_all_of_it_and_nothing_else(store, many, wanted):
    asked = ExecutionFilter(**wanted)
    expected = [each.id for each in store.find(100).executions if asked.matches(each)]
    assert expected or wanted in ({"state": State.FAULTED}, {"tenant_id": "nobody"})
    assert found(store, **wanted) == expected
    for limit in (1, 3, len(expected) or 1):
        assert pages(store, limit, **wanted) == expected


@pytest.mark.parametrize("wanted", [{}, {"service": "CRM"}, {"tenant_id": "south"}], ids=str)
def test_states_are_counted_for_what_is_chosen(store, many, wanted):
    for asked in (ExecutionFilter(**wanted), ExecutionFilter(**wanted, state=State.FAILED)):
        whole = store.find(100, ExecutionFilter(**wanted)).executions
        expected = {state: sum(each.state is state for each in whole) for state in State}
        assert store.count_states(asked) == expected


def test_what_only_reading_would_tell_is_not_counted(store, many):
    assert store.count_states(ExecutionFilter(tenant_id="south", service="CRM")) is None
    assert store.count_states(ExecutionFilter(text=many[0])) is None


def test_a_time_is_chosen_by_when_it_was_accepted(store, many):
    middle = sorted(each.accepted_at for each in store.find(100).executions)[12]
    for chosen in ({"since": middle}, {"until": middle}):
        for more in ({}, {"state": State.FAILED}, {"tenant_id": "north", "service": "CRM"}):
            asked = ExecutionFilter(**chosen, **more)
            expected = [each.id for each in store.find(100).executions if asked.matches(each)]
            assert pages(store, 2, **chosen, **more) == expected
    later = datetime.now(UTC) + timedelta(hours=1)
    assert found(store, since=later) == []
    counts = store.count_states(ExecutionFilter(until=middle))
    assert sum(counts.values()) == len(found(store, until=middle))


def test_many_of_one_moment_are_paged_through(store, raw):
    """Machines accept more than one in a millisecond, and clocks stand still at times."""
    ids = sorted(accept(store, state_id=f"s{number}") for number in range(30))
    moment = 1_700_000_000_000
    for each in ids:
        raw.hset(names.execution_key(each), "accepted_at", moment)
        raw.zadd(names.HISTORY, {each: moment})
        raw.zadd(names.process_history_key("CRM.Retrieve", "accepted"), {each: moment})
    assert pages(store, 4) == pages(store, 7, service="CRM") == ids[::-1]


def test_an_older_page_of_nonsense_is_the_first_one(store, many):
    for nonsense in ("", "unknown", "-", "12", "x-y", "-5-a"):
        assert store.find(3, older_than=nonsense) == store.find(3)


def test_it_is_found_by_what_a_person_has_in_hand(store):
    one = accept(store, state_id="flow-state-one", token="canary-token-1")
    two = accept(store, state_id="flow-state-two", token="canary-token-2", service="Shop")
    same = accept(store, state_id="flow-state-one", token="canary-token-3")
    assert found(store, text=one) == [one]
    assert set(found(store, text="flow-state-one")) == {one, same}
    assert set(found(store, text="flow-state")) == {one, two, same}
    assert found(store, text="canary-token-2") == [two]
    assert found(store, text="canary-token") == []
    assert found(store, text="flo") == []
    assert found(store, text="flow-state", service="Shop") == [two]
    assert found(store, text="canary-token-2", service="CRM") == []
    assert found(store, text="nothing of it") == []
    assert sorted(pages(store, 1, text="flow-state")) == sorted([one, two, same])


def test_where_no_index_has_it_a_page_says_how_far_it_looked(store, monkeypatch):
    monkeypatch.setattr("atom.store.redis_history._LOOKED_AT", 10)
    monkeypatch.setattr("atom.store.redis_history._AT_ONCE", 5)
    rare = accept(store, tenant_id="south", service="CRM")
    for _ in range(25):
        accept(store, tenant_id="north", service="CRM")
        accept(store, tenant_id="south", service="Shop")
    asked = ExecutionFilter(tenant_id="south", service="CRM")
    page = store.find(3, asked)
    assert (page.executions, bool(page.older)) == ([], True)
    assert page.looked_back_to is not None
    assert pages(store, 3, tenant_id="south", service="CRM") == [rare]


def test_the_history_knows_its_processes_and_tenants(store, many):
    assert store.known_processes() == ["CRM.Item.get", "CRM.Order", "Shop.Item.get", "Shop.Order"]
    assert store.known_tenants() == ["north", "south"]


def test_an_execution_is_found_in_the_state_that_it_is_in(store):
    """Through every change that there is."""
    execution_id = accept(store)

    def assert_is(state):
        assert store.get(execution_id).state is state
        for each in State:
            expected = [execution_id] if each is state else []
            assert found(store, state=each) == expected
            assert found(store, state=each, tenant_id="tenant") == expected
            assert found(store, state=each, service="CRM") == expected
        assert sum(store.count_states().values()) == 1

    assert_is(State.ACCEPTED)
    claim = store.claim(execution_id, "w", "1")
    assert_is(State.RUNNING)
    store.hand_back(claim)
    assert_is(State.ACCEPTED)
    claim = store.claim(execution_id, "w", "1")
    store.finish(claim, State.FAILED, b"{}", "")
    assert_is(State.FAILED)
    store.record_delivery(store.claim_delivery(execution_id), "parked", an_attempt())
    store.restart(execution_id, from_start=True)
    assert_is(State.ACCEPTED)
    store.cancel(execution_id, b"{}", "")
    assert_is(State.CANCELLED)


def test_withdrawn_requests_are_in_the_history(store):
    execution_id = accept(store, is_synchronous=True, sync_timeout_seconds=1)
    assert store.give_up(execution_id) is True
    assert found(store, state=State.CANCELLED) == [execution_id]


def test_the_history_forgets_what_has_expired(settings, raw):
    store = RedisStore(replace(settings, retention_days=0.0000001))
    kept, gone = accept(store, state_id="kept"), run(store, accept(store), State.FAILED)
    store.record_delivery(store.claim_delivery(gone), "delivered", an_attempt())
    until(lambda: store.trim(100), "the retention to be over", 5)
    assert found(store) == found(store, tenant_id="tenant") == found(store, service="CRM") == [kept]
    assert raw.zrange(names.FLOW_STATES, 0, -1) == [f"kept {kept}".encode()]
    assert raw.zcard(names.FAILED) == 0
    assert store.get(gone) is None
    # All but that it was there: its request may come again.
    assert raw.keys(f"{names.execution_key(gone)}*") == [
        f"{names.execution_key(gone)}:known".encode()
    ]
    store.close()


def test_what_redis_has_forgotten_by_itself_is_taken_out_of_the_indexes(store, raw):
    kept, gone = accept(store), accept(store)
    raw.delete(names.execution_key(gone))
    assert found(store) == found(store, tenant_id="tenant") == found(store, service="CRM") == [kept]
    assert sum(store.count_states(ExecutionFilter(service="CRM")).values()) == 1
    assert sum(store.count_states(ExecutionFilter(tenant_id="tenant")).values()) == 1


# --- what happened lately


def test_each_minute_counts_what_happened_in_it(store, many):
    minutes = store.minutes(3)
    assert [later.at - each.at for each, later in pairwise(minutes)] == [timedelta(minutes=1)] * 2
    total = {}
    for each in minutes:
        for what, times in each.counts.items():
            total[what] = total.get(what, 0) + times
    assert total == {"accepted": 24, "completed": 6, "failed": 6}


def test_a_minute_is_forgotten_after_two_hours(store, raw):
    accept(store)
    (key,) = raw.keys(f"{names.MINUTES}:*")
    assert 7100 < raw.ttl(key) <= 7200


# --- what waits for a person


FLOW_STATE_IDS = map("flow-state-{}".format, count())


def parked(store, state=State.COMPLETED):
    execution_id = run(store, accept(store, state_id=next(FLOW_STATE_IDS)), state)
    store.record_delivery(store.claim_delivery(execution_id), "parked", an_attempt("404"))
    return execution_id


def test_what_failed_waits_for_a_person(store):
    failed = []
    for _ in range(2):
        failed.append(run(store, accept(store), State.FAILED))
        time.sleep(0.002)  # they stand in the order of milliseconds
    run(store, accept(store), State.FAULTED)
    run(store, accept(store), State.COMPLETED)
    assert [each.id for each in store.failed(10)] == failed[::-1]
    assert [each.id for each in store.failed(1)] == failed[1:]
    assert store.overview().failed == 2
    assert store.dismiss(failed[0])
    assert not store.dismiss(failed[0])
    assert [each.id for each in store.failed(10)] == failed[1:]
    assert store.get(failed[0]).state is State.FAILED  # and in the history still
    assert store.overview().failed == 1


def test_what_timed_out_waits_for_a_person(settings, store):
    execution_id = accept(store, timeout_seconds=0.001)
    until(lambda: store.time_out(execution_id, b"{}", ""), "the deadline", 5)
    assert [each.id for each in store.failed(10)] == [execution_id]


def test_what_is_run_once_more_waits_for_nobody(store):
    execution_id = parked(store, State.FAILED)
    store.restart(execution_id, from_start=True)
    assert store.failed(10) == []
    assert store.overview().parked == 0


def test_a_dismissed_callback_is_not_sent_again(store, raw):
    execution_id = parked(store)
    assert store.dismiss(execution_id)
    assert store.get(execution_id).callback_state is CallbackState.DISMISSED
    assert store.parked(10) == []
    assert not store.replay(execution_id).is_due
    assert store.claim_delivery(execution_id) is None
    documents = raw.hkeys(names.documents_key(execution_id))
    assert sorted(documents) == [b"callback_attempts", b"request", b"response"]
    assert raw.ttl(names.execution_key(execution_id)) > 0


def test_nothing_else_can_be_dismissed(store):
    for each in ("unknown", accept(store), run(store, accept(store))):
        before = store.get(each)
        assert not store.dismiss(each)
        assert store.get(each) == before


# --- how it went


def test_every_attempt_is_kept(store):
    execution_id = accept(store)
    assert store.get(execution_id).runs == ()
    first = store.claim(execution_id, "a", "1")
    (run_,) = store.get(execution_id).runs
    assert (run_.worker, run_.ended_at, run_.end) == ("a", None, None)
    store.release(first)
    second = store.claim(execution_id, "b", "1")
    store.hand_back(second)
    store.hand_back(store.claim(execution_id, "c", "1"), failed="ValueError")
    assert len(store.get(execution_id).runs) == 3
    last = store.claim(execution_id, "d", "1")
    assert [each.ended_at is None for each in store.get(execution_id).runs] == [False] * 3 + [True]
    store.finish(last, State.FAULTED, b"{}", "")
    runs = store.get(execution_id).runs
    assert [(each.worker, each.end) for each in runs] == [
        ("a", RunEnd.LOST),
        ("b", RunEnd.HANDED_BACK),
        ("c", RunEnd.TRIED_AGAIN),
        ("d", RunEnd.FAULTED),
    ]
    assert all(each.started_at <= each.ended_at for each in runs[1:])
    store.record_delivery(store.claim_delivery(execution_id), "delivered", an_attempt())
    store.restart(execution_id, from_start=True)
    assert store.get(execution_id).runs == runs
    store.cancel(execution_id, b"{}", "")
    assert store.get(execution_id).runs == runs  # no attempt of it was begun
    store.restart(execution_id, from_start=True)
    store.finish(store.claim(execution_id, "e", "1"), State.COMPLETED, b"{}", "")
    assert [each.worker for each in store.get(execution_id).runs] == ["a", "b", "c", "d", "e"]


def test_of_many_attempts_the_latest_are_kept(store):
    execution_id = accept(store)
    for number in range(25):
        store.hand_back(store.claim(execution_id, f"w{number}", "1"))
    assert [each.worker for each in store.get(execution_id).runs] == [
        f"w{number}" for number in range(5, 25)
    ]


def test_a_step_says_when_it_ended_and_how_long_it_took(store):
    claim = store.claim(accept(store), "w", "1")
    at = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    steps = {
        1: Step("one", "1", StepKind.RESULT, at, 1234),
        2: Step("two", '"x"', StepKind.FAILURE, at, 0),
        3: Step("three", "null"),
    }
    for position, step in steps.items():
        store.record_step(claim, position, step)
    assert store.steps(claim) == steps
    shown = store.get(claim.id).steps
    assert [(each.ended_at, each.milliseconds) for each in shown] == [
        (at, 1234),
        (at, 0),
        (None, None),
    ]


def test_everything_is_wanted_by_default():
    assert ExecutionFilter() == EVERYTHING
