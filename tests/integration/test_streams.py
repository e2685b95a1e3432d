"""Standard output and error in a worker, in a pool of processes and of threads."""

import json

import pytest

from tests.support.operating import resumed
from tests.support.printing import WAYS
from tests.support.roles import TestAtom

PIN = "canary-pin/1+2"
STREAM = ["utf-8", "backslashreplace", "w", None, False, False, False, True, False]

# What each way puts into the log of its execution.
LINES = {
    "attributes": [],
    "reconfigure": ["reconfigured ••••"],
    "old_idioms": ["wrapped ••••", "detached ••••", "closed ••••"],
    "redirected": [],
    "pieces": ["a-b-3|••••", "two", "lines", "unfinished ••••"],
    "in_bytes": ["bytes ••••", r"view \xff"],
    "with_click": ["echo ☃ ••••", "red ••••", "bytes of click"],
    "with_rich": ["rich ••••"],
    "with_handler": ["handled ••••"],
    "odd_names": [r"odd caf\udce9 ••••"],
    "with_subprocess": [],
    "with_faulthandler": [],
    "in_threads": [],  # a thread that user code starts has a context of its own
}
RESULTS = {
    "attributes": [[*STREAM, "<stdout>", True, 0], [*STREAM, "<stderr>", True, 0]],
    "redirected": "caught PIN\ncaught\n",
    "with_subprocess": "x",
}


@pytest.fixture(scope="module", params=["prefork", "threads"])
def atom(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    atom = TestAtom(directory, "tests.support.printing", ATOM_LOG_FORMAT="json")
    try:
        atom.start_all([f"--pool={request.param}", "--concurrency=1"])
        yield atom
    finally:
        atom.close()


def run(atom, way):
    """Return what the process returned, and the log of its execution."""
    flow = atom.run("Print", {"Way": way, "Pin": PIN}, service="Printing")
    outputs, faults = resumed(flow)
    assert faults == {}, atom.execution_of(flow).error
    lines = atom.store.log(atom.execution_of(flow).id)
    return json.loads(outputs["Text"]), [line.message for line in lines]


@pytest.mark.parametrize("way", LINES)
def test_stream_works_and_is_logged_and_masked(atom, way):
    result, lines = run(atom, way)
    assert result == RESULTS.get(way)
    assert lines == LINES[way]


def test_traceback_is_logged_and_masked(atom):
    _, lines = run(atom, "with_traceback")
    text = "\n".join(lines)
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("\nValueError: ••••")


def test_every_way_has_been_used():
    assert WAYS.keys() - LINES.keys() == {"with_traceback"}


def test_log_of_the_role_has_every_line_and_no_secret(atom):
    """The last test of its Atom: what the others printed is in the log of the worker, masked."""
    atom.end("worker")
    log = atom.log("worker")
    assert PIN.encode() not in log
    assert log.count(b'"message":"thread ') >= 4 * 20
    records = [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]
    printed = [record["message"] for record in records if record["logger"] == "atom.printed"]
    for lines in LINES.values():
        assert set(lines) <= set(printed)
    assert b"of a subprocess" in log  # as it is: written by another program, to the same place
    assert b"most recent call first" in log
    assert b"Logging error" not in log
