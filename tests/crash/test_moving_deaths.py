"""Recovery dies before and after each write of moving: an execution is seen once, and runs once."""

import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from atom.history import ExecutionFilter
from atom.records import State
from tests.support.children import begun
from tests.support.executions import an_attempt, new_execution
from tests.support.moving import RESPONSE, backdate, everything, settled
from tests.support.world import World

MOVING = ["take_settled", "copy_settled", "remove_copied"]
TICK = [
    *("take_due_callbacks", "take_overdue", "take_lost", "take_scheduled", "take_suspended"),
    *("take_released", "take_unstarted"),
    *(*MOVING, "tend_families", "trim", "count"),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def world(embedded_redis, tmp_path, nursery, sandbox, request):
    url = f"sqlite:///{tmp_path / 'history.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url
    world = World(embedded_redis.url, tmp_path, nursery, sandbox, history_url=url)
    yield world
    world.close()


@pytest.fixture
def ended(world):
    """An execution whose flow has moved on, days ago."""
    flow, execution_id = world.accepted("Work")
    world.check(flow, "Work")
    backdate(world.raw, execution_id, datetime.now(UTC) - timedelta(days=2))
    return flow, execution_id


def is_in_redis(world, execution_id):
    return bool(world.raw.exists(f"atom:execution:{execution_id}"))


def settled_with_children(store, **changes):
    parent = new_execution(**changes)
    store.accept(parent)
    claim = store.claim(parent.id, "w", "1")
    for child in begun(store, claim, 3):
        store.finish(store.claim(child, "w", "1"), State.COMPLETED, b'{"result":1}', "")
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    store.record_delivery(store.claim_delivery(parent.id), "delivered", an_attempt())
    return parent.id


def all_children(world):
    found = world.store.find(200).executions
    return [child for each in found for child in world.store.children(each.id)]


def check_is_whole(world, execution_id, before):
    assert everything(world.store, execution_id) == before
    for wanted in ({}, {"state": State.COMPLETED}, {"service": "Witness"}):
        found = world.store.find(10, ExecutionFilter(**wanted)).executions
        assert [each.id for each in found] == [execution_id]
    assert world.store.count_states()[State.COMPLETED] == 1


def test_these_are_the_writes_of_moving(world, ended):
    assert world.walk("tick", "") == TICK
    assert not is_in_redis(world, ended[1])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", [*MOVING, "trim"])
def test_recovery_dies_moving(world, ended, name, when):
    flow, execution_id = ended
    before = everything(world.store, execution_id)
    world.walk("tick", "", TICK.index(name), when)
    is_moved = name == "trim" or (name, when) == ("remove_copied", "after")
    assert is_in_redis(world, execution_id) != is_moved
    check_is_whole(world, execution_id, before)
    for _ in range(3):
        world.parts.recovery.tick()
    assert not is_in_redis(world, execution_id)
    check_is_whole(world, execution_id, before)
    # Its request comes again, and is not run again.
    (call,) = flow.calls.values()
    world.platform.ask(flow, call)
    world.drain()
    world.check_lines("Work", "")
    check_is_whole(world, execution_id, before)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["copy_settled", "remove_copied"])
def test_one_is_run_once_more_after_recovery_died_moving_it(world, ended, name, when):
    _, execution_id = ended
    world.walk("tick", "", TICK.index(name), when)
    world.store.restart(execution_id, from_start=True)
    assert is_in_redis(world, execution_id)
    world.settle(lambda: world.store.get(execution_id).state is State.COMPLETED)
    assert sorted(world.file.read_text().split()) == ["one", "one", "two", "two"]
    check_is_whole(world, execution_id, everything(world.store, execution_id))


def test_killed_again_and_again_it_loses_none(world):
    """At no write in particular: many are moved in one look, some of them in one transaction."""
    long_ago = datetime.now(UTC) - timedelta(days=2)
    for number in range(150):
        with_children = settled_with_children if number % 10 == 0 else settled
        execution_id = with_children(world.parts.bare_store, state_id=f"state-{number}")
        backdate(world.raw, execution_id, long_ago + timedelta(seconds=number))
    before, children = world.store.find(200).executions, all_children(world)
    assert len(children) == 15 * 3
    chosen = random.Random(8)
    for _ in range(12):
        child = world.start("tick", "")
        time.sleep(chosen.uniform(0, 0.6))
        child.end()
        assert world.store.find(200).executions == before
        assert all_children(world) == children
        assert world.store.count_states()[State.COMPLETED] == 150
    while world.raw.zcard("atom:history"):
        world.parts.recovery.tick()
    assert world.store.find(200).executions == before
    assert all_children(world) == children
    assert not any(is_in_redis(world, each.id) for each in children)
    assert world.store.count_states()[State.COMPLETED] == 150
    assert not world.raw.exists("atom:history:in-both")
