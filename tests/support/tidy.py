"""A service whose action has a cleanup: each step of both leaves a line in a file."""

import os
import signal
import time
from pathlib import Path

from atom import Fault, FlowService, Profile, fields

tidy = FlowService("Tidy", summary="Cleans up after itself")


class Job(Profile):
    how = fields.String(data_key="How", load_default="complete")
    cleanup = fields.String(data_key="Cleanup", load_default="complete")
    file = fields.String(data_key="File", required=True)
    password = fields.Password(data_key="Password")


def note(file, line):
    with open(file, "a") as lines:
        lines.write(f"{line}\n")


def die_once(file):
    """Kill the worker process, unless an earlier attempt did."""
    marker = Path(f"{file}.died")
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def clean_up(request, execution, ending):
    file, how = request["file"], request["cleanup"]
    execution.log.info("Cleaning up with %s", request["password"])
    if how == "die at once":
        die_once(file)
    execution.step("first", note, file, f"first after {ending.state.value}: {ending.error}")
    if how == "die":
        die_once(file)
    if how == "wait":
        execution.signal("go")
    if how == "break" and not Path(f"{file}.mended").exists():
        raise ConnectionError("no way out")
    execution.step("second", note, file, "second")


@tidy.message_action("Work", request=Job, timeout=3600, on_end=clean_up)
def work(request, execution):
    execution.step("work", note, request["file"], "work")
    match request["how"]:
        case "fault":
            raise Fault("Not today.", name="No")
        case "break":
            raise ValueError("broken")
        case "hang":
            while not execution.cancelled:
                time.sleep(0.05)
        case "wait":
            execution.signal("go")


@tidy.message_action("Hurry", request=Job, timeout=8, on_end=clean_up)
def hurry(request, execution):
    execution.step("work", note, request["file"], "work")
    execution.signal("go")
