"""Processes that an execution starts, in a pool of processes and of threads."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.operating import resumed
from tests.support.parallel import WAYS
from tests.support.roles import TestAtom
from tests.support.waiting import until

PIN = "canary-pin/1+2"
SQUARES = [0, 1, 4, 9]
RESULTS = {
    **dict.fromkeys(("fork", "spawn", "forkserver", "executor", "nested"), SQUARES),
    "queue": [[0, 1, 2], [0, 0, 0]],
    "manager": {"a": 1},
    "prints": [True],  # the workers of a Pool are daemons everywhere
    "subprocess": "[1]\n",
    "many": None,
    "terminated": [-signal.SIGTERM, 124, -signal.SIGTERM, -signal.SIGTERM],
}


@pytest.fixture(scope="module", params=["prefork", "threads"])
def atom(request, tmp_path_factory):
    atom = TestAtom(tmp_path_factory.mktemp(request.param), "tests.support.parallel")
    try:
        atom.start_all([f"--pool={request.param}", "--concurrency=1"])
        yield atom
    finally:
        atom.close()


@pytest.mark.parametrize("way", WAYS)
def test_processes_of_an_execution_work(atom, way):
    flow = atom.run("Parallel", {"Way": way, "Pin": PIN}, service="Parallel")
    outputs, faults = resumed(flow)
    assert faults == {}, atom.execution_of(flow).error
    assert json.loads(outputs["Text"]) == RESULTS[way], atom.log("worker").decode()
    if way == "prints":
        until(lambda: "in the pool ••••".encode() in atom.log("worker"), "the printed line")
    assert PIN.encode() not in atom.logs()


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_of_an_execution_end_with_its_worker(atom, tmp_path):
    """The last test of its Atom. With one slot, the second attempt shows that it is free again."""
    file = tmp_path / "pids"
    flow = atom.run("Naps in a pool", {"File": str(file)}, service="Parallel")
    until(lambda: file.exists() and len(file.read_text().split()) == 2, "both to nap")
    napping = [int(pid) for pid in file.read_text().split()]
    worker = parent_of(napping[0])
    os.kill(worker, signal.SIGKILL)
    until(lambda: not any(map(is_running, napping)), "its processes to end")
    if worker == atom.processes["worker"].pid:  # in a pool of threads it is the whole role
        atom.kill("worker")
        atom.start("worker", "worker", "--queues=processes", "--pool=threads")
    assert resumed(flow)[0] == {"Text": "2"}
