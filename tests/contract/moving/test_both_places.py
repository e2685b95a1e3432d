"""What people look for is the same wherever it is: every list, every page, every count."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from atom import names
from atom.history import ExecutionFilter
from atom.records import State
from atom.store import RedisStore, snapshot
from tests.support.executions import new_execution
from tests.support.moving import backdate, move, move_these, settled

DAY = timedelta(days=1)
# A moment in the midst of a day.
NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)

ENDS = [State.COMPLETED, State.COMPLETED, State.FAULTED, State.FAILED, State.CANCELLED]

FILTERS = [
    {},
    {"state": State.COMPLETED},
    {"state": State.ACCEPTED},
    {"state": State.TIMED_OUT},
    {"service": "CRM"},
    {"service": "Nobody's"},
    {"action": "Item.get"},
    {"service": "Shop", "action": "Order"},
    {"service": "Shop", "state": State.FAILED},
    {"tenant_id": "south"},
    {"tenant_id": "south", "state": State.FAULTED},
    {"tenant_id": "north", "service": "CRM"},
    {"tenant_id": "north", "action": "Order", "state": State.COMPLETED},
    {"since": NOON},
    {"until": NOON},
    {"since": NOON - 3 * DAY, "until": NOON},
    {"since": NOON - timedelta(hours=2), "until": NOON + timedelta(hours=2)},
    {"since": NOON - 2 * DAY, "service": "Shop"},
    {"until": NOON - DAY, "tenant_id": "south"},
    {"since": datetime(2026, 5, 4, tzinfo=UTC), "until": datetime(2026, 5, 6, tzinfo=UTC)},
    {"text": "flow-state"},
    {"text": "flow-state-1"},
    {"text": "flow-state-1", "service": "CRM"},
    {"text": "token-7"},
    {"text": "token-7", "tenant_id": "north"},
]


def answers(store):
    """What a store says to all that can be asked."""
    said = {}
    for wanted in FILTERS:
        asked = ExecutionFilter(**wanted)
        page = store.find(5, asked)
        if page.executions:
            assert store.find(5, asked, older_than=page.first) == page
        found = [*page.executions]
        while page.older:
            page = store.find(5, asked, older_than=page.older)
            assert page.problem == ""
            assert len(page.executions) <= 5
            found += page.executions
        said[f"{wanted}"] = (found, store.count_states(asked))
    said["names"] = (store.known_processes(), store.known_tenants())
    return said


@pytest.fixture
def many(store, raw):
    """40 executions of days, some of one moment, most of which have ended."""
    chosen = random.Random(8)
    made = []
    for number in range(40):
        of = {
            "service": chosen.choice(["CRM", "Shop"]),
            "action": chosen.choice(["Item.get", "Order"]),
            "tenant_id": chosen.choice(["north", "south"]),
            "state_id": f"flow-state-{number % 12}",
            "token": f"token-{number}",
        }
        if number % 10 == 0:
            new = new_execution(**of)
            store.accept(new)
            execution_id = new.id
        else:
            execution_id = settled(store, chosen.choice(ENDS), **of)
            made.append(execution_id)
        hours = chosen.choice([0, 1, 7, 24, 25, 49, 72, 100]) * chosen.choice([-1, 1])
        backdate(raw, execution_id, NOON + timedelta(hours=hours))
    return made


@pytest.fixture
def expected(settings, many):
    """What Redis alone says, and that it is no emptiness."""
    alone = RedisStore(settings)
    said = answers(alone)
    alone.close()
    assert sum(bool(found) for found, _ in said.values()) > len(said) * 0.8
    return said


@pytest.mark.parametrize("seed", range(2))
def test_whatever_was_moved_every_answer_is_the_same(store, many, expected, seed):
    chosen = random.Random(seed)
    moved = chosen.sample(many, len(many) // 2)
    copied = chosen.sample([each for each in many if each not in moved], 8)
    assert answers(store) == expected
    assert move_these(store, moved) == len(moved)
    assert answers(store) == expected
    store.copy_settled(copied)
    assert answers(store) == expected
    while move(store, 7):
        pass
    assert answers(store) == expected


def test_what_is_moved_while_somebody_pages_is_neither_left_out_nor_seen_twice(store, many):
    chosen = random.Random(3)
    expected = [each.id for each in store.find(100).executions]
    seen, older = [], ""
    while True:
        page = store.find(4, older_than=older)
        seen += [each.id for each in page.executions]
        older = page.older
        if not older:
            break
        move_these(store, chosen.sample(many, 12))
    assert seen == expected


def test_where_much_is_in_both_places_a_page_says_how_far_it_looked(store, raw, many, monkeypatch):
    """A Redis that was restored from an old copy: with what was moved since."""
    monkeypatch.setattr("atom.store.whole_store._LOOKED_AT", 10)
    dumps = {key: raw.dump(key) for key in raw.scan_iter("atom:*")}
    move_these(store, many)
    raw.flushall()
    for key, dump in dumps.items():
        raw.restore(key, 0, dump)
    alone = [each.id for each in store.find(100, ExecutionFilter(state=State.FAULTED)).executions]
    assert alone
    # In the database they are completed still, and here they are something else.
    for each in many:
        key = names.execution_key(each)
        if raw.hget(key, "state") == b"completed":
            raw.hset(key, "state", "faulted")
    page = store.find(5, ExecutionFilter(state=State.COMPLETED))
    assert page.looked_back_to is not None
    while page.older:
        assert page.executions == []
        page = store.find(5, ExecutionFilter(state=State.COMPLETED), older_than=page.older)
    assert page.executions == []


def test_with_a_new_redis_the_database_still_tells(make_store, raw, many):
    store = make_store()
    move_these(store, many)
    before = {each.id for each in store.find(100).executions} & set(many)
    processes, tenants = store.known_processes(), store.known_tenants()
    raw.flushall()
    again = make_store()
    assert {each.id for each in again.find(100).executions} == before
    assert (again.known_processes(), again.known_tenants()) == (processes, tenants)
    by_service = [again.find(100, ExecutionFilter(service=each)) for each in ("CRM", "Shop")]
    assert sum(len(each.executions) for each in by_service) == len(before)
    assert sum(again.count_states().values()) == len(before)


def test_what_a_database_holds_is_what_redis_held(store, raw, many):
    """To the byte, encrypted or not."""
    one = many[0]
    (exported,) = store._exported([one])
    assert snapshot.read(snapshot.write(exported.parts)) == exported.parts
    move_these(store, [one])
    assert store._sql.whole(one) == exported.parts
    assert list(store._sql.whole(one)) == ["", ":documents", ":steps", ":log"]


def test_who_lacks_the_key_sees_what_can_be_read(make_store, settings, many):
    store = make_store()
    move_these(store, many[:1])
    other = make_store(secret_key=())
    found = other.get(many[0])
    assert found.id == many[0]
    if settings.secret_key:
        assert found.request is None
        assert "ATOM_SECRET_KEY" in found.unreadable
    else:
        assert replace(found, unreadable=None) == store.get(many[0])
    # And can move what it cannot read.
    assert move_these(other, many[1:3]) == 2
    assert store.get(many[1]).request is not None


@pytest.mark.parametrize("state_id", ["state-1", ""], ids=["state", "none"])
def test_copies_are_found_wherever_they_and_their_origin_are(store, raw, state_id):
    of_origin = {"token": "", "state_id": state_id}
    origin = settled(store, state_id=state_id)
    copies = []
    for number in range(3):
        copies.append(settled(store, **of_origin, origin=origin))
        backdate(raw, copies[number], NOON + timedelta(minutes=number))
    settled(store, **of_origin, origin="another")

    def assert_has_its_copies():
        assert [each.id for each in store.copies(store.get(origin))] == copies[::-1]

    assert_has_its_copies()
    move_these(store, copies[:1])
    assert_has_its_copies()
    store.copy_settled(copies[1:2])  # it is in both places now
    assert_has_its_copies()
    move(store)
    assert store.get(origin).state is State.COMPLETED
    assert_has_its_copies()
    store.restart(copies[2], from_start=True)
    assert_has_its_copies()
