"""A service whose processes make it hard to keep their leases, or to end them."""

import os
import re
import threading
import time
from pathlib import Path

from atom import FlowService, Profile, fields
from tests.support.waits import write

hogs = FlowService("Hogs", summary="What does not let go")


class Where(Profile):
    directory = fields.String(data_key="Directory", required=True)
    seconds = fields.Float(data_key="Seconds", load_default=0.0)


class Times(Profile):
    call = fields.Float(data_key="Call")
    silence = fields.Float(data_key="Silence")


class Text(Profile):
    text = fields.String(data_key="Text")


class _Ticker(threading.Thread):
    """What a thread beside a process gets to do: knows its longest silence."""

    def __init__(self):
        super().__init__(daemon=True)
        self.silence = 0.0
        self._enough = threading.Event()

    def run(self):
        last = time.monotonic()
        while not self._enough.wait(0.01):
            now = time.monotonic()
            self.silence = max(self.silence, now - last)
            last = now

    def end(self):
        self._enough.set()
        self.join()


@hogs.message_action("Compute", request=Where, response=Times)
def compute(request, execution):
    """Make calls that keep the GIL, each twice as long, until one took as long as is wanted."""
    ticker = _Ticker()
    ticker.start()
    length, took = 20, 0.0
    while took < request["seconds"]:
        began = time.monotonic()
        re.match(r"(a+)+$", "a" * length + "b")  # goes through every way to divide the a's
        took = time.monotonic() - began
        length += 1
    ticker.end()
    return {"call": took, "silence": ticker.silence}


@hogs.message_action("For ever", request=Where, response=Text)
def for_ever(request, execution):
    """Never ask whether it still counts."""
    write(request["directory"], f"began {os.getpid()}")
    while True:
        time.sleep(0.05)


def _wait_until_told(request, execution):
    write(request["directory"], "began")
    while not execution.cancelled:
        time.sleep(0.05)
    write(request["directory"], "told")
    return {"text": "too late"}


@hogs.message_action("Until told", request=Where, response=Text)
def until_told(request, execution):
    return _wait_until_told(request, execution)


@hogs.message_action("Until told, hurried", request=Where, response=Text, timeout=8)
def until_told_hurried(request, execution):
    return _wait_until_told(request, execution)


@hogs.message_action("Between two steps", request=Where, response=Text)
def between_two_steps(request, execution):
    """Two steps; between them wait for the file `go`."""
    directory = Path(request["directory"])
    execution.step("first", write, directory, f"first {execution.attempt}")
    write(directory, f"between {execution.attempt}")
    while not (directory / "go").exists():
        time.sleep(0.02)
    execution.step("second", write, directory, f"second {execution.attempt}")
    return {"text": f"attempt {execution.attempt}"}
