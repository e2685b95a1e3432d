"""A service whose processes wait for times and events, without a worker meanwhile."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta

from atom import Fault, FlowService, Profile, Retry, SignalTimedOut, fields
from tests.support.structures import Tree, full_tree

lasting = FlowService("Lasting", summary="Processes that take their time")


class Asked(Profile):
    seconds = fields.Float(data_key="Seconds", load_default=0.5)
    file = fields.String(data_key="File")


class Told(Profile):
    text = fields.String(data_key="Text")


def note(file, line):
    with open(file, "a") as lines:
        lines.write(f"{line}\n")


@lasting.message_action("Sleeps", request=Asked, response=Told, timeout=3600)
def sleeps(request, execution):
    execution.step("before", note, request["file"], "before")
    execution.progress("asleep")
    execution.sleep(request["seconds"])
    execution.step("after", note, request["file"], "after")
    return {"text": f"attempt {execution.attempt}"}


@lasting.message_action("Waits until", request=Asked, response=Told)
def waits_until(request, execution):
    soon = execution.step("when", lambda: datetime.now(UTC) + timedelta(seconds=0.3))
    execution.wait_until(soon - timedelta(days=1))
    execution.wait_until(soon)
    return {"text": "later" if datetime.now(UTC) >= soon else "too early"}


@lasting.message_action("Approval", request=Asked, response=Told)
def approval(request, execution):
    note(request["file"], f"{execution.id} {execution.signal_token('approval')}")
    try:
        event = execution.signal("approval", timeout=request["seconds"])
    except SignalTimedOut as late:
        return {"text": str(late)}
    return {"text": f"approved by {event['by']}"}


@lasting.message_action("Insists", request=Asked, response=Told)
def insists(request, execution):
    waited_before = os.path.exists(request["file"])
    note(request["file"], "waits")
    # The first time not for long; a wait that has begun keeps its end.
    event = execution.signal("approval", timeout=60 if waited_before else request["seconds"])
    return {"text": f"approved by {event['by']}"}


@lasting.message_action("Sleeps too long", response=Told, timeout=60)
def sleeps_too_long(request, execution):
    execution.sleep(3600)


@lasting.message_action("Goes on", response=Told)
def goes_on(request, execution):
    try:
        execution.sleep(60)
    except BaseException:
        return {"text": "awake"}


@lasting.message_action("Sleeps in a step", response=Told)
def sleeps_in_a_step(request, execution):
    execution.step("naps", lambda: execution.sleep(1))


@lasting.message_action(
    "Fails after a sleep", request=Asked, response=Told, retry=Retry(wait_seconds=0.01)
)
def fails_after_a_sleep(request, execution):
    execution.sleep(0.2)
    note(request["file"], "woke")
    if execution.attempt < 3:
        raise ConnectionError("not yet")
    return {"text": "at last"}


class Thing(Profile):
    id = fields.String(data_key="ID")


thing = lasting.data_action("Thing", profile=Thing, key="id")


@thing.get
def get_thing(id, execution):
    execution.sleep(1)


# --- children


class Many(Profile):
    count = fields.Integer(data_key="Count", load_default=5)
    concurrency = fields.Integer(data_key="Concurrency", load_default=3)
    bad = fields.Integer(data_key="Bad", load_default=-1)
    how = fields.String(data_key="How", load_default="fault")
    seconds = fields.Float(data_key="Seconds", load_default=0.0)
    file = fields.String(data_key="File", required=True)


def square(item, execution):
    """One item: leaves a line in a step, sleeps, goes wrong where it is told to."""
    execution.step("line", note, item["file"], f"begin {item['number']}")
    if item["seconds"]:
        execution.sleep(item["seconds"])
    if item["is_bad"]:
        time.sleep(0.2)
        if item["how"] == "fault":
            raise Fault(f"{item['number']} is bad.", name="Bad")
        if item["how"] == "break":
            raise RuntimeError("canary-in-an-item")
        marker = f"{item['file']}.died"
        if item["how"] == "die" or not os.path.exists(marker):
            note(marker, "x")
            if item["how"] == "break once":
                raise RuntimeError("not yet")
            os.kill(os.getpid(), signal.SIGKILL)
    execution.step("end", note, item["file"], f"end {item['number']}")
    return item["number"] ** 2


def numbers(request):
    return [
        {
            "number": number,
            "seconds": request["seconds"],
            "file": request["file"],
            "is_bad": number == request["bad"],
            "how": request["how"],
        }
        for number in range(request["count"])
    ]


@lasting.message_action("Squares", request=Many, response=Told)
def squares(request, execution):
    found = execution.map("squares", square, numbers(request), concurrency=request["concurrency"])
    return {"text": ",".join(map(str, found))}


@lasting.message_action(
    "Squares in tries", request=Many, response=Told, retry=Retry(wait_seconds=0.1)
)
def squares_in_tries(request, execution):
    found = execution.map("squares", square, numbers(request), concurrency=request["concurrency"])
    return {"text": ",".join(map(str, found))}


def nap(item, execution):
    """One item that keeps its worker for a while, in a step."""

    def body():
        time.sleep(item["seconds"])
        note(item["file"], f"napped {item['number']}")

    execution.step("nap", body)
    return item["number"] ** 2


@lasting.message_action("Naps", request=Many, response=Told)
def naps(request, execution):
    found = execution.map("naps", nap, numbers(request), concurrency=request["concurrency"])
    return {"text": ",".join(map(str, found))}


@lasting.message_action("Squares all the same", request=Many, response=Told)
def squares_all_the_same(request, execution):
    found = execution.map("squares", square, numbers(request), return_faults=True)
    return {"text": ",".join(type(each).__name__ for each in found)}


@lasting.message_action("Calls", request=Many, response=Told)
def calls(request, execution):
    document = {"count": request["count"], "file": request["file"], "bad": request["bad"]}
    first = execution.call(squares, document)
    second = execution.call(squares, {**document, "count": 2})
    return {"text": f"{first['text']}; {second['text']}"}


@lasting.message_action("Maps a lambda", response=Told)
def maps_a_lambda(request, execution):
    execution.map("lambda", lambda item, execution: item, [1])


@lasting.message_action("Maps something else each time", request=Many, response=Told)
def maps_something_else(request, execution):
    execution.map("times", square, [time.time()])


@lasting.message_action("Tree", request=Tree, response=Tree)
def tree(request, execution):
    """Wait for the signal `grow`, so that a test can restart the workers meanwhile."""
    execution.signal("grow")
    return request


def grown(item, execution):
    return execution.call(tree, full_tree(item))["branches"][1]["leaves"][1]["text"]


@lasting.message_action("Calls with structures", response=Told)
def calls_with_structures(request, execution):
    document = full_tree()
    is_same = execution.call(tree, document) == document
    return {"text": f"{is_same}; {','.join(execution.map('trees', grown, ['a', 'b']))}"}
