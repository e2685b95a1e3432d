"""A process dies before and after every single write of every path: the flow moves once."""

import threading

import pytest

from atom.records import CallbackState, State
from atom.sandbox import Connector, SandboxError
from tests.support.executions import an_attempt
from tests.support.ports import free_port
from tests.support.waiting import until
from tests.support.world import LINES, answers, points

LAST_LOOKS = ["take_settled", "tend_families", "trim", "count"]
LOOKS = [
    *("take_lost", "take_scheduled", "take_suspended", "take_released", "take_unstarted"),
    *LAST_LOOKS,
]

# The writes of each path, in order; that these are all is a test of its own.
RUNS = {
    "Work": [
        *("claim", "record_step", "progress", "publish_callback"),
        *("record_step", "finish"),  # nobody took the first wake-up yet: it is for both
    ],
    "Says no": ["claim", "record_step", "record_step", "finish", "publish_callback"],
    "Again": ["claim", "record_step", "record_step", "hand_back"],
    "Sleeps": ["claim", "record_step", "suspend"],
    "Asks": ["claim", "record_step", "signal_token", "suspend"],
    "Maps": ["claim", "open_join", "spawn", "publish", "suspend"],
}
DELIVERY = ["claim_delivery", "post_json", "record_delivery", "next_delivery"]
TICKS = {
    "lost": ["take_due_callbacks", "take_overdue", "take_lost", "publish", *LOOKS[1:]],
    "callback": ["take_due_callbacks", "publish_callback", "take_overdue", *LOOKS],
    "overdue": ["take_due_callbacks", "take_overdue", "time_out", "publish_callback", *LOOKS],
    "unstarted": [
        *("take_due_callbacks", "take_overdue", "take_lost", "take_scheduled", "take_suspended"),
        *("take_released", "take_unstarted", "publish"),
        *LAST_LOOKS,
    ],
    "scheduled": [
        *("take_due_callbacks", "take_overdue", "take_lost", "take_scheduled", "publish"),
        *("take_suspended", "take_released", "take_unstarted"),
        *LAST_LOOKS,
    ],
    "suspended": [
        *("take_due_callbacks", "take_overdue", "take_lost", "take_scheduled", "take_suspended"),
        *("publish", "take_released", "take_unstarted"),
        *LAST_LOOKS,
    ],
}
ACCEPTS = {
    "Work": ["accept", "publish"],
    "In time": ["accept", "publish", "wait_finished", "answer", "confirm_answer"],
}
DATA = ["accept", "publish", "wait_result"]
DATA_WITHOUT_WORKERS = [*DATA, "give_up"]


def repeated_line(action, writes, at, when):
    """The step whose body ran, but whose record was not written."""
    if (writes[at], when) != ("record_step", "before"):
        return ""
    line = LINES[action][writes[:at].count("record_step")]
    return "" if line == "failed" else line  # by then it does not fail any more


# --- running


@pytest.mark.parametrize("action", RUNS)
def test_these_are_the_writes_of_a_run(world, action):
    _, execution_id = world.accepted(action)
    assert world.walk("run", execution_id) == RUNS[action]


@pytest.mark.parametrize(("action", "at", "when"), points(RUNS))
def test_a_worker_dies(world, action, at, when):
    flow, execution_id = world.accepted(action)
    world.walk("run", execution_id, at, when)
    world.check(flow, action, repeated_line(action, RUNS[action], at, when))


@pytest.mark.parametrize(("path", "at", "when"), points({"give back": ["claim", "hand_back"]}))
def test_a_worker_dies_handing_back(world, path, at, when):
    flow, execution_id = world.accepted("Work")
    world.walk(path, execution_id, at, when)
    world.check(flow, "Work")


TAKE_OVER = ["claim", "progress", "publish_callback", "record_step", "finish"]


def lost_after_one_step(world):
    """An execution whose worker died when its first step was recorded."""
    flow, execution_id = world.accepted("Work")
    world.walk("run", execution_id, 1, "after")
    world.pass_time()
    return flow, execution_id


def test_these_are_the_writes_of_a_take_over(world):
    _, execution_id = lost_after_one_step(world)
    assert world.walk("run", execution_id) == TAKE_OVER


@pytest.mark.parametrize(("path", "at", "when"), points({"run": TAKE_OVER}))
def test_the_worker_that_took_over_dies(world, path, at, when):
    flow, execution_id = lost_after_one_step(world)
    world.walk(path, execution_id, at, when)
    world.check(flow, "Work", "two" if (at, when) == (3, "before") else "")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_dies_letting_go_of_what_its_dead_child_ran(world, when):
    flow, execution_id = world.accepted("Work")
    assert world.walk("let go", execution_id) == ["release"]
    world.pass_time()
    assert world.walk("let go", execution_id, 0, when) == ["release"]
    world.check(flow, "Work")
    assert world.store.get(execution_id).losses == 2


# --- delivering


def test_these_are_the_writes_of_a_delivery(world):
    _, execution_id = world.finished("Work")
    assert world.walk("deliver", execution_id) == DELIVERY


@pytest.mark.parametrize(("path", "at", "when"), points({"deliver": DELIVERY}))
def test_a_callback_worker_dies(world, path, at, when):
    flow, execution_id = world.finished("Work")
    world.walk(path, execution_id, at, when)
    world.check(flow, "Work")


# --- accepting


def test_these_are_the_writes_of_a_request(world):
    for action, writes in ACCEPTS.items():
        world.raw.flushall()
        flow, _ = ask_beside(world, action, -1, "never")
        until(lambda writes=writes: world.writes() == writes, f"the writes of {action}", 10)
        assert flow.events_of("answered")


def ask_beside(world, action, at, when):
    """Ask a listener that dies at the point, while workers are there; whether it answered."""
    flow, call = world.flow(action)
    port = free_port()
    healthy, call.url = call.url, call.url.replace(world.url, f"http://127.0.0.1:{port}")
    listener = world.start("listen", str(port), at, when)
    try:
        until(lambda: answers(port), "the listener", 30)
        ask(world, flow, call)
        if at >= 0:
            assert listener.wait(120) == -9
    finally:
        call.url = healthy
    return flow, listener


def ask(world, flow, call):
    """Ask, while workers are there."""
    options = {"insists": True}
    asking = threading.Thread(target=world.platform.ask, args=(flow, call), kwargs=options)
    asking.start()
    while asking.is_alive():
        world.drain()
        asking.join(0.01)


@pytest.mark.parametrize(("action", "at", "when"), points(ACCEPTS))
def test_a_listener_dies(world, action, at, when):
    flow, listener = ask_beside(world, action, at, when)
    assert listener.poll() == -9
    (call,) = flow.calls.values()
    if not flow.events_of("answered"):
        # Nothing came of it, as far as the platform knows: it asks once more.
        ask(world, flow, call)
    assert flow.events_of("answered")
    until(lambda: world.store.find(10).executions, "the execution")
    world.check(flow, action)


@pytest.mark.parametrize(("path", "at", "when"), points({"data": DATA}))
def test_a_listener_dies_over_a_data_request(world, path, at, when):
    """Nobody waits for the result any more: it is in the history, or nothing was begun."""
    port = free_port()
    listener = world.start("listen", str(port), at, when)
    until(lambda: answers(port), "the listener", 30)
    dying = Connector(world.platform, f"http://127.0.0.1:{port}/fs/Witness")
    done = threading.Event()

    def ask():
        with pytest.raises(SandboxError):
            dying.get("Thing", "t1")
        done.set()

    asking = threading.Thread(target=ask)
    asking.start()
    while asking.is_alive():
        world.drain()
        asking.join(0.01)
    dying.close()
    assert done.is_set()
    assert listener.wait(120) == -9
    world.settle(lambda: all(each.state.is_final for each in world.store.find(10).executions))
    states = [each.state for each in world.store.find(10).executions]
    assert states in ([], [State.COMPLETED])
    assert (states == []) == (DATA[at] == "accept" and when == "before")


@pytest.mark.parametrize(("path", "at", "when"), points({"data": DATA_WITHOUT_WORKERS}))
def test_a_listener_dies_giving_up(world, path, at, when):
    """No worker is there in time: what its caller does not wait for any more is not begun."""
    port = free_port()
    listener = world.start("listen", str(port), at, when, ATOM_SYNC_SECONDS="0.2")
    until(lambda: answers(port), "the listener", 30)
    dying = Connector(world.platform, f"http://127.0.0.1:{port}/fs/Witness")
    with pytest.raises(SandboxError):
        dying.get("Thing", "t1")
    dying.close()
    assert listener.wait(120) == -9
    assert world.writes() == DATA_WITHOUT_WORKERS[: at + 1]
    # As if the time that the caller would have waited were over.
    for each in world.store.find(10).executions:
        world.raw.hset(f"atom:execution:{each.id}", "answer_until", 1)
    world.settle(lambda: all(each.state.is_final for each in world.store.find(10).executions))
    states = [each.state for each in world.store.find(10).executions]
    assert states == ([] if (at, when) == (0, "before") else [State.CANCELLED])
    world.check_keys()


# --- recovering


def prepared(world, kind):
    """A flow whose execution is in the state that recovery has to find."""
    if kind == "callback":
        flow, execution_id = world.finished("Work")
    else:
        flow, execution_id = world.accepted("Sleeps" if kind == "suspended" else "Work")
    if kind == "suspended":
        world.parts.runner.run(execution_id, "1")
        world.pass_time()
    elif kind == "lost":
        world.store.claim(execution_id, "gone", "1")
        world.pass_time()
    elif kind == "scheduled":
        world.store.hand_back(world.store.claim(execution_id, "ending", "1"))
    elif kind == "unstarted":
        world.pass_time()
    elif kind == "overdue":
        world.raw.hset(f"atom:execution:{execution_id}", "deadline", 1)
        world.raw.zadd("atom:deadlines", {execution_id: 1})
    return flow, execution_id


@pytest.mark.parametrize("kind", TICKS)
def test_these_are_the_writes_of_recovery(world, kind):
    prepared(world, kind)
    assert world.walk("tick", "") == TICKS[kind]


@pytest.mark.parametrize(("kind", "at", "when"), points(TICKS))
def test_recovery_dies(world, kind, at, when):
    flow, execution_id = prepared(world, kind)
    world.walk("tick", "", at, when)
    if kind != "overdue":
        world.check(flow, "Sleeps" if kind == "suspended" else "Work")
        return
    # What recovery died of is its own affair: the next one finds the deadline in its index.
    world.raw.zadd("atom:deadlines", {execution_id: 1}, xx=True)
    world.settle(lambda: world.store.get(execution_id).callback_state is CallbackState.DELIVERED)
    (event,) = flow.events_of("resumed")
    assert list(event.details["rootFaults"]) == ["TimedOut"]
    assert not world.file.exists()


# --- what a person does


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_command_that_cancels_dies(world, when):
    flow, execution_id = world.accepted("Work")
    world.walk("cancel", execution_id, 0, when)
    if when == "before":
        world.check(flow, "Work")
        return
    world.settle(lambda: world.store.get(execution_id).callback_state is CallbackState.DELIVERED)
    (event,) = flow.events_of("resumed")
    assert list(event.details["rootFaults"]) == ["Cancelled"]
    assert not world.file.exists()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("path", ["replay", "restart"])
def test_a_command_about_a_parked_callback_dies(world, path, when):
    flow, execution_id = world.finished("Says no")
    delivery = world.store.claim_delivery(execution_id)
    world.store.record_delivery(delivery, "parked", an_attempt("NOT_ALLOWED"))
    world.walk(path, execution_id, 0, when)
    assert len(world.store.parked(10)) == (when == "before")
    if when == "before":
        world.walk(path, execution_id)
    world.check(flow, "Says no", "no" if path == "restart" else "")
