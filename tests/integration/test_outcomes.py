"""Processes that exit, through real workers: each ends after one attempt, and its slot is free."""

import pytest

from atom.records import State
from atom.sandbox import Connector, SandboxError
from tests.support.operating import resumed
from tests.support.roles import TestAtom

CANARY = "canary-password"
MASK = "••••"
FAILED = State.FAILED
FAULTED = State.FAULTED

# How a process leaves: its state, and what the history says.
ENDS = {
    "sys.exit": (FAILED, f"SystemExit: cannot go on with {MASK}"),
    "argparse": (FAILED, "SystemExit: 2"),
    "cancelled": (FAILED, f"CancelledError: with {MASK}"),
    "interrupt": (FAILED, "KeyboardInterrupt"),
    "generator": (FAILED, "GeneratorExit"),
    "own": (FAILED, f"Own: wrong {MASK}"),
    "odd": (FAILED, "Odd: (no text: ValueError)"),
    "surrogate fault": (FAULTED, rf"no file caf\udce9.txt {MASK}"),
    "number fault": (FAULTED, "404"),
    "bytes fault": (FAULTED, r"no \xff way"),
}


@pytest.fixture(scope="module", params=["prefork", "threads"])
def atom(tmp_path_factory, request):
    """An Atom whose worker has two slots."""
    directory = tmp_path_factory.mktemp(f"exits-{request.param}")
    atom = TestAtom(directory, service="tests.support.exits")
    try:
        atom.start_all([f"--pool={request.param}", "--concurrency=2"])
        yield atom
        log = atom.logs()
        assert CANARY.encode() not in log
        assert b"broke off" not in log
        assert b"is dead" not in log
    finally:
        atom.close()


@pytest.fixture
def connector(atom):
    connector = Connector(atom.platform, f"{atom.url}/fs/Exits")
    yield connector
    connector.close()


def check_ended_at_once(found, state):
    assert found.state is state
    assert (found.attempts, found.losses, found.tries) == (1, 0, 0)


@pytest.mark.parametrize("how", ENDS)
def test_exit_of_a_process_is_an_outcome(atom, how):
    state, error = ENDS[how]
    flow = atom.run("Leave", {"How": how, "Password": CANARY}, service="Exits")
    _, faults = resumed(flow)
    found = atom.execution_of(flow)
    check_ended_at_once(found, state)
    assert found.error == error
    ((name, message),) = faults.items()
    if state is FAULTED:
        assert message == error
    else:
        assert (name, found.id in message) == ("Failed", True)


@pytest.mark.parametrize("how", ENDS)
def test_exit_of_a_step_is_an_outcome(atom, how):
    state, error = ENDS[how]
    flow = atom.run("Leave at a step", {"How": how, "Password": CANARY}, service="Exits")
    resumed(flow)
    found = atom.execution_of(flow)
    check_ended_at_once(found, state)
    assert found.error == (error if state is FAULTED else f"Step “leaving” failed: {error}")


@pytest.mark.parametrize("how", ENDS)
def test_exit_of_a_map_item_is_an_outcome(atom, how):
    state, _ = ENDS[how]
    flow = atom.run("Leave at an item", {"How": how}, service="Exits")
    resumed(flow)
    parent = atom.execution_of(flow)
    check_ended_at_once(parent, state)
    (child,) = atom.store.children(parent.id)
    check_ended_at_once(child, state)


@pytest.mark.parametrize("how", ENDS)
def test_exit_of_a_data_action_or_a_file_resource_is_an_outcome(atom, connector, how):
    state, error = ENDS[how]
    for action, call in (
        ("Thing.get", lambda: connector.get("Thing", how)),
        ("/files.upload", lambda: connector.upload("/files", "a.txt", how.encode())),
    ):
        with pytest.raises(SandboxError) as caught:
            call()
        assert caught.value.status == (409 if state is FAULTED else 500)
        found = next(each for each in atom.store.find(5).executions if each.action == action)
        check_ended_at_once(found, state)
        assert found.error.strip() == error.replace(MASK, "").strip()


def test_exits_leave_every_slot_free(atom, tmp_path):
    """Runs last: both slots are needed at the same time."""
    flows = [atom.run("Meet", {"Directory": str(tmp_path)}, service="Exits") for _ in range(2)]
    assert [resumed(flow)[0] for flow in flows] == [{"Text": "met"}] * 2
