"""Steps: what was recorded is what ran last, and nothing recorded ran again."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import orjson

from tests.chaos.evidence import Evidence, ExecutionEvidence
from tests.chaos.lines import BEGAN, FINISHED, RECORDED, Line
from tests.chaos.services import CLEANUP_STEP
from tests.chaos.violations import Violation

RERUN = "a recorded step ran again"
# The entries of an item of a map; some items do not sleep.
_ITEM_STEPS = ("sleep", "step 1")
# Waits have no body.
_WITHOUT_BODY = ("sleep", "items", "pause")
# Entries of some versions of the code, and at any place among the others.
_OF_VERSIONS = ("pause", "inspect")
STALE = "a worker that had lost the execution ran a recorded step"


def check_steps(evidence: Evidence) -> Iterator[Violation]:
    """Compares the journal in Redis with the lines that the bodies wrote."""
    by_step: dict[tuple[str, int], list[Line]] = defaultdict(list)
    for line in evidence.lines:
        by_step[line.execution, line.name].append(line)
    flows = {flow.state_id: flow for flow in evidence.flows}
    for execution in evidence.executions:
        if execution["ending_state"]:
            yield from _check_order(execution, [CLEANUP_STEP])
        elif execution["parent"]:
            yield from _check_order(execution, _ITEM_STEPS[-len(execution.steps) :])
        else:
            flow = flows.get(execution["state_id"])
            yield from _check_order(execution, flow.steps if flow else ())
        for step in execution.steps:
            if step[0] in _WITHOUT_BODY:
                continue
            name = first_name(step[0])
            yield from _check_step(execution, step, by_step[execution.id, name], name)


def first_name(name: str) -> str:
    """Return the name of a step in the first version of the code."""
    return name.replace("part ", "step ")


def _check_order(execution: ExecutionEvidence, wanted: Sequence[str]) -> Iterator[Violation]:
    names = [step[0] for step in execution.steps]
    if execution["action"] == "Changing":
        names = sorted(first_name(name) for name in names if name not in _OF_VERSIONS)
    if names != list(wanted):
        yield Violation("steps in another order", execution.id, f"{names}, not {wanted}")


def _check_step(
    execution: ExecutionEvidence, step: Sequence[str], lines: Sequence[Line], name: str
) -> Iterator[Violation]:
    where = f"{execution.id} {name}"
    recorded = orjson.loads(step[1])
    mine = {line.kind: line for line in lines if line.run == recorded}
    if FINISHED not in mine or BEGAN not in mine:
        yield Violation("a step was recorded that did not finish", where, str(recorded))
        return
    went_on = [line for line in lines if line.kind == RECORDED]
    strangers = {line.run for line in went_on} - {recorded}
    if strangers:
        what = f"recorded is {recorded}, the process went on with {sorted(strangers)}"
        yield Violation("two results of one step", where, what)
    # Between the end of a body and its record the worker may die: it may run twice then. But
    # whoever claims it after the record finds the record; and who is fenced off runs no more of it.
    kept = mine[FINISHED]
    known_since = min((line.at for line in went_on), default=None)
    for line in lines:
        if line.kind != BEGAN or line.run == recorded:
            continue
        if line.attempt > kept.attempt:
            yield Violation(RERUN, where, _compared(line, kept))
        elif known_since is not None and line.at > known_since:
            is_same = line.attempt == kept.attempt
            yield Violation(RERUN if is_same else STALE, where, _compared(line, kept))


def _compared(again: Line, kept: Line) -> str:
    return (
        f"run {kept.run[:8]} of attempt {kept.attempt} (group {kept.group}) was recorded; run "
        f"{again.run[:8]} of attempt {again.attempt} (group {again.group}) began "
        f"{again.at - kept.at:.2f} s after it had finished"
    )
