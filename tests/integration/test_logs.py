"""What roles write, and what is kept with an execution: in a pool of processes and of threads."""

import json

import pytest

from atom.names import PROCESSES
from atom.records import CallbackState, State
from tests.support.operating import command, resumed
from tests.support.roles import TestAtom
from tests.support.talkative import FORGED
from tests.support.waiting import until

PIN = "canary-pin/1+2"
MOST_LINES = 40


@pytest.fixture(scope="module", params=["prefork", "threads"])
def talking(request, tmp_path_factory):
    """An Atom that writes JSON; what it has written is read when it has ended."""
    atom = TestAtom(
        tmp_path_factory.mktemp(request.param),
        "tests.support.talkative",
        ATOM_LOG_FORMAT="json",
        ATOM_MAX_LOG_LINES=str(MOST_LINES),
    )
    try:
        atom.start_all([f"--pool={request.param}", "--concurrency=4"])
        yield atom
    finally:
        atom.close()


def run(atom, action, inputs=None):
    flow = atom.run(action, inputs, "Talkative")
    resumed(flow)
    return until(lambda: delivered(atom, flow), "the record of the callback", 60)


def delivered(atom, flow):
    execution = atom.execution_of(flow)
    return execution if execution.callback_state is CallbackState.DELIVERED else None


def messages(atom, execution, attempt=None):
    lines = atom.store.log(execution.id)
    return [line.message for line in lines if attempt in (None, line.attempt)]


def test_what_a_process_says_is_kept_with_its_execution(talking):
    execution = run(talking, "Talk", {"Pin": PIN})
    lines = talking.store.log(execution.id)
    forged = FORGED.replace("\r", r"\r").replace("\x1b", r"\x1b")
    assert [(line.level, line.message, line.attempt) for line in lines] == [
        ("INFO", f"own {execution.id}", 1),
        ("WARNING", f"logging {execution.id}, the pin is ••••", 1),
        ("INFO", f"structlog {execution.id}", 1),
        ("INFO", f"printed {execution.id} ••••", 1),
        ("ERROR", f"forged {execution.id}{forged}", 1),
        ("INFO", f"in a step {execution.id}", 1),
    ]
    assert all(execution.accepted_at <= line.at <= execution.delivered_at for line in lines)


def test_people_see_it(talking):
    execution = run(talking, "Talk", {"Pin": PIN})
    shown = command(talking, "executions", "show", execution.id)
    assert f" WARNING: logging {execution.id}, the pin is ••••\n" in shown
    assert "\x1b" not in shown
    forged = [line for line in shown.splitlines() if "forged" in line]
    assert [line[:1] for line in forged] == ["l", " "]
    document = json.loads(command(talking, "executions", "show", execution.id, "--json"))
    assert document["log"][0]["message"] == f"own {execution.id}"
    assert set(document["log"][0]) == {"at", "level", "message", "attempt"}


def test_of_too_many_lines_the_last_are_kept(talking):
    execution = run(talking, "Flood")
    expected = [f"line {number}" for number in range(500 - MOST_LINES, 500)]
    assert messages(talking, execution) == expected


def test_why_it_failed_is_there_for_each_try(talking):
    execution = run(talking, "Break", {"Pin": PIN})
    assert execution.state is State.FAILED
    first, second = (messages(talking, execution, attempt) for attempt in (1, 2))
    assert first[0].startswith("What failed\nTraceback")
    assert first[0].endswith("RuntimeError: canary-reason ••••")
    assert first[1].startswith("Talkative.Break failed at try 1")
    assert second[0] == "Attempt 2: 0 before it lost their worker, 1 failed"
    assert second[1].startswith("The process failed\nTraceback")
    assert second[2] == "Failed: RuntimeError: canary-reason ••••"


def test_a_fault_is_there(talking):
    execution = run(talking, "Refuse")
    assert messages(talking, execution) == ["Faulted: We are closed on Sundays."]


def test_what_says_nothing_has_no_log(talking):
    execution = run(talking, "Step by step")
    assert messages(talking, execution) == []


def test_what_a_killed_worker_said_is_there(talking):
    if "threads" in talking.directory.name:
        talking.start("spare", "worker", f"--queues={PROCESSES}", "--pool=threads")
    flow = talking.run("Die once", {}, "Talkative")
    resumed(flow)
    execution = talking.execution_of(flow)
    assert messages(talking, execution) == [
        "about to do it, attempt 1",
        "Attempt 2: 1 before it lost their worker, 0 failed",
        "about to do it, attempt 2",
    ]


def test_every_line_of_every_role_is_json_and_says_whose_it_is(talking):
    flows = [talking.run("Talk", {"Pin": PIN}, "Talkative") for _ in range(20)]
    flows.append(talking.run("Break", {"Pin": PIN}, "Talkative"))
    for flow in flows:
        until(lambda flow=flow: delivered(talking, flow), "the record of the callback", 60)
    for name in list(talking.processes):
        talking.end(name)
    lines = {
        path.stem: [json.loads(line) for line in path.read_bytes().splitlines()]
        for path in talking.directory.glob("*.log")
    }
    lines["worker"] += lines.pop("spare", [])
    assert lines.keys() == {"listener", "worker", "callbacks", "recovery"}
    for role, said in lines.items():
        assert {line["role"] for line in said} == {role}
        for line in said:
            assert list(line)[:4] == ["timestamp", "level", "logger", "message"]
    assert "canary-pin" not in json.dumps(lines)
    for execution in talking.store.find(100).executions:
        about = {
            "execution_id": execution.id,
            "service": "Talkative",
            "action": execution.action,
            "tenant_id": execution.tenant_id,
            "flow_state_id": execution.flow_state_id,
        }
        for role in ("listener", "worker", "callbacks"):
            mine = [line for line in lines[role] if execution.id in json.dumps(line)]
            assert mine, (role, execution.id)
            for line in mine:
                assert about.items() <= line.items(), line
        said = [line for line in lines["worker"] if line.get("execution_id") == execution.id]
        assert {line["attempt"] for line in said if "attempt" in line} == set(
            range(1, execution.attempts + 1)
        )
    strays = [line for line in lines["worker"] if line["logger"] == "stray"]
    assert strays
    assert not any("execution_id" in line for line in strays)
