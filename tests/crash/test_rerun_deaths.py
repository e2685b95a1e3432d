"""A process dies before and after each write of a retry or a copy that an operator asks for."""

import json

import pytest

from atom.records import CallbackState, Secrets, State
from atom.store.encryption import new_key
from tests.crash.test_deaths import TICKS
from tests.support.executions import an_attempt
from tests.support.redis_content import content_of
from tests.support.witness import PASSWORD
from tests.support.world import World, points

# The lines of the first attempt, and then those of the steps that each retry runs again.
FIRST = ["one", "two", "failed"]
AGAIN = {
    "--from-start": ["one", "two", ""],
    "--from-step=two": ["two", ""],
    "--from-failed-step": [""],
}
RETRIES = {
    option: ["claim", *["record_step"] * len(lines), "finish", "publish_callback"]
    for option, lines in AGAIN.items()
}
MAP_FIRST = ["one", "p0", "p1", "failed"]
MAP_RETRY = ["claim", "open_join", "adopt", "spawn", "suspend"]


@pytest.fixture
def world(embedded_redis, tmp_path, nursery, sandbox):
    """A world with a key, which retries and copies of requests with passwords need."""
    world = World(embedded_redis.url, tmp_path, nursery, sandbox, secret_key=(new_key(),))
    yield world
    assert PASSWORD.encode() not in content_of(world.raw)
    world.close()


def command(execution_id, *options):
    """Return the words of a command that runs an execution again."""
    return json.dumps(["executions", "retry", execution_id, *options])


def failed(world, action="Fails once"):
    """Return a flow that still waits, and its execution, whose callback with a fault is parked."""
    inputs = {"Password": PASSWORD} if action == "Fails once" else {}
    flow, execution_id = world.accepted(action, **inputs)
    world.parts.run(execution_id)
    world.drain("processes")
    assert world.store.get(execution_id).state is State.FAULTED
    world.raw.delete("callbacks", "atom:callbacks:woken")
    delivery = world.store.claim_delivery(execution_id)
    world.store.record_delivery(delivery, "parked", an_attempt("NOT_ALLOWED"))
    return flow, execution_id


def retried(world, option, action="Fails once"):
    """Return a flow and its execution, of which an operator wants a retry."""
    flow, execution_id = failed(world, action)
    assert world.walk("command", command(execution_id, option)) == ["restart"]
    return flow, execution_id


def published(world, option, action="Fails once"):
    """Return a flow and its retried execution, whose message a worker has received."""
    flow, execution_id = retried(world, option, action)
    assert world.parts.recovery.publish_scheduled() == 1
    world.raw.delete("processes")
    return flow, execution_id


def check(world, flow, execution_id, lines):
    """The flow moves once, with the outcome of the retry, and recorded steps ran once."""
    world.check_moved_once(flow, execution_id)
    world.check_bodies(lines)
    world.check_keys()


# --- a retry


@pytest.mark.parametrize(
    ("option", "at", "when"), points({option: ["restart"] for option in AGAIN})
)
def test_operator_dies_over_a_retry(world, option, at, when):
    flow, execution_id = failed(world)
    world.walk("command", command(execution_id, option), at, when)
    has_restarted = when == "after"
    assert world.store.get(execution_id).state.is_final != has_restarted
    assert len(world.store.parked(10)) == (not has_restarted)
    if not has_restarted:
        world.walk("command", command(execution_id, option))
    check(world, flow, execution_id, FIRST + AGAIN[option])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["take_scheduled", "publish"])
def test_recovery_dies_publishing_a_retry(world, name, when):
    flow, execution_id = retried(world, "--from-step=two")
    world.walk("tick", "", TICKS["scheduled"].index(name), when)
    check(world, flow, execution_id, FIRST + AGAIN["--from-step=two"])


@pytest.mark.parametrize("option", RETRIES)
def test_writes_of_a_retried_execution(world, option):
    _, execution_id = published(world, option)
    assert world.walk("run", execution_id) == RETRIES[option]


@pytest.mark.parametrize(("option", "at", "when"), points(RETRIES))
def test_worker_dies_running_a_retry(world, option, at, when):
    flow, execution_id = published(world, option)
    world.walk("run", execution_id, at, when)
    again = AGAIN[option]
    is_unrecorded = (RETRIES[option][at], when) == ("record_step", "before")
    check(world, flow, execution_id, FIRST + again + ([again[at - 1]] if is_unrecorded else []))


def test_writes_of_a_retried_map(world):
    _, execution_id = published(world, "--from-failed-step", "Maps and fails once")
    assert world.walk("run scripts", execution_id) == MAP_RETRY


@pytest.mark.parametrize(("option", "at", "when"), points({"--from-failed-step": MAP_RETRY}))
def test_worker_dies_taking_over_the_children_of_a_failed_map(world, option, at, when):
    flow, execution_id = published(world, option, "Maps and fails once")
    world.walk("run scripts", execution_id, at, when)
    check(world, flow, execution_id, [*MAP_FIRST, "p1"])


# --- a copy

COPY_LINES = ["one", "two", ""]  # the check, which failed once, leaves no line any more
COPY_RUN = ["claim", *["record_step"] * len(COPY_LINES), "finish"]


def copies(world):
    return [each for each in world.store.find(10).executions if each.origin]


def copied(world):
    """Return a flow, its failed execution, and the id of the copy that an operator has made."""
    flow, execution_id = failed(world)
    assert world.walk("command", command(execution_id, "--as-copy")) == ["accept"]
    (copy,) = copies(world)
    assert copy.origin == execution_id
    return flow, execution_id, copy.id


def check_copy(world, flow, execution_id, repeated=""):
    """One copy has completed with the password of the request, and no flow has moved."""
    world.settle(lambda: [each.state for each in copies(world)] == [State.COMPLETED])
    (copy,) = (world.store.get(each.id) for each in copies(world))
    assert copy.callback_state is CallbackState.NONE
    (output,) = copy.response["outputs"]
    assert output["contentValue"] == "done"
    assert copy.secrets is Secrets.DELETED_WHEN_COMPLETED
    assert flow.events_of("resumed") == []
    world.check_bodies([*FIRST, *COPY_LINES, repeated])
    # The execution itself is as it was, until the operator dismisses it.
    origin = world.store.get(execution_id)
    assert (origin.state, origin.callback_state) == (State.FAULTED, CallbackState.PARKED)
    assert origin.secrets is Secrets.KEPT
    world.store.dismiss(execution_id)
    world.check_keys()


@pytest.mark.parametrize("when", ["before", "after"])
def test_operator_dies_over_a_copy(world, when):
    flow, execution_id = failed(world)
    words = command(execution_id, "--as-copy")
    world.walk("command", words, 0, when)
    assert len(copies(world)) == (when == "after")
    if when == "before":
        world.walk("command", words)
    check_copy(world, flow, execution_id)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["take_unstarted", "publish"])
def test_recovery_dies_publishing_a_copy(world, name, when):
    flow, execution_id, _ = copied(world)
    world.walk("tick", "", TICKS["unstarted"].index(name), when)
    check_copy(world, flow, execution_id)


def test_writes_of_a_copy(world):
    _, _, copy_id = copied(world)
    assert world.walk("run", copy_id) == COPY_RUN


@pytest.mark.parametrize(("path", "at", "when"), points({"run": COPY_RUN}))
def test_worker_dies_running_a_copy(world, path, at, when):
    flow, execution_id, copy_id = copied(world)
    world.walk(path, copy_id, at, when)
    is_unrecorded = (COPY_RUN[at], when) == ("record_step", "before")
    check_copy(world, flow, execution_id, COPY_LINES[at - 1] if is_unrecorded else "")
