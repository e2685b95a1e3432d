"""Flows through a whole Atom: they wait, progress and resume, once."""

from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from atom.records import CallbackState, State
from atom.sandbox import Answer, FlowStatus
from tests.support.rabbitmq import require
from tests.support.roles import TestAtom
from tests.support.waiting import until


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def atom(request, atom):
    """The same Atom as everywhere, and another one whose broker is RabbitMQ."""
    if request.param == "redis":
        yield atom
        return
    require("tests/integration/test_flows.py with RabbitMQ")
    broker = request.getfixturevalue("shared_rabbitmq")
    directory = request.getfixturevalue("tmp_path_factory").mktemp("atom-on-rabbitmq")
    other = TestAtom(directory, broker=broker)
    try:
        other.start_all(["--pool=threads", "--concurrency=40"])
        yield other
    finally:
        other.close()


USER = "ManyWhoTenantId%3Dt%26ManyWhoUserId%3Dcanary-user"


def over(flow, seconds=120):
    status = flow.wait_over(seconds)
    assert status.is_over, f"{status}: {flow.events}"
    return status


def resumed(flow):
    """The outputs by name and the faults with which a flow resumed; it moved once."""
    over(flow)
    (event,) = flow.events_of("resumed")
    assert [call.moves for call in flow.calls.values()] == [1]
    outputs = {value["developerName"]: value for value in event.details["outputs"]}
    return outputs, event.details["rootFaults"]


def execution_of(atom, flow):
    (found,) = [each for each in atom.store.find(500).executions if each.flow_state_id == flow.id]
    return found


def test_a_flow_waits_and_resumes_with_every_kind_of_value(atom):
    big = "123456789012345678901234567890123456789.000000000000000000000000000001"
    flow = atom.run(
        "Echo",
        {
            "Text": "Grüße, <b>Ada</b> \N{ROCKET}",
            "Password": "secret",
            "Content": "long\ntext",
            "Encrypted": "cipher",
            "Number": big,
            "Flag": True,
            "Moment": "2025-09-04T00:00:00.0000000+01:00",
            "Line": {"Sku": "A", "Quantity": 10**30},
            "Lines": [{"Sku": "B", "Quantity": 1}, {"Sku": "C", "Quantity": 2}],
        },
    )
    (answered,) = flow.events_of("answered")
    assert answered.details["invokeType"] == "WAIT"
    assert answered.details["waitMessage"] == "Echoing…"
    outputs, faults = resumed(flow)
    assert faults == {}
    assert [each["contentValue"] for each in list(outputs.values())[:7]] == [
        "Grüße, <b>Ada</b> \N{ROCKET}",
        "secret",
        "long\ntext",
        "cipher",
        big,
        "true",
        "2025-09-03T23:00:00.000Z",
    ]
    (line,) = outputs["Line"]["objectData"]
    assert line["developerName"] == "Echo RESPONSE - Line"
    assert [each["contentValue"] for each in line["properties"]] == ["A", str(10**30)]
    assert [each["order"] for each in outputs["Lines"]["objectData"]] == [0, 1]


def test_every_declared_output_is_there_when_a_process_returns_nothing(atom):
    outputs, _ = resumed(atom.run("Nothing"))
    assert list(outputs) == [
        "Text",
        "Password",
        "Content",
        "Encrypted",
        "Number",
        "Flag",
        "Moment",
        "Line",
        "Lines",
    ]
    assert [each["contentValue"] for each in outputs.values()] == [""] + [None] * 8


def test_an_action_is_found_by_a_name_that_has_to_be_encoded(atom):
    outputs, _ = resumed(atom.run("Plain name: ä/b?"))
    assert outputs["Text"]["contentValue"] == "found"


def test_progress_comes_in_order_and_before_the_outcome(atom, tmp_path):
    def messages():
        return [event.details["message"] for event in flow.events_of("progress")]

    flow = atom.run("Progress when told", {"File": str(tmp_path / "go")}, service="Stubborn")
    for number in range(4):
        (tmp_path / f"go.{number}").touch()
        until(lambda number=number: len(messages()) > number, "the message")
    # The last message may come, or the outcome replaces it.
    for name in ("go.4", "go.end"):
        (tmp_path / name).touch()
    resumed(flow)
    every = [f"message {number}" for number in range(5)]
    assert messages() in (every[:4], every)
    # Resumed is the last thing that happened to the flow.
    assert flow.events[-1].kind == "resumed"
    assert execution_of(atom, flow).progress == "message 4"


def test_a_fault_is_the_process_own_words(atom):
    outputs, faults = resumed(atom.run("No"))
    assert faults == {"Closed": "We are closed on Sundays."}
    assert outputs["Text"]["contentValue"] is None


def test_an_unexpected_exception_is_one_safe_sentence_and_a_traceback_in_the_log(atom):
    flow = atom.run("Break")
    outputs, faults = resumed(flow)
    execution = execution_of(atom, flow)
    (message,) = faults.values()
    assert execution.id in message
    assert "canary" not in message
    assert "Text" in outputs
    assert execution.state is State.FAILED
    log = atom.log("worker").decode()
    assert "Traceback" in log
    assert "RuntimeError: canary-in-an-exception" in log
    assert f"The process failed  execution_id={execution.id} service=Trial action=Break" in log
    assert "canary" not in orjson.dumps(execution.response).decode()


def test_a_result_that_does_not_fit_fails_naming_the_entry(atom):
    flow = atom.run("Wrong result")
    resumed(flow)
    execution = execution_of(atom, flow)
    assert execution.state is State.FAILED
    assert "texd: no such entry" in execution.error


def test_the_callback_carries_tenant_and_running_user_and_then_forgets_the_user(atom):
    flow = atom.run("Echo", {"Text": "x"}, authorization=USER)
    resumed(flow)
    until(lambda: execution_of(atom, flow).callback_state is CallbackState.DELIVERED, "the record")
    assert b"canary-user" not in atom.logs()


def test_two_actions_of_one_step_both_resume(atom):
    step = [("Echo", {"Text": str(number)}) for number in range(6)]
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", step)
    atom.platform.send(flow)
    assert over(flow) is FlowStatus.DONE
    assert [call.moves for call in flow.calls.values()] == [1] * 6


# --- duplicates


def test_a_request_sent_many_times_at_once_runs_once(atom):
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("Progress", {})])
    with ThreadPoolExecutor(8) as pool:
        sending = [pool.submit(atom.platform.send, flow)]
        replies = [
            reply
            for batch in pool.map(lambda _: atom.platform.resend(flow), range(15))
            for reply in batch
        ]
        sending[0].result()
    resumed(flow)
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1, "the same WAIT for all"
    assert orjson.loads(replies[0].body)["invokeType"] == "WAIT"
    execution_of(atom, flow)  # there is exactly one


# --- synchronous answers


def test_a_result_within_sync_timeout_is_the_answer(atom, tmp_path):
    (tmp_path / "go").touch()
    flow = atom.run("Patient", {"File": str(tmp_path / "go")}, service="Stubborn")
    outputs, _ = resumed(flow)
    assert outputs["Text"]["contentValue"] == "in time"
    assert flow.events_of("answered")[0].details["invokeType"] == "FORWARD"
    assert flow.events_of("callback") == []
    until(lambda: execution_of(atom, flow).callback_state is CallbackState.DELIVERED, "the record")
    # Who asks again, for the answer was lost on the way, gets the same one.
    (reply,) = atom.platform.resend(flow)
    assert orjson.loads(reply.body)["outputs"] == list(outputs.values())


def test_process_that_outlives_sync_timeout_is_answered_with_wait_and_calls_back(atom, tmp_path):
    flow = atom.run("Impatient", {"File": str(tmp_path / "go")}, service="Stubborn")
    (answered,) = flow.events_of("answered")
    assert answered.details["invokeType"] == "WAIT"
    assert answered.details["milliseconds"] >= 1000
    (tmp_path / "go").touch()
    resumed(flow)
    assert len(flow.events_of("callback")) == 1


def test_at_the_boundary_of_sync_timeout_there_is_always_exactly_one_answer(atom):
    """200 processes that end when the listener stops waiting for them."""

    def run(number):
        return atom.run("Boundary", {"Seconds": 0.9 + 0.2 * number / 200})

    with ThreadPoolExecutor(25) as pool:
        flows = list(pool.map(run, range(200)))
    for flow in flows:
        resumed(flow)
    inline = sum(not flow.events_of("callback") for flow in flows)
    late = sum(len(flow.events_of("callback")) == 1 for flow in flows)
    assert inline + late == 200
    for flow in flows:
        first = flow.events_of("answered")[0].details["invokeType"]
        assert first == ("WAIT" if flow.events_of("callback") else "FORWARD")


# --- what the flow answers to a callback


@pytest.mark.parametrize(
    ("answers", "kinds"),
    [
        ([Answer("BUSY")], ["BUSY", "SUCCESS"]),
        ([Answer(status=500)], ["500", "SUCCESS"]),
        ([Answer(status=429, headers={"Retry-After": "1"})], ["429", "SUCCESS"]),
        ([Answer(drop=True)], ["dropped", "SUCCESS"]),
        ([Answer(drop=True, takes=True)], ["dropped", "TOKEN_COMPLETED"]),
        ([Answer("HELLO?")], ["HELLO?", "SUCCESS"]),
    ],
    ids=["busy", "500", "429", "dropped", "taken and dropped", "unknown"],
)
def test_a_callback_is_sent_until_the_flow_takes_it(atom, answers, kinds):
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("Echo", {"Text": "x"})])
    atom.platform.script(*answers)
    atom.platform.send(flow)
    resumed(flow)
    until(lambda: execution_of(atom, flow).callback_state is CallbackState.DELIVERED, "the record")
    assert [event.details["answer"] for event in flow.events_of("callback")] == kinds


@pytest.mark.parametrize(
    "answer",
    [Answer("NOT_ALLOWED"), Answer(status=403), Answer(status=410), Answer(status=302)],
    ids=["NOT_ALLOWED", "403", "410", "302"],
)
def test_a_callback_that_the_flow_refuses_is_parked(atom, answer):
    flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("Echo", {"Text": "x"})])
    atom.platform.script(answer)
    atom.platform.send(flow)
    until(lambda: execution_of(atom, flow).callback_state is CallbackState.PARKED, "parking")
    found = atom.store.get(execution_of(atom, flow).id)
    assert len(found.callback_attempts) == 1
    assert found.state is State.COMPLETED
    assert flow.status is FlowStatus.WAITING


# --- deadlines


def test_past_its_deadline_the_flow_hears_of_it_and_the_late_result_is_dropped(atom):
    flow = atom.run("Short", {"Seconds": 10})
    _, faults = resumed(flow)
    assert list(faults) == ["TimedOut"]
    execution = execution_of(atom, flow)
    assert execution.state is State.TIMED_OUT
    lost = f"Execution {execution.id} is no longer held by this worker"
    until(lambda: lost in atom.log("worker").decode(), "the late end of the process")
    assert execution_of(atom, flow).state is State.TIMED_OUT
