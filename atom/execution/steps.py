"""How a step runs and how its outcome is written: the same in a worker and in a test."""

from collections.abc import Callable
from typing import Any

import orjson

from atom.errors import ClaimLost, Fault, Faults, SignalTimedOut, StepFailed, StepResultError
from atom.execution.failures import kinds_of, plain_faults, reason_of
from atom.execution.masked_results import masked_encoding
from atom.execution.recorded_values import decode, encode
from atom.protocol.exact_json import parse_exactly
from atom.records import Step, StepKind
from atom.retry import Retry
from atom.suspension import Suspended


def run_step(
    name: str,
    function: Callable[[], Any],
    retry: Retry | None,
    pause: Callable[[float], None],
    is_ending: Callable[[], bool] = lambda: False,
) -> tuple[Step, BaseException | None]:
    """Run a step until it has an outcome: a result, a fault, or a failure that is not retried.

    Args:
        name: of the step.
        function: its body.
        retry: which of its failures are tried again.
        pause: waits that many seconds between two tries; what it raises ends the step without
            an outcome.
        is_ending: whether a signal is ending this worker process. What the body raises from then
            on is no outcome.

    Returns:
        The outcome to record, and the exception behind it where there is one.

    Raises:
        ClaimLost, Suspended: raised in the body, and no outcome of it.
        StepResultError: what it returned cannot be recorded.
    """
    failed = 0
    while True:
        try:
            result = function()
        except (ClaimLost, Suspended):
            raise
        except BaseException as error:
            if is_ending():
                raise
            wait = retry.next_wait(failed, error) if retry else None
            if wait is None:
                return unsuccessful(name, error), error
        else:
            try:
                step = Step(name, encode(result), masked_result=masked_encoding(result))
                return step, None
            except TypeError as error:
                raise StepResultError(name, str(error)) from error
        failed += 1
        pause(wait)


def outcome_of(step: Step, cause: BaseException | None = None) -> Any:
    """What the process sees of a recorded step, in the attempt that ran it and in later ones.

    Raises:
        Fault, Faults: the step said no.
        StepFailed: it broke.
    """
    match step.kind:
        case StepKind.FAULT:
            faults = [Fault(*each) for each in orjson.loads(step.result)]
            raise (faults[0] if len(faults) == 1 else Faults(*faults)) from cause
        case StepKind.FAILURE:
            content = orjson.loads(step.result)
            kinds = tuple(content["kinds"])
            raise StepFailed(step.name, kinds, content["reason"]) from cause
        case StepKind.RESULT:
            return decode(step.result)


def step_of_signal(name: str, event: str | None, giver: str = "") -> Step:
    """Return the record of a signal; None: no event came in time, which a retry may change."""
    if event is None:
        return unsuccessful(name, SignalTimedOut(name))
    return Step(name, encode(event), giver=giver)


def event_of(name: str, step: Step) -> Any:
    """What the process sees of a recorded signal.

    Raises:
        SignalTimedOut: it did not come in time.
    """
    if step.kind is StepKind.FAILURE:
        raise SignalTimedOut(name)
    return parse_exactly(decode(step.result))


def unsuccessful(name: str, error: BaseException) -> Step:
    """What is recorded of a step that raised this."""
    if issubclass(type(error), Fault | Faults):
        faults = [(each.message, each.name, each.entry) for each in plain_faults(error)]
        return Step(name, orjson.dumps(faults).decode(), StepKind.FAULT)
    content = {"kinds": kinds_of(type(error)), "reason": reason_of(error)}
    return Step(name, orjson.dumps(content).decode(), StepKind.FAILURE)
