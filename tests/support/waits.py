"""A service whose steps take as long as a test wants, and leave a line at each end of theirs."""

import os
import time
from pathlib import Path

from atom import FlowService, Profile, fields

waits = FlowService("Waits", summary="What ends when it is told to")


class Stepping(Profile):
    directory = fields.String(data_key="Directory", required=True)
    steps = fields.Integer(data_key="Steps", load_default=2)
    seconds = fields.Float(data_key="Seconds", load_default=0.0)


class Text(Profile):
    text = fields.String(data_key="Text")


def write(directory, line):
    """One line, whole, whoever else writes."""
    with open(Path(directory) / "lines", "ab", buffering=0) as file:
        file.write(f"{line}\n".encode())


def lines(directory):
    """What was written so far."""
    path = Path(directory) / "lines"
    return path.read_text().splitlines() if path.exists() else []


@waits.message_action("Steps", request=Stepping, response=Text)
def steps(request, execution):
    """Run steps of so many seconds each."""

    def step(number):
        write(request["directory"], f"{execution.id} began {number}")
        time.sleep(request["seconds"])
        write(request["directory"], f"{execution.id} ended {number}")
        return number

    for number in range(request["steps"]):
        execution.step(f"step {number}", step, number)
    return {"text": f"{request['steps']} steps"}


@waits.message_action("Until told", request=Stepping, response=Text)
def until_told(request, execution):
    """Two steps, of which the second ends when the file `go` is there."""
    directory = Path(request["directory"])
    execution.step("first", write, directory, "first")

    def second():
        write(directory, f"second {os.getpid()}")
        while not (directory / "go").exists():
            time.sleep(0.02)

    execution.step("second", second)
    return {"text": f"attempt {execution.attempt}"}
