"""The judge itself: it finds nothing in good evidence, and each broken promise in bad evidence."""

import re
import textwrap
from dataclasses import replace

import pytest

from atom.sandbox import Event
from tests.chaos.checker import check
from tests.chaos.evidence import Evidence, ExecutionEvidence, FlowEvidence, KeyEvidence
from tests.chaos.lines import BEGAN, FINISHED, RECORDED, Line
from tests.chaos.services import FAULT_NAME, answer_to, no_to
from tests.chaos.traffic import SynchronousAnswer

ID, FLOW = "11111111-1111-4111-8111-111111111111", "flow"


def event(number, kind, **details):
    return Event(number, kind, number / 10, "token", details)


def output(name, value):
    return {"developerName": name, "contentType": "ContentString", "contentValue": value}


RIGHT = answer_to("Stepping", "v")


def resumed(number=4, text=RIGHT, runs="r1,r2", **faults):
    return event(
        number, "resumed", outputs=[output("Text", text), output("Runs", runs)], rootFaults=faults
    )


def callback(number=3, answer="SUCCESS", digest="d1"):
    return event(number, "callback", invokeType="FORWARD", answer=answer, digest=digest)


EVENTS = (
    event(1, "requested"),
    event(2, "answered", invokeType="WAIT"),
    callback(),
    resumed(),
)


def line(kind, at, run, number=1, attempt=1):
    return Line(
        kind=kind,
        execution=ID,
        attempt=attempt,
        name=f"step {number}" if number else "",
        run=run,
        at=at,
        group=attempt,
        pid=attempt,
    )


LINES = (
    line(BEGAN, 0.0, "run", number=0),
    line(BEGAN, 1.0, "r1"),
    line(FINISHED, 1.1, "r1"),
    line(RECORDED, 1.2, "r1"),
    line(BEGAN, 2.0, "r2", number=2),
    line(FINISHED, 2.1, "r2", number=2),
    line(RECORDED, 2.2, "r2", number=2),
)

FLOW_EVIDENCE = FlowEvidence(
    state_id=FLOW,
    action="Stepping",
    value="v",
    steps=("step 1", "step 2"),
    is_accepted=True,
    events=EVENTS,
)
EXECUTION = ExecutionEvidence(
    id=ID,
    fields={
        "action": "Stepping",
        "state_id": FLOW,
        "state": "completed",
        "attempts": "1",
        "callback_uri": "http://127.0.0.1/",
        "callback_state": "delivered",
    },
    steps=[["step 1", '"r1"'], ["step 2", '"r2"']],
)
CLEANUP = ExecutionEvidence(
    id=ID.replace("1", "3"),
    fields={
        "action": "Stepping",
        "state_id": FLOW,
        "state": "completed",
        "attempts": "1",
        "callback_state": "none",
        "parent": ID,
        "ending_state": "completed",
    },
    steps=[["clean up", '"c1"']],
)
LINES_OF_CLEANUP = tuple(
    replace(line(kind, 3.0, "c1"), execution=CLEANUP.id, name="clean up")
    for kind in (BEGAN, FINISHED, RECORDED)
)
GOOD = Evidence(
    flows=[FLOW_EVIDENCE],
    executions=[EXECUTION, CLEANUP],
    lines=(*LINES, *LINES_OF_CLEANUP),
    keys=[
        KeyEvidence(name=f"atom:execution:{ID}", type="hash", has_expiry=True),
        KeyEvidence(name="atom:history", type="zset", has_expiry=False, members=1),
    ],
    synchronous=[SynchronousAnswer("get", "n", 503, False)],
    max_attempts=3,
)


def promises(evidence):
    return [violation.promise for violation in check(evidence)]


def with_flow(**changes):
    return replace(GOOD, flows=[replace(FLOW_EVIDENCE, **changes)])


def with_execution(steps=EXECUTION.steps, **fields):
    changed = replace(EXECUTION, steps=steps, fields={**EXECUTION.fields, **fields})
    return replace(GOOD, executions=[changed, CLEANUP])


def with_lines(*lines):
    return replace(GOOD, lines=(*lines, *LINES_OF_CLEANUP))


def test_good_evidence_is_no_reason_for_complaint():
    assert check(GOOD) == []


def test_a_lost_flow():
    (violation,) = check(with_flow(events=EVENTS[:2]))
    assert "never moved" in violation.promise
    assert violation.where == FLOW


def test_a_flow_that_moved_twice():
    assert promises(with_flow(events=(*EVENTS, callback(5), resumed(6)))) == [
        "the flow moved more than once"
    ]


def test_a_callback_that_comes_again_is_no_second_move():
    assert check(with_flow(events=(*EVENTS, callback(5, "TOKEN_COMPLETED")))) == []


def test_a_flow_that_was_never_accepted():
    refused = (event(1, "requested"), event(2, "refused", status=503))
    evidence = replace(with_flow(is_accepted=False, events=refused), executions=[], lines=[])
    assert "never accepted" in promises(evidence)


def test_two_outcomes_of_one_request():
    events = (*EVENTS, callback(5, "TOKEN_COMPLETED", digest="d2"))
    assert promises(with_flow(events=events)) == ["several outcomes were sent"]


@pytest.mark.parametrize(
    "told",
    [
        resumed(text="Stepping:x"),
        resumed(runs="r1,r3"),
        resumed(runs="r1"),
        resumed(Failed="what it may be"),
    ],
)
def test_a_wrong_outcome(told):
    assert promises(with_flow(events=(*EVENTS[:3], told))) == ["wrong outcome"]


def test_a_fault_and_a_failure_are_outcomes_as_well():
    for action, state, faults, right in [
        ("Faulting", "faulted", {FAULT_NAME: no_to("v")}, True),
        ("Faulting", "faulted", {"Failed": no_to("v")}, False),
        ("Failing", "failed", {"Failed": f"Failing could not be completed; look for execution "
                               f"{ID}."}, True),
        ("Failing", "failed", {"Failed": "its secrets"}, False),
    ]:  # fmt: skip
        told = event(4, "resumed", outputs=[output("Text", None)], rootFaults=faults)
        flow = replace(FLOW_EVIDENCE, action=action, steps=(), events=(*EVENTS[:3], told))
        evidence = replace(with_execution(steps=[], state=state), flows=[flow])
        assert promises(evidence) == ([] if right else ["wrong outcome"]), (action, faults)


def test_a_recorded_step_that_ran_again_in_a_later_attempt():
    evidence = with_lines(*LINES, line(BEGAN, 5.0, "r9", attempt=2))
    (violation,) = check(evidence)
    assert violation.promise == "a recorded step ran again"
    assert violation.where == f"{ID} step 1"


def test_a_later_attempt_finds_the_record_however_it_was_made():
    # The worker died before it could say that the step was recorded.
    lines = [each for each in LINES if each.kind != RECORDED]
    evidence = with_lines(*lines, line(BEGAN, 5.0, "r9", attempt=2))
    assert promises(evidence) == ["a recorded step ran again"]


def test_a_recorded_step_that_a_fenced_off_worker_ran_again():
    recorded = [line(each, 1.0, "r1", attempt=2) for each in (BEGAN, FINISHED, RECORDED)]
    lines = (*recorded, *LINES[4:], line(BEGAN, 5.0, "r9", attempt=1))
    assert promises(with_lines(*lines)) == [
        "a worker that had lost the execution ran a recorded step"
    ]


def test_a_step_may_run_twice_before_it_is_recorded():
    earlier = (line(BEGAN, 0.5, "r0"), line(FINISHED, 0.6, "r0"))
    kept = [replace(each, attempt=2, at=each.at + 1) for each in LINES[1:4]]
    assert check(with_lines(*earlier, *kept, *LINES[4:])) == []


def test_a_process_that_went_on_with_another_result_than_the_recorded_one():
    lines = (*LINES, line(RECORDED, 1.2, "r9"))
    assert promises(with_lines(*lines)) == ["two results of one step"]


def test_a_record_of_a_step_that_did_not_finish():
    lines = [each for each in LINES if (each.kind, each.run) != (FINISHED, "r1")]
    assert promises(with_lines(*lines)) == ["a step was recorded that did not finish"]


@pytest.mark.parametrize(
    "steps",
    [
        [["step 2", '"r2"'], ["step 1", '"r1"']],
        [["step 1", '"r1"']],
    ],
)
def test_steps_that_are_not_in_order(steps):
    assert "steps in another order" in promises(with_execution(steps=steps))


@pytest.mark.parametrize(
    ("fields", "promise"),
    [
        ({"state": "running"}, "not final"),
        ({"state": "failed", "error": "lost"}, "wrong end"),
        ({"attempts": "4"}, "too many attempts"),
        ({"callback_state": "parked"}, "callback not settled"),
        ({"callback_state": "due"}, "callback not settled"),
    ],
)
def test_an_execution_that_is_not_as_it_should_be(fields, promise):
    violations = check(with_execution(**fields))
    assert violations[0].promise == promise
    assert violations[0].where == ID


def test_a_duplicate_that_became_an_execution_of_its_own():
    other = replace(EXECUTION, id=ID.replace("1", "2"), steps=[])
    assert "not one execution of a request" in promises(
        replace(GOOD, executions=[EXECUTION, CLEANUP, other])
    )


def test_cleanup_that_is_missing_doubled_or_unsuccessful():
    without = replace(GOOD, executions=[EXECUTION])
    assert promises(without) == ["not one cleanup of an end"]
    other = replace(CLEANUP, id=ID.replace("1", "4"), steps=[])
    twice = promises(replace(GOOD, executions=[EXECUTION, CLEANUP, other]))
    assert "not one cleanup of an end" in twice
    failed = replace(CLEANUP, fields={**CLEANUP.fields, "state": "failed"})
    evidence = replace(GOOD, executions=[EXECUTION, failed])
    assert promises(evidence) == ["a cleanup did not complete"]


@pytest.mark.parametrize(
    ("key", "promise"),
    [
        (KeyEvidence(name=f"atom:execution:{ID}", type="hash", has_expiry=False), "a key without"),
        (KeyEvidence(name="atom:token:1", type="string", has_expiry=False), "a key without"),
        (KeyEvidence(name="unacked", type="hash", has_expiry=False, members=2), "a key without"),
        (KeyEvidence(name="unacked_index", type="zset", has_expiry=False, members=2), "a key wit"),
        (KeyEvidence(name="atom:leases", type="zset", has_expiry=False, members=1), "something is"),
        (KeyEvidence(name="processes", type="list", has_expiry=False, members=3), "something is"),
    ],
)
def test_a_key_that_stays(key, promise):
    (violation,) = check(replace(GOOD, keys=[*GOOD.keys, key]))
    assert violation.promise.startswith(promise)
    assert violation.where == key.name


@pytest.mark.parametrize(
    ("answer", "promise"),
    [
        (SynchronousAnswer("get", "n", 200, False, "another note"), "wrong answer"),
        (SynchronousAnswer("get", "n", 500, False), "answered with an error"),
        (SynchronousAnswer("get", "n", 200, True), "answered without an execution"),
    ],
)
def test_a_data_request_that_was_answered_wrongly(answer, promise):
    assert promise in promises(replace(GOOD, synchronous=[answer]))


def test_a_deaf_worker_and_a_forgetful_redis():
    evidence = replace(GOOD, idle_workers=["worker-2"], lost_writes=["2 was acknowledged"])
    assert set(promises(evidence)) == {"deaf", "Redis lost what it had acknowledged"}


CELERYS_LOSS = """\
2026-01-01 ERROR celery.worker: no connection
Traceback (most recent call last):
  File "/x/.venv/lib/python3.11/site-packages/kombu/connection.py", line 1, in go
    self.connect()
redis.exceptions.ConnectionError: Error 111 connecting to 127.0.0.1:1. Connection refused.
"""


NO_QUEUE = """\
Traceback (most recent call last):
  File "/x/.venv/lib/python3.11/site-packages/celery/concurrency/asynpool.py", line 1216, in get
    return next(q for q, owner in self._queues.items()
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
StopIteration
"""


@pytest.mark.parametrize(
    ("text", "is_excused"),
    [
        ("nothing of note", True),
        (CELERYS_LOSS, True),
        (re.sub(r"/x/.*/kombu/", "/x/atom/store/", CELERYS_LOSS), False),
        (re.sub(r"/x/.*/kombu/connection", "/x/atom/broker/redis", CELERYS_LOSS), True),
        (CELERYS_LOSS.replace("redis.exceptions.ConnectionError", "KeyError"), False),
        (
            CELERYS_LOSS.replace(
                "redis.exceptions.ConnectionError", "tests.chaos.services.DeliberateFailureError"
            ),
            True,
        ),
        (CELERYS_LOSS.rsplit("\n", 2)[0], False),
        (NO_QUEUE, True),
        (NO_QUEUE.replace("self._queues", "self._others"), False),
        (textwrap.indent(CELERYS_LOSS, "\t"), True),
        (textwrap.indent(CELERYS_LOSS, "\t").replace("redis.exceptions.Conn", "Key"), False),
    ],
)
def test_a_traceback_that_nobody_asked_for(text, is_excused):
    found = promises(replace(GOOD, logs={"worker-1": text}))
    assert found == ([] if is_excused else ["a traceback"])
