"""Slots of a worker with a pool of threads: none is lost, and none is taken without a report."""

import os
import subprocess
import sys

import pytest

from atom.records import State
from tests.support.operating import command, resumed
from tests.support.roles import ROOT, TestAtom
from tests.support.waiting import until


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    """An Atom whose worker has two threads, and notes for atom-health."""
    directory = tmp_path_factory.mktemp("slots")
    (directory / "notes").mkdir()
    atom = TestAtom(
        directory,
        service="tests.support.lost_slots,tests.support.exits",
        TMPDIR=str(directory / "notes"),
        ATOM_CANCEL_GRACE_SECONDS="1",
    )
    try:
        atom.start_all(["--pool=threads", "--concurrency=2"])
        yield atom
    finally:
        atom.close()


def health(atom):
    """The exit code of atom-health, and what it prints."""
    result = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "atom" / "health.py"],
        env={"TMPDIR": atom.environment["TMPDIR"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return result.returncode, result.stdout


def check_both_slots_work(atom, directory):
    os.mkdir(directory)
    flows = [atom.run("Meet", {"Directory": str(directory)}, service="Exits") for _ in range(2)]
    assert [resumed(flow)[0] for flow in flows] == [{"Text": "met"}] * 2


def test_slot_that_a_thread_lost_is_given_back(atom, tmp_path):
    flows = [atom.run("Lose the slot", service="Slots") for _ in range(4)]
    for flow in flows:
        assert resumed(flow)[0] == {"Text": "done"}
    log = until(lambda: atom.log("worker").count(b"the slot is given back") == 4, "the slots")
    assert log
    assert b"canary" not in atom.logs()
    check_both_slots_work(atom, tmp_path / "meeting")
    assert health(atom)[0] == 0


def test_slot_that_cannot_be_given_back_makes_the_worker_unwell(atom, tmp_path):
    file = tmp_path / "over"
    flow = atom.run("Stay", {"File": str(file)}, service="Slots")
    running = until(
        lambda: (found := atom.execution_of(flow)).state is State.RUNNING and found, "it to run"
    )
    assert health(atom)[0] == 0
    command(atom, "executions", "cancel", running.id)
    assert list(resumed(flow)[1]) == ["Cancelled"]
    said = until(lambda: (found := health(atom))[0] == 1 and found[1], "the worker to be unwell")
    assert f"cannot be interrupted in this pool: {running.id}" in said
    assert b"cannot be interrupted in this pool" in atom.log("worker")
    file.touch()
    until(lambda: health(atom)[0] == 0, "the worker to be well again")
    check_both_slots_work(atom, tmp_path / "meeting")
