"""The service under chaos. What each answers follows from its inputs alone, so it can be checked.

Each body of a step returns the id of its run, which the journal records and the flow is told: what
was recorded, what ran and what the flow heard can be compared.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

from atom import Execution, Fault, FlowService, Profile, Retry, fields
from tests.chaos import lines

chaos = FlowService("Chaos", summary="What is asked while everything breaks")

VERSION_VARIABLE: Final = "CHAOS_VERSION"
"""The environment variable that names the version of the code of Changing."""
VERSIONS: Final = 3
_VERSION: Final = int(os.environ.get(VERSION_VARIABLE, "0"))

FAULT_NAME = "ChaosNo"
CLEANUP_STEP = "clean up"
WITH_CLEANUP = ("Stepping", "Faulting")
SLEEPS_ABOVE_SECONDS = 0.2


class DeliberateFailureError(Exception):
    """What failing processes raise; its traceback belongs in the log."""


class Asked(Profile):
    value = fields.String(data_key="Value", required=True)
    waits = fields.String(data_key="Waits", load_default="")
    """Milliseconds, comma-separated: of each step, or of the process."""
    failures = fields.Integer(data_key="Failures", load_default=0)
    """How many attempts fail before one may succeed, and how often each step fails in one."""


class Answered(Profile):
    text = fields.String(data_key="Text")
    runs = fields.String(data_key="Runs")


class Note(Profile):
    id = fields.String(data_key="ID", required=True)
    text = fields.String(data_key="Text")


def answer_to(action: str, value: str) -> str:
    """What a flow hears from an action."""
    return f"{action}:{value[::-1]}"


def no_to(value: str) -> str:
    """What a flow hears where the process says no."""
    return f"There is no {value}."


def note_text(id: str) -> str:
    """The text of a note."""
    return f"note {id[::-1]}"


def waits_of(text: str) -> list[float]:
    """Seconds, from the milliseconds in an input."""
    return [int(each) / 1000 for each in text.split(",") if each]


class _Witness:
    """Writes the lines of one run of a process."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self.runs: dict[str, str] = {}
        self._write(lines.BEGAN, "", str(uuid4()))

    def step(
        self,
        name: str,
        body: Callable[[], object],
        retry: Retry | None = None,
        names: tuple[str, str | None] | None = None,
    ) -> None:
        """Run a step whose body is watched; the id of the run that counts is kept.

        With `names` the journal knows the step by the first of them, formerly by the second.
        """

        def watched() -> str:
            run = str(uuid4())
            self._write(lines.BEGAN, name, run)
            body()
            self._write(lines.FINISHED, name, run)
            return run

        recorded_as, formerly = names or (name, None)
        recorded = self._execution.step(recorded_as, watched, retry=retry, formerly=formerly)
        self._write(lines.RECORDED, name, recorded)
        self.runs[name] = recorded

    def sleep(self, seconds: float) -> None:
        """Be suspended."""
        self._execution.sleep(seconds)

    def result(self, action: str, value: str) -> dict[str, str]:
        runs = [self.runs[name] for name in sorted(self.runs) if name.startswith("step ")]
        return {"text": answer_to(action, value), "runs": ",".join(runs)}

    def _write(self, kind: str, name: str, run: str) -> None:
        execution = self._execution
        lines.write(kind, execution.id, execution.attempt, name, run)


@chaos.message_action("Quick", request=Asked, response=Answered)
def quick(request, execution):
    return _Witness(execution).result("Quick", request["value"])


@chaos.message_action("Slow", request=Asked, response=Answered)
def slow(request, execution):
    witness = _Witness(execution)
    for seconds in waits_of(request["waits"]):
        time.sleep(seconds)
    return witness.result("Slow", request["value"])


def clean_up(request, execution, ending):
    _Witness(execution).step(CLEANUP_STEP, lambda: time.sleep(0.01))


@chaos.message_action("Stepping", request=Asked, response=Answered, on_end=clean_up)
def stepping(request, execution):
    witness = _Witness(execution)
    for number, seconds in enumerate(waits_of(request["waits"]), 1):
        witness.step(f"step {number}", lambda seconds=seconds: time.sleep(seconds))
    return witness.result("Stepping", request["value"])


@chaos.message_action("Faulting", request=Asked, response=Answered, on_end=clean_up)
def faulting(request, execution):
    witness = _Witness(execution)
    for number, seconds in enumerate(waits_of(request["waits"]), 1):
        witness.step(f"step {number}", lambda seconds=seconds: time.sleep(seconds))
    raise Fault(no_to(request["value"]), name=FAULT_NAME)


@chaos.message_action("Failing", request=Asked, response=Answered)
def failing(request, execution):
    _Witness(execution)
    raise DeliberateFailureError


@chaos.message_action(
    "Flaky", request=Asked, response=Answered, retry=Retry(attempts=4, wait_seconds=0.3)
)
def flaky(request, execution):
    witness = _Witness(execution)
    for number, seconds in enumerate(waits_of(request["waits"]), 1):
        body = _Breaking(request["failures"], seconds)
        witness.step(f"step {number}", body, Retry(attempts=4, wait_seconds=0.1))
    if execution.attempt <= request["failures"]:
        raise DeliberateFailureError
    return witness.result("Flaky", request["value"])


class _Breaking:
    """The body of a step that fails a number of times."""

    def __init__(self, failures: int, seconds: float) -> None:
        self._failures, self._seconds = failures, seconds

    def __call__(self) -> None:
        time.sleep(self._seconds)
        self._failures -= 1
        if self._failures >= 0:
            raise DeliberateFailureError


@chaos.message_action("Telling", request=Asked, response=Answered)
def telling(request, execution):
    witness = _Witness(execution)
    waits = waits_of(request["waits"])
    for number, seconds in enumerate(waits):
        execution.progress(f"{number} of {len(waits)}", number / len(waits))
        time.sleep(seconds)
    return witness.result("Telling", request["value"])


@chaos.message_action("Sleeping", request=Asked, response=Answered)
def sleeping(request, execution):
    """Steps, and a sleep after each but the last."""
    witness = _Witness(execution)
    waits = waits_of(request["waits"])
    for number, seconds in enumerate(waits, 1):
        if number > 1:
            witness.sleep(seconds)
        witness.step(f"step {number}", lambda: None)
    return witness.result("Sleeping", request["value"])


def mapped(seconds: float, execution: Execution) -> str:
    """An item of Mapping: one step, now and then after a sleep."""
    witness = _Witness(execution)
    if seconds > SLEEPS_ABOVE_SECONDS:
        witness.sleep(seconds)
    witness.step("step 1", lambda: time.sleep(min(seconds, SLEEPS_ABOVE_SECONDS)))
    (run,) = witness.runs.values()
    return run


@chaos.message_action("Mapping", request=Asked, response=Answered)
def mapping(request, execution):
    _Witness(execution)
    waits = waits_of(request["waits"])
    runs = execution.map("items", mapped, waits, concurrency=4)
    return {"text": answer_to("Mapping", request["value"]), "runs": ",".join(runs)}


@chaos.message_action("Changing", request=Asked, response=Answered)
def changing(request, execution):
    """Steps that a version of the code inserts, reverses or renames."""
    witness = _Witness(execution)
    waits = list(enumerate(waits_of(request["waits"]), 1))
    for count, (number, seconds) in enumerate(waits[::-1] if _VERSION == 2 else waits, 1):
        if count == 2:
            execution.sleep(0.2, name="pause")
            if _VERSION == 1:
                witness.step("inspect", lambda: None)
        names = (f"step {number}", f"part {number}")
        witness.step(
            names[0],
            lambda seconds=seconds: time.sleep(seconds),
            names=names[::-1] if _VERSION == 2 else names,
        )
    return witness.result("Changing", request["value"])


def mended(directory: str, execution_id: str) -> Path:
    """Return the file whose presence lets an execution of Mending complete."""
    return Path(directory) / f"{execution_id}.mended"


@chaos.message_action("Mending", request=Asked, response=Answered)
def mending(request, execution):
    """A step, and a failure until an operator has mended its cause."""
    witness = _Witness(execution)
    witness.step("step 1", lambda: None)
    if not mended(os.environ[lines.DIRECTORY], execution.id).exists():
        raise DeliberateFailureError
    witness.step("step 2", lambda: None)
    return witness.result("Mending", request["value"])


@chaos.message_action("Prompt", request=Asked, response=Answered, sync_timeout=1)
def prompt(request, execution):
    witness = _Witness(execution)
    for seconds in waits_of(request["waits"]):
        time.sleep(seconds)
    return witness.result("Prompt", request["value"])


@chaos.message_action("Holding", request=Asked, response=Answered)
def holding(request, execution):
    """Hold the worker in the first attempt, until that no longer counts; later ones end at once."""
    witness = _Witness(execution)
    end = time.monotonic() + sum(waits_of(request["waits"]))
    while execution.attempt == 1 and not execution.cancelled and time.monotonic() < end:
        time.sleep(0.1)
    return witness.result("Holding", request["value"])


notes = chaos.data_action("Note", profile=Note, key="id")


@notes.get
def get_note(id, execution):
    return {"id": id, "text": note_text(id)}


@notes.save
def save_note(note, execution):
    return {"id": note["id"], "text": note_text(note["id"])}
