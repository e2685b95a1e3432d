"""A process dies before and after each write around the hold of an execution."""

import pytest

from atom.records import State
from atom.suspension import WaitKind
from tests.crash.test_deaths import TICKS
from tests.support.world import points

MISFIT = {"ATOM_SERVICES": "tests.support.misfit_witness"}
HOLDS = {
    **{action: ["claim", "suspend"] for action in ("Work", "Asks", "Cleans")},
    "Maps": ["claim", "open_join", "suspend"],  # the open join shows what the items were
}
# The attempts of fitting code that follow the hold.
RESUMED = {
    "Work": ["claim", "progress", "publish_callback", "record_step", "finish"],
    "Asks": ["claim", "signal_token", "record_step", "finish", "publish_callback"],
    "Maps": ["claim", "open_join", "progress", "publish_callback", "close_join", "finish"],
    "Cleans": ["claim", "record_step", "record_step", "finish"],
}


def interrupted(world, action):
    """Return a flow, its execution, and the id of what code that does not fit is to continue."""
    flow, execution_id = world.accepted(action)
    held_id = execution_id
    if action == "Work":  # its worker is lost after the first step
        world.walk("run", execution_id, 1, "after")
    elif action == "Asks":  # its signal has come
        world.parts.run(execution_id)
        world.store.signal(execution_id, "go", '"done"', None)
    elif action == "Maps":  # its worker is lost while its children are under way
        world.walk("run", execution_id, 4, "before")
    else:
        world.parts.run(execution_id)
        (cleanup,) = world.store.children(execution_id)
        held_id = cleanup.id
        world.drain("callbacks")
    world.raw.delete("processes")
    world.pass_time()
    return flow, execution_id, held_id


def held(world, action):
    """Return the same after the attempt of code that does not fit; children have ended."""
    flow, execution_id, held_id = interrupted(world, action)
    assert world.walk("run", held_id, **MISFIT) == HOLDS[action]
    for child in world.store.children(held_id):
        world.parts.run(child.id)
    assert is_held(world, held_id)
    assert world.store.overview().held == 1
    return flow, execution_id, held_id


def is_held(world, execution_id):
    execution = world.store.get(execution_id)
    is_suspended = execution.state is State.SUSPENDED
    return is_suspended and execution.wait.kind is WaitKind.HELD


def resumed(world, action):
    """Return the same once the message for fitting code is received."""
    flow, execution_id, held_id = held(world, action)
    world.store.resume_held()
    assert world.store.take_suspended(10) == 1
    world.raw.delete("processes", "callbacks", "atom:callbacks:woken")
    return flow, execution_id, held_id


def check(world, flow, execution_id, action, repeated=""):
    """Nothing is held any more, the flow moves once, and recorded steps ran once."""
    world.check_moved_once(flow, execution_id)
    world.settle(lambda: all(child.state.is_final for child in world.store.children(execution_id)))
    world.check_lines(action, repeated)
    assert world.store.overview().held == 0
    world.parts.recovery.tick()
    world.check_keys()
    for found in (world.store.get(execution_id), *world.store.children(execution_id)):
        assert (found.state, found.error) == (State.COMPLETED, None)


@pytest.mark.parametrize(("action", "at", "when"), points(HOLDS))
def test_worker_dies_holding_an_execution(world, action, at, when):
    flow, execution_id, held_id = interrupted(world, action)
    world.walk("run", held_id, at, when, **MISFIT)
    is_suspended = (HOLDS[action][at], when) == ("suspend", "after")
    assert is_held(world, held_id) == is_suspended
    check(world, flow, execution_id, action)


@pytest.mark.parametrize("when", ["before", "after"])
def test_worker_dies_resuming_held_executions_at_its_start(world, when):
    flow, execution_id, held_id = held(world, "Work")
    assert world.walk("start worker", "", 0, when) == ["resume_held"]
    assert is_held(world, held_id)
    assert world.store.take_suspended(10) == (when == "after")
    check(world, flow, execution_id, "Work")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["take_suspended", "publish"])
def test_recovery_dies_resuming_a_held_execution(world, name, when):
    flow, execution_id, _ = held(world, "Work")
    world.store.resume_held()
    world.walk("tick", "", TICKS["suspended"].index(name), when)
    check(world, flow, execution_id, "Work")


def test_worker_that_does_not_fit_either_dies(world):
    """Each look is the same hold; no worker counts as lost by the execution that it could hold."""
    flow, execution_id, held_id = resumed(world, "Work")
    world.walk("run", held_id, 1, "before", **MISFIT)
    world.pass_time()
    assert world.walk("run", held_id, **MISFIT) == HOLDS["Work"]
    check(world, flow, execution_id, "Work")


@pytest.mark.parametrize("action", RESUMED)
def test_writes_of_a_held_execution_that_resumes(world, action):
    _, _, held_id = resumed(world, action)
    assert world.walk("run", held_id) == RESUMED[action]


@pytest.mark.parametrize(("action", "at", "when"), points(RESUMED))
def test_worker_dies_resuming_a_held_execution(world, action, at, when):
    flow, execution_id, held_id = resumed(world, action)
    world.walk("run", held_id, at, when)
    repeated = {("Work", 3): "two", ("Cleans", 1): "c1", ("Cleans", 2): "c2"}
    line = repeated.get((action, at), "") if when == "before" else ""
    check(world, flow, execution_id, action, line)
