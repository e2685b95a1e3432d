"""A process dies before and after each write by which it makes room for another execution."""

import pytest

from atom.execution.ending import cancel
from atom.records import CallbackState, State
from tests.support.executions import new_execution
from tests.support.waiting import until
from tests.support.world import points

TENANT = "7e34df39-94d8-4b09-94a1-1f2d0f4b8d4b"

# Of one tenant: whoever begins the first execution releases the second.
WORK = [
    *("claim", "publish", "record_step", "progress", "publish_callback"),
    *("record_step", "finish"),
]
# Of a process that runs one at a time: whoever ends the first one calls the second.
ONE_AT_A_TIME = ["claim", "record_step", "finish", "publish", "publish_callback"]
RUNS = {"Work": WORK, "One at a time": ONE_AT_A_TIME}
# Where nobody could say that there is room.
TICK = [
    *("take_due_callbacks", "take_overdue", "take_lost", "take_scheduled"),
    *("take_suspended", "take_released", "publish", "take_unstarted", "take_settled"),
    *("tend_families", "trim", "count"),
]
LINES = {"Work": ["one", "two"], "One at a time": ["one"]}


def two_waiting(world, action):
    """Two flows of a tenant, and their executions: one has had its message, one waits."""
    flows = []
    for _ in range(2):
        flow, call = world.flow(action)
        flow.tenant_id = call.request["tenantId"] = TENANT
        assert world.platform.ask(flow, call)
        flows.append(flow)
    # The answer comes before the message does.
    until(lambda: world.raw.delete("processes"), "the message")
    found = sorted(world.store.find(10).executions, key=lambda each: each.accepted_at)
    return flows, [each.id for each in found]


def at_its_limit(world):
    """The same of a process whose only place is taken; and who has it."""
    flows, ids = two_waiting(world, "One at a time")
    other = new_execution(
        service="Witness",
        action="One at a time",
        tenant_id=TENANT,
        token="",
        callback_uri="",
        sync_timeout_seconds=600,
        is_synchronous=True,
    )
    world.store.accept(other)
    holder = world.store.claim(other.id, "w", "1", 1)
    for each in ids:
        assert world.parts.run(each) == "nothing to do"
    assert world.store.overview().held_back == {"Witness.One at a time": 2}
    return flows, ids, holder


def prepared(world, action):
    if action == "Work":
        return two_waiting(world, action)
    flows, ids, holder = at_its_limit(world)
    world.raw.delete("processes")
    world.store.finish(holder, State.COMPLETED, b"{}", "")
    assert world.raw.delete("processes")  # the first one was called
    return flows, ids


def check(world, flows, action, repeated=""):
    """Each flow moves once, each recorded step ran once, and nothing stays."""
    ids = [each.id for each in world.store.find(10).executions if each.callback_uri]
    delivered = CallbackState.DELIVERED

    def is_over():
        return all(world.store.get(each).callback_state is delivered for each in ids)

    world.settle(is_over)
    for flow in flows:
        assert [call.moves for call in flow.calls.values()] == [1]
    expected = [*LINES[action] * len(flows), *([repeated] if repeated else [])]
    assert sorted(world.file.read_text().split()) == sorted(expected)
    world.pass_time()
    world.parts.recovery.tick()
    world.check_keys()


@pytest.mark.parametrize("action", RUNS)
def test_these_are_the_writes_of_a_run_that_releases_another(world, action):
    _, ids = prepared(world, action)
    assert world.walk("run", ids[0]) == RUNS[action]


@pytest.mark.parametrize(("action", "at", "when"), points(RUNS))
def test_a_worker_dies_that_releases_another(world, action, at, when):
    flows, ids = prepared(world, action)
    world.walk("run", ids[0], at, when)
    is_unrecorded = (RUNS[action][at], when) == ("record_step", "before")
    line = LINES[action][RUNS[action][:at].count("record_step")] if is_unrecorded else ""
    check(world, flows, action, line)


def freed_by_nobody(world):
    """The place is free, since what had it was cancelled and its worker is gone."""
    flows, ids, holder = at_its_limit(world)
    cancel(world.parts.catalog, world.store, holder.id)
    world.store.release(holder)
    world.raw.delete("processes")
    return flows, ids


def test_these_are_the_writes_of_a_tick_that_releases(world):
    freed_by_nobody(world)
    assert world.walk("tick", "") == TICK


@pytest.mark.parametrize(("action", "at", "when"), points({"One at a time": TICK}))
def test_recovery_dies_that_releases(world, action, at, when):
    flows, _ = freed_by_nobody(world)
    world.walk("tick", "", at, when)
    check(world, flows, action)
