"""A process dies before and after every write of what waits without a worker, and of children."""

import pytest

from atom.flow.transport import Transport, TransportError
from tests.support.ports import free_port
from tests.support.waiting import until
from tests.support.world import answers, points

RESUMED = ["claim", "record_step", "record_step", "finish", "publish_callback"]


def woken(world):
    """An execution that has slept."""
    flow, execution_id = world.accepted("Sleeps")
    world.parts.runner.run(execution_id, "1")
    world.pass_time()
    assert world.store.take_suspended(10) == 1
    world.raw.delete("processes")
    return flow, execution_id


def test_these_are_the_writes_of_an_execution_that_goes_on(world):
    _, execution_id = woken(world)
    assert world.walk("run", execution_id) == RESUMED


@pytest.mark.parametrize(("path", "at", "when"), points({"run": RESUMED}))
def test_a_worker_dies_of_an_execution_that_goes_on(world, path, at, when):
    flow, execution_id = woken(world)
    world.walk(path, execution_id, at, when)
    world.check(flow, "Sleeps", "two" if (at, when) == (2, "before") else "")


# --- children

CHILDREN = {
    # One that lets the next begin, and tells how far they are; the last, which wakes its parent.
    "first": ["claim", "record_step", "finish", "publish", "join_progress", "publish_callback"],
    "last": ["claim", "record_step", "finish", "publish"],
}
JOINS = {
    # The callback of its progress is still to be taken when the outcome replaces it.
    "Maps": ["claim", "open_join", "progress", "publish_callback", "close_join", "finish"],
    "Stops": [
        *("claim", "open_join", "cancel", "cancel", "close_join", "finish"),
        "publish_callback",
    ],
}


def parent_of(world, action="Maps", ended=0):
    """A parent that waits for its children, so many of which have ended; and its children."""
    flow, execution_id = world.accepted(action)
    world.parts.runner.run(execution_id, "1")
    children = [each.id for each in world.store.children(execution_id)]
    for child in children[:ended]:
        world.parts.runner.run(child, "1")
    world.raw.delete("processes", "callbacks", "atom:callbacks:woken")
    return flow, execution_id, children


@pytest.mark.parametrize("which", CHILDREN)
def test_these_are_the_writes_of_a_child(world, which):
    _, _, children = parent_of(world, ended=which == "last")
    assert world.walk("run", children[which == "last"]) == CHILDREN[which]


@pytest.mark.parametrize(("which", "at", "when"), points(CHILDREN))
def test_the_worker_of_a_child_dies(world, which, at, when):
    flow, _, children = parent_of(world, ended=which == "last")
    world.walk("run", children[which == "last"], at, when)
    repeated = {"first": "p0", "last": "p1"}[which] if (at, when) == (1, "before") else ""
    world.check(flow, "Maps", repeated)


@pytest.mark.parametrize("action", JOINS)
def test_these_are_the_writes_of_a_parent_that_goes_on(world, action):
    _, execution_id, _ = parent_of(world, action, ended=2 if action == "Maps" else 1)
    assert world.walk("run", execution_id) == JOINS[action]


@pytest.mark.parametrize(("action", "at", "when"), points(JOINS))
def test_the_worker_of_a_parent_that_goes_on_dies(world, action, at, when):
    flow, execution_id, _ = parent_of(world, action, ended=2 if action == "Maps" else 1)
    world.walk("run", execution_id, at, when)
    world.check(flow, action)


# --- giving a signal

SIGNAL = ["signal", "publish"]  # which is a part of the first


def post_signal(url, execution_id, token):
    """Give the signal over HTTP; whether it was taken."""
    transport = Transport()
    try:
        path = f"signals/{execution_id}/go"
        headers = {"Authorization": f"Bearer {token}"}
        reply = transport.post_json(f"{url}/{path}", b'"done"', headers)
        return reply.status == 202
    except TransportError:
        return False
    finally:
        transport.close()


@pytest.mark.parametrize(("path", "at", "when"), points({"signal": SIGNAL}))
def test_a_listener_dies_over_a_signal(world, path, at, when):
    flow, execution_id = world.accepted("Asks")
    world.parts.runner.run(execution_id, "1")
    token = world.raw.hget(f"atom:execution:{execution_id}:signals", "token:go").decode()
    port = free_port()
    listener = world.start("listen", str(port), at, when)
    until(lambda: answers(port), "the listener", 30)
    assert not post_signal(f"http://127.0.0.1:{port}", execution_id, token)
    assert listener.wait(120) == -9
    assert world.writes() == (SIGNAL[:1] if (at, when) == (0, "before") else SIGNAL)
    assert post_signal(world.url, execution_id, token)
    world.check(flow, "Asks")
