"""The service that the tests call: one action for each thing a process can do."""

import os
import signal
import time

from atom import Fault, FlowService, Profile, Retry, StepFailed, fields

trial = FlowService("Trial", summary="What the tests call")


class Line(Profile):
    sku = fields.String(data_key="Sku", required=True)
    quantity = fields.Integer(data_key="Quantity", required=True)


class Everything(Profile):
    text = fields.String(data_key="Text", required=True)
    password = fields.Password(data_key="Password")
    content = fields.Content(data_key="Content")
    encrypted = fields.Encrypted(data_key="Encrypted")
    number = fields.Number(data_key="Number")
    flag = fields.Boolean(data_key="Flag")
    moment = fields.DateTime(data_key="Moment")
    line = fields.Nested(Line, data_key="Line")
    lines = fields.List(fields.Nested(Line), data_key="Lines")


class Text(Profile):
    text = fields.String(data_key="Text")


class Seconds(Profile):
    seconds = fields.Float(data_key="Seconds", load_default=0.0)
    file = fields.String(data_key="File")


@trial.message_action("Echo", request=Everything, response=Everything, wait_message="Echoing…")
def echo(request, execution):
    return request


@trial.message_action("Plain name: ä/b?", response=Text)
def oddly_named(request, execution):
    return {"text": "found"}


@trial.message_action("Progress", response=Text)
def progress(request, execution):
    for number in range(5):
        execution.progress(f"message {number}", number / 5)
        time.sleep(0.25)
    return {"text": "done"}


@trial.message_action("Nothing", response=Everything)
def nothing(request, execution):
    return {"text": ""}


@trial.message_action("No", response=Text)
def no(request, execution):
    raise Fault("We are closed on Sundays.", name="Closed")


@trial.message_action("Break", response=Text)
def broken(request, execution):
    raise RuntimeError("canary-in-an-exception")


@trial.message_action("Wrong result", response=Text)
def wrong_result(request, execution):
    return {"texd": "typo"}


@trial.message_action("Sync", request=Seconds, response=Text, sync_timeout=2)
def sync(request, execution):
    time.sleep(request["seconds"])
    return {"text": "in time?"}


@trial.message_action("Boundary", request=Seconds, response=Text, sync_timeout=1)
def boundary(request, execution):
    time.sleep(request["seconds"])
    return {"text": "at the boundary"}


@trial.message_action("Short", request=Seconds, response=Text, timeout=1)
def short(request, execution):
    time.sleep(request["seconds"])
    return {"text": "too late"}


@trial.message_action("Dies once", request=Seconds, response=Text)
def dies_once(request, execution):
    """Write a line for each run of the step; kill the worker at the first attempt."""

    def step():
        with open(request["file"], "a") as file:
            file.write("ran\n")

    execution.step("append", step)
    if execution.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"text": f"attempt {execution.attempt}"}


@trial.message_action("Always dies", response=Text)
def always_dies(request, execution):
    os.kill(os.getpid(), signal.SIGKILL)


@trial.message_action("Until cancelled", request=Seconds, response=Text)
def until_cancelled(request, execution):
    """Write a line when it is told that it no longer counts."""
    while not execution.cancelled:
        time.sleep(0.05)
    with open(request["file"], "a") as file:
        file.write("told\n")
    return {"text": "too late"}


@trial.message_action("Flaky", request=Seconds, response=Text, retry=Retry(wait_seconds=0.2))
def flaky(request, execution):
    """Fail in its second step until the file has three lines of it."""

    def tried(name):
        with open(request["file"], "a") as file:
            file.write(f"{name}\n")

    execution.step("first", tried, "first")

    def second():
        tried("second")
        with open(request["file"]) as file:
            if file.read().count("second") < 3:
                raise ConnectionError("not yet")

    execution.step("second", second)
    return {"text": f"attempt {execution.attempt}"}


@trial.message_action(
    "Never", request=Seconds, response=Text, retry=Retry(attempts=3, wait_seconds=0.1)
)
def never(request, execution):
    """Write a line for each try, and fail."""
    with open(request["file"], "a") as file:
        file.write("tried\n")
    raise ConnectionError("canary-in-an-exception")


@trial.message_action(
    "Says no", request=Seconds, response=Text, retry=Retry(attempts=3, wait_seconds=0.1)
)
def says_no(request, execution):
    """Write a line for each try, and say no: an answer, which no policy repeats."""
    with open(request["file"], "a") as file:
        file.write("tried\n")
    raise Fault("We are closed on Sundays.", name="Closed")


@trial.message_action(
    "Waits long", request=Seconds, response=Text, retry=Retry(attempts=2, wait_seconds=600)
)
def waits_long(request, execution):
    """Fail, and be tried again much later."""
    raise ConnectionError("not now")


@trial.message_action("Repairable", request=Seconds, response=Text)
def repairable(request, execution):
    """Fail until somebody writes `repaired` into the file; each step writes its name."""

    def write(name):
        with open(request["file"], "a") as file:
            file.write(f"{name}\n")

    def check():
        with open(request["file"]) as file:
            if "repaired" not in file.read():
                raise RuntimeError("broken")

    execution.step("reserve", write, "reserve")
    execution.step("check", check)
    return {"text": "repaired"}


@trial.message_action("Steps in place", request=Seconds, response=Text)
def steps_in_place(request, execution):
    """A step with a policy of its own, and one whose failure the process deals with."""

    def write():
        with open(request["file"], "a") as file:
            file.write("ran\n")
        with open(request["file"]) as file:
            if file.read().count("ran") < 3:
                raise TimeoutError("slow")

    execution.step("write", write, retry=Retry(attempts=5, wait_seconds=0.01))
    try:
        execution.step("primary", int, "no number")
    except StepFailed as failed:
        return {"text": execution.step("fallback", f"{failed.kind}, so the fallback".upper)}
