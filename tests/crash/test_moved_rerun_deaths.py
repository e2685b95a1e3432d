"""A process dies while an operator retries or dismisses an execution of the history database."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, text

from atom import names
from atom.records import CallbackState, Secrets, State
from atom.store.encryption import new_key
from tests.support.moving import backdate, everything
from tests.support.redis_content import content_of
from tests.support.witness import PASSWORD
from tests.support.world import World, points

ACTION = {"--from-start": "Fails once", "--from-failed-step": "Maps and fails once"}
# The verdict of the first script is that Redis does not know the execution.
RETRIES = {
    "--from-start": ["restart", "bring_back", "restart", "delete_secrets"],
    # The execution, and then its two children.
    "--from-failed-step": [
        *("restart", "bring_back", "bring_back", "bring_back", "restart", "delete_secrets"),
    ],
}
LINES = {
    "--from-start": ["one", "two", "failed", "one", "two"],
    "--from-failed-step": ["one", "p0", "p1", "failed", "p1"],
}
DISMISSALS = {place: ["dismiss", "delete_secrets"] for place in ("database", "both")}


@pytest.fixture
def history_url(tmp_path):
    return f"sqlite:///{tmp_path / 'history.db'}"


@pytest.fixture
def world(embedded_redis, tmp_path, nursery, sandbox, history_url):
    key = (new_key(),)
    world = World(embedded_redis.url, tmp_path, nursery, sandbox, history_url, key)
    yield world
    assert PASSWORD.encode() not in content_of(world.raw)
    world.close()


def command(*words):
    return json.dumps(["executions", *words])


def faulted(world, action):
    """Return an execution with a fault, of which its flow has heard days ago."""
    inputs = {"Password": PASSWORD} if action == "Fails once" else {}
    flow, execution_id = world.accepted(action, **inputs)
    delivered = CallbackState.DELIVERED
    world.settle(lambda: world.store.get(execution_id).callback_state is delivered)
    assert world.store.get(execution_id).state is State.FAULTED
    backdate(world.raw, execution_id, datetime.now(UTC) - timedelta(days=2))
    return flow, execution_id


def is_in_redis(world, execution_id):
    return bool(world.raw.exists(names.execution_key(execution_id)))


def move(world, execution_id):
    world.parts.recovery.tick()
    assert not is_in_redis(world, execution_id)


def stored(history_url):
    """Return everything that the database has of executions, as text."""
    engine = create_engine(history_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM atom_executions")).all()
    engine.dispose()
    return "\n".join(str(value) for row in rows for value in row)


def has_secrets(history_url):
    return "private_request" in stored(history_url)


@pytest.mark.parametrize("option", RETRIES)
def test_writes_of_a_retry_from_the_history_database(world, option):
    _, execution_id = faulted(world, ACTION[option])
    move(world, execution_id)
    words = command("retry", execution_id, option)
    assert world.walk("command", words) == RETRIES[option]


@pytest.mark.parametrize("looks", [0, 3], ids=["at once", "after recovery"])
@pytest.mark.parametrize(("option", "at", "when"), points(RETRIES))
def test_operator_dies_over_a_retry_from_the_history_database(
    world, history_url, option, at, when, looks
):
    flow, execution_id = faulted(world, ACTION[option])
    before = everything(world.store, execution_id)
    move(world, execution_id)
    words = command("retry", execution_id, option)
    world.walk("command", words, at, when)
    restart = len(RETRIES[option]) - 2
    has_restarted = at > restart or (at, when) == (restart, "after")
    for _ in range(looks):
        world.parts.recovery.tick()
    assert world.store.count_states()[State.FAULTED] == (not has_restarted)
    assert len(world.store.find(10).executions) == 1
    if not has_restarted:
        assert everything(world.store, execution_id) == before
        assert is_in_redis(world, execution_id) <= (looks == 0)
        world.walk("command", words)
    world.settle(lambda: world.store.get(execution_id).state is State.COMPLETED)
    (output,) = world.store.get(execution_id).response["outputs"]
    assert output["contentValue"] == "done"
    world.check_bodies(LINES[option])
    assert [call.moves for call in flow.calls.values()] == [1]
    backdate(world.raw, execution_id, datetime.now(UTC) - timedelta(days=2))
    move(world, execution_id)
    assert not has_secrets(history_url)
    assert world.store.count_states()[State.COMPLETED] == 1


@pytest.mark.parametrize(("place", "at", "when"), points(DISMISSALS))
def test_operator_dies_over_a_dismissal(world, history_url, place, at, when):
    """The secrets go from Redis and from the copy in the database, at the latest with the move."""
    _, execution_id = faulted(world, "Fails once")
    if place == "both":  # as recovery leaves it when it dies in between
        world.store.copy_settled(world.store.take_settled(10))
    else:
        move(world, execution_id)
    assert has_secrets(history_url)
    words = command("dismiss", execution_id)
    world.walk("command", words, at, when)
    is_dismissed = (at, when) == (1, "after") or (place == "both" and (at, when) != (0, "before"))
    assert (world.store.get(execution_id).secrets is Secrets.KEPT) != is_dismissed
    if not is_dismissed:
        world.walk("command", words)
    world.parts.recovery.tick()
    assert not is_in_redis(world, execution_id)
    assert not has_secrets(history_url)
    found = world.store.get(execution_id)
    assert (found.state, found.secrets) == (State.FAULTED, Secrets.DELETED_WHEN_DISMISSED)
    assert len(world.store.find(10).executions) == 1
