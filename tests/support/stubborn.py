"""What fails, says no, is tried again, or does not end: apart from what is fuzzed."""

import time
from pathlib import Path

from atom import Fault, FlowService, Profile, Retry, StepFailed, fields

stubborn = FlowService("Stubborn", summary="What operators and policies deal with")


class Asked(Profile):
    file = fields.String(data_key="File")


class Text(Profile):
    text = fields.String(data_key="Text")


@stubborn.message_action("Until cancelled", request=Asked, response=Text)
def until_cancelled(request, execution):
    """Write a line when it is told that it no longer counts."""
    while not execution.cancelled:
        time.sleep(0.05)
    with open(request["file"], "a") as file:
        file.write("told\n")
    return {"text": "too late"}


def _wait_for(file):
    while not Path(file).exists():
        time.sleep(0.02)


@stubborn.message_action("Progress when told", request=Asked, response=Text)
def progress_when_told(request, execution):
    """Send each message once the file of its number exists, beside the given one."""
    for number in range(5):
        _wait_for(f"{request['file']}.{number}")
        execution.progress(f"message {number}", number / 5)
    _wait_for(f"{request['file']}.end")
    return {"text": "done"}


@stubborn.message_action("Patient", request=Asked, response=Text, sync_timeout=59)
def patient(request, execution):
    """End once the file exists; the answer waits for it, also on a slow machine."""
    _wait_for(request["file"])
    return {"text": "in time"}


@stubborn.message_action("Impatient", request=Asked, response=Text, sync_timeout=1)
def impatient(request, execution):
    """End once the file exists; the answer does not wait for it."""
    _wait_for(request["file"])
    return {"text": "late"}


@stubborn.message_action("Flaky", request=Asked, response=Text, retry=Retry(wait_seconds=0.2))
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


@stubborn.message_action(
    "Never", request=Asked, response=Text, retry=Retry(attempts=3, wait_seconds=0.1)
)
def never(request, execution):
    """Write a line for each try, and fail."""
    with open(request["file"], "a") as file:
        file.write("tried\n")
    raise ConnectionError("canary-in-an-exception")


@stubborn.message_action(
    "Says no", request=Asked, response=Text, retry=Retry(attempts=3, wait_seconds=0.1)
)
def says_no(request, execution):
    """Write a line for each try, and say no: an answer, which no policy repeats."""
    with open(request["file"], "a") as file:
        file.write("tried\n")
    raise Fault("We are closed on Sundays.", name="Closed")


@stubborn.message_action(
    "Waits long", request=Asked, response=Text, retry=Retry(attempts=2, wait_seconds=600)
)
def waits_long(request, execution):
    """Fail, and be tried again much later."""
    raise ConnectionError("not now")


@stubborn.message_action("Repairable", request=Asked, response=Text)
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


@stubborn.message_action("Steps in place", request=Asked, response=Text)
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
