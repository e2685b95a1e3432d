"""A process dies before and after every write around a cleanup."""

import pytest

from atom.records import State
from tests.support.world import points

END = {
    "Cleans": ["claim", "record_step", "finish", "publish", "publish_callback"],
    "Cleans after a no": ["claim", "finish", "publish", "publish_callback"],
}
CLEANUP = ["claim", "record_step", "record_step", "finish"]
CANCEL = ["cancel"]
RESTART = ["restart"]


def cleanups(world, execution_id):
    return [child for child in world.store.children(execution_id) if child.ending]


def ended(world, action="Cleans"):
    """Return a flow whose execution has ended, and the id of its cleanup, which waits."""
    flow, execution_id = world.accepted(action)
    world.parts.run(execution_id)
    world.raw.delete("processes", "callbacks", "atom:callbacks:woken")
    (cleanup,) = cleanups(world, execution_id)
    return flow, execution_id, cleanup.id


def check(world, flow, action, repeated=""):
    """The flow moves once, one cleanup completes, and recorded steps run once."""
    (execution,) = world.store.find(10).executions
    world.settle(
        lambda: [child.state for child in cleanups(world, execution.id)] == [State.COMPLETED]
    )
    world.check(flow, action, repeated)


@pytest.mark.parametrize("action", END)
def test_writes_of_an_execution_with_a_cleanup(world, action):
    _, execution_id = world.accepted(action)
    assert world.walk("run", execution_id) == END[action]


@pytest.mark.parametrize(("action", "at", "when"), points(END))
def test_worker_dies_at_the_end_of_an_execution(world, action, at, when):
    flow, execution_id = world.accepted(action)
    world.walk("run", execution_id, at, when)
    is_repeated = (action, at, when) == ("Cleans", 1, "before")
    check(world, flow, action, "one" if is_repeated else "")


def test_writes_of_a_cleanup(world):
    _, _, cleanup_id = ended(world)
    assert world.walk("run", cleanup_id) == CLEANUP


@pytest.mark.parametrize(("path", "at", "when"), points({"run": CLEANUP}))
def test_worker_dies_in_a_cleanup(world, path, at, when):
    flow, _, cleanup_id = ended(world)
    world.walk(path, cleanup_id, at, when)
    check(world, flow, "Cleans", {(1, "before"): "c1", (2, "before"): "c2"}.get((at, when), ""))


@pytest.mark.parametrize(("path", "at", "when"), points({"cancel": CANCEL}))
def test_operator_dies_while_an_execution_is_cancelled(world, path, at, when):
    """Either it was not cancelled and completes, or its cleanup is stored with its end."""
    flow, execution_id = world.accepted("Cleans")
    claim = world.store.claim(execution_id, "w", "1", has_cleanup=True)
    world.walk(path, execution_id, at, when)
    if when == "before":
        world.store.release(claim)
        check(world, flow, "Cleans")
        return
    world.settle(
        lambda: [child.state for child in cleanups(world, execution_id)] == [State.COMPLETED]
    )
    assert world.file.read_text().split() == ["c1", "c2"]


@pytest.mark.parametrize(("path", "at", "when"), points({"restart": RESTART}))
def test_operator_dies_while_an_execution_with_a_pending_cleanup_is_retried(world, path, at, when):
    _, execution_id = world.accepted("Cleans after a no")
    world.parts.run(execution_id)
    world.raw.delete("processes")
    (cleanup,) = cleanups(world, execution_id)
    world.drain()  # the callback
    world.walk(path, execution_id, at, when)
    states = [child.state for child in cleanups(world, execution_id)]
    assert states == [State.ACCEPTED if when == "before" else State.CANCELLED]
    assert world.store.get(execution_id).state.is_final == (when == "before")
    world.settle(lambda: world.store.get(execution_id).state.is_final)
    world.settle(lambda: cleanups(world, execution_id)[-1].state is State.COMPLETED)
    assert world.file.read_text().split() == ["c1", "c2"]
    assert len(cleanups(world, execution_id)) == (1 if when == "before" else 2)
    assert world.store.get(cleanup.id).state.is_final
