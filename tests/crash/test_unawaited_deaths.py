"""A process dies before and after each write of what no flow waits for: nothing is lost or told."""

import pytest

from atom.records import CallbackState, State
from tests.crash.test_deaths import points
from tests.support.dying import starter

STARTS = ["accept", "publish"]
UNAWAITED = ["claim", "record_step", "progress", "record_step", "finish"]
# The step whose body ran, but whose record was not written.
REPEATED = {(1, "before"): "one", (3, "before"): "two"}


def check(world, repeated=""):
    """It completed, and nobody was told."""
    world.settle(lambda: all(each.state.is_final for each in world.store.find(10).executions))
    (found,) = world.store.find(10).executions
    assert (found.state, found.callback_state) == (State.COMPLETED, CallbackState.NONE)
    world.check_lines("Work", repeated)
    world.check_keys()


def test_these_are_the_writes_of_what_no_flow_waits_for(world):
    assert world.walk("start", str(world.file)) == STARTS
    (found,) = world.store.find(10).executions
    assert world.walk("run", found.id) == UNAWAITED
    check(world)


@pytest.mark.parametrize(("path", "at", "when"), points({"start": STARTS}))
def test_who_starts_an_execution_dies(world, path, at, when):
    """It runs, or it was never accepted."""
    world.walk(path, str(world.file), at, when)
    if (at, when) == (0, "before"):
        assert world.store.find(10).executions == []
    else:
        check(world)


@pytest.mark.parametrize(("path", "at", "when"), points({"run": UNAWAITED}))
def test_a_worker_dies_over_what_no_flow_waits_for(world, path, at, when):
    inputs = {"File": str(world.file)}
    execution_id = starter(world.parts).start("Witness.Work", "tenant", inputs, {})
    world.raw.delete("processes")
    world.walk(path, execution_id, at, when)
    check(world, REPEATED.get((at, when), ""))
