"""Steps: what was recorded is what ran last, and nothing recorded ran again."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import orjson

from tests.chaos.evidence import Evidence, ExecutionEvidence
from tests.chaos.lines import BEGAN, FINISHED, RECORDED, Line
from tests.chaos.services import CLEANUP_STEP
from tests.chaos.violations import Violation

RERUN = "a recorded step ran again"
# What an item of a map records; the first of them not each.
_ITEM_STEPS = ("sleep", "step 1")
# Waits, which nothing is told of but that they are over.
_WITHOUT_BODY = ("sleep", "items")
STALE = "a worker that had lost the execution ran a recorded step"


def check_steps(evidence: Evidence) -> Iterator[Violation]:
    """Compares the journal in Redis with the lines that the bodies wrote."""
    by_step: dict[tuple[str, int], list[Line]] = defaultdict(list)
    for line in evidence.lines:
        by_step[line.execution, line.position].append(line)
    steps_of = {flow.state_id: flow.steps for flow in evidence.flows}
    for execution in evidence.executions:
        if execution["ending_state"]:
            yield from _check_order(execution, [CLEANUP_STEP])
        elif execution["parent"]:
            yield from _check_order(execution, _ITEM_STEPS[-len(execution.steps) :])
        else:
            yield from _check_order(execution, steps_of.get(execution["state_id"], ()))
        for position, step in enumerate(execution.steps, 1):
            if step[0] in _WITHOUT_BODY:
                continue
            yield from _check_step(execution, step, by_step[execution.id, position], position)


def _check_order(execution: ExecutionEvidence, wanted: Sequence[str]) -> Iterator[Violation]:
    names = [step[0] for step in execution.steps]
    if names != list(wanted):
        yield Violation("steps in another order", execution.id, f"{names}, not {wanted}")


def _check_step(
    execution: ExecutionEvidence, step: Sequence[str], lines: Sequence[Line], position: int
) -> Iterator[Violation]:
    where = f"{execution.id} step {position}"
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
