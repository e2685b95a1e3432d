"""A signal ends a child of a worker while it runs a process: that is not an outcome."""

import pytest

from atom.records import State, StepKind
from tests.support.operating import resumed
from tests.support.roles import TestAtom

CANARY = "canary-password"


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    """An Atom with a prefork worker of two children."""
    atom = TestAtom(tmp_path_factory.mktemp("terminated"), service="tests.support.exits")
    try:
        atom.start_all()
        yield atom
    finally:
        atom.close()


@pytest.mark.parametrize(
    "how",
    [
        "SIGQUIT to a process",
        "SIGQUIT to a step",
        "SIGHUP to a process",
        "SIGHUP to a step",
        "SIGQUIT to a process whose cleanup fails",
        "SIGQUIT to a step whose cleanup fails",
        "SIGQUIT to a process whose cleanup exits",
    ],
)
def test_terminated_child_leaves_its_execution_to_another(atom, how):
    inputs = {"How": how, "Password": CANARY}
    flow = atom.run("Terminated once", inputs, service="Exits")
    assert resumed(flow) == ({"Text": "attempt 2"}, {})
    found = atom.store.get(atom.execution_of(flow).id)
    assert (found.state, found.attempts, found.losses) == (State.COMPLETED, 2, 1)
    assert [step.kind for step in found.steps] == ([StepKind.RESULT] if "step" in how else [])
    assert CANARY.encode() not in atom.logs()
