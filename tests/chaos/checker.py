"""The independent judge: from evidence to broken promises. It imports nothing of the runtime."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tests.chaos.cleanup_checks import check_cleanups
from tests.chaos.evidence import Evidence, ExecutionEvidence, FlowEvidence
from tests.chaos.log_checks import check_logs
from tests.chaos.redis_checks import check_redis
from tests.chaos.services import FAULT_NAME, answer_to, no_to
from tests.chaos.step_checks import check_steps, first_name
from tests.chaos.violations import LOST, MOVED_TWICE, Violation

_FINAL = {"completed", "faulted", "failed", "cancelled", "timed_out"}
_ENDS_AS = {"Faulting": "faulted", "Failing": "failed"}  # all others: completed
# What a data request may be answered while things break: not stored, or no result in time.
_EXCUSED = {None, 503, 504}


def check(evidence: Evidence) -> list[Violation]:
    """Every broken promise."""
    checks: Sequence[Callable[[Evidence], Iterator[Violation]]] = (
        check_flows,
        check_outcomes,
        check_executions,
        check_cleanups,
        check_callbacks,
        check_steps,
        check_synchronous,
        check_redis,
        check_workers,
        check_logs,
    )
    return [violation for each in checks for violation in each(evidence)]


def check_flows(evidence: Evidence) -> Iterator[Violation]:
    """Each was taken in the end, and moved once."""
    for flow in evidence.flows:
        moves = len(flow.of_kind("resumed"))
        if not flow.is_accepted:
            refusals = Counter(str(event.details["status"]) for event in flow.of_kind("refused"))
            yield Violation("never accepted", flow.state_id, f"{flow.action}, {dict(refusals)}")
        elif moves == 0:
            yield Violation(LOST, flow.state_id, f"{flow.action}, {_history(flow)}")
        if moves > 1:
            yield Violation(MOVED_TWICE, flow.state_id, f"{flow.action}, {_history(flow)}")


def check_outcomes(evidence: Evidence) -> Iterator[Violation]:
    """What the flow heard is right for what it asked, and always the same."""
    executions, children = _by_flow(evidence), _by_parent(evidence)
    for flow in evidence.flows:
        outcomes = {
            event.details["digest"]
            for event in flow.of_kind("callback")
            if event.details["invokeType"] == "FORWARD"
        }
        if len(outcomes) > 1:
            yield Violation("several outcomes were sent", flow.state_id, _history(flow))
        for event in flow.of_kind("resumed"):
            mine = executions.get(flow.state_id, [])
            wrong = _wrong_outcome(flow, event.details, mine, children)
            if wrong:
                yield Violation("wrong outcome", flow.state_id, f"{flow.action}: {wrong}")


def _wrong_outcome(
    flow: FlowEvidence,
    told: Mapping[str, Any],
    executions: Sequence[ExecutionEvidence],
    children: Mapping[str, Sequence[ExecutionEvidence]],
) -> str:
    """What is wrong with what a flow was told, or ''."""
    outputs = {each["developerName"]: each["contentValue"] for each in told["outputs"]}
    faults = told["rootFaults"]
    ids = [each.id for each in executions]
    match flow.action:
        case "Faulting":
            wanted: tuple[Any, ...] = ({}, [{FAULT_NAME: no_to(flow.value)}])
        case "Failing" | "Mending":
            texts = [
                f"{flow.action} could not be completed; look for execution {id}." for id in ids
            ]
            wanted = ({}, [{"Failed": text} for text in texts])
        case _:
            wanted = ({"Text": answer_to(flow.action, flow.value)}, [{}])
            recorded = [_runs(each, children) for each in executions]
            runs = [each for each in outputs.pop("Runs", "").split(",") if each]
            if runs not in recorded:
                return f"it heard of the runs {runs}, recorded are {recorded}"
    values = {name: value for name, value in outputs.items() if value is not None}
    if values != wanted[0] or faults not in wanted[1]:
        return f"outputs {values} and faults {faults} instead of {wanted}"
    return ""


def check_executions(evidence: Evidence) -> Iterator[Violation]:
    """One for each accepted flow; all ended, in the right way, within the bound of attempts."""
    executions = _by_flow(evidence)
    for flow in evidence.flows:
        mine = executions.get(flow.state_id, [])
        if flow.is_accepted and len(mine) != 1:
            ids = ", ".join(each.id for each in mine) or "none"
            yield Violation("not one execution of a request", flow.state_id, ids)
        for each in mine:
            wanted = _ENDS_AS.get(flow.action, "completed")
            if each["state"] in _FINAL and each["state"] != wanted:
                yield Violation("wrong end", each.id, f"{flow.action} {_end(each)}")
    for each in evidence.executions:
        if each["state"] not in _FINAL:
            yield Violation("not final", each.id, f"{each['action']} {_end(each)}")
        if int(each["attempts"] or 0) > evidence.max_attempts:
            yield Violation("too many attempts", each.id, each["attempts"])


def check_callbacks(evidence: Evidence) -> Iterator[Violation]:
    """Every outcome that a flow waits for was delivered; what was answered at once has none."""
    for each in evidence.executions:
        wanted = {"delivered"} if each["callback_uri"] else {"none"}
        if each["action"] == "Mending":  # its flow had moved before an operator retried it
            wanted = {"none"}
        if each["state"] in _FINAL and each["callback_state"] not in wanted:
            found = f"{each['action']}, {each['callback_state']}"
            yield Violation("callback not settled", each.id, found)


def check_synchronous(evidence: Evidence) -> Iterator[Violation]:
    """Right, or honestly no answer."""
    for answer in evidence.synchronous:
        if answer.status == 200:
            if not answer.is_right:
                yield Violation("wrong answer", f"{answer.operation} {answer.id}", answer.message)
        elif answer.status not in _EXCUSED:
            what = f"{answer.status}: {answer.message}"
            yield Violation("answered with an error", f"{answer.operation} {answer.id}", what)
    # What a request that ended well was answered is the only outcome of its execution.
    asked = [answer for answer in evidence.synchronous if answer.status == 200]
    ended = [
        each
        for each in evidence.executions
        if not each["callback_uri"] and not each["parent"] and each["response"]
    ]
    if len(ended) < len(asked):
        what = f"{len(asked)} were answered with 200, {len(ended)} executions have a result"
        yield Violation("answered without an execution", "data requests", what)


def check_workers(evidence: Evidence) -> Iterator[Violation]:
    """In the end each of them works."""
    for name in evidence.idle_workers:
        yield Violation("deaf", name, "it was up and took none of the last executions")


def _by_flow(evidence: Evidence) -> dict[str, list[ExecutionEvidence]]:
    found = defaultdict(list)
    for each in evidence.executions:
        if not each["parent"]:
            found[each["state_id"]].append(each)
    return found


def _by_parent(evidence: Evidence) -> dict[str, list[ExecutionEvidence]]:
    """Children in the order of their items."""
    found = defaultdict(list)
    for each in evidence.executions:
        if each["parent"] and not each["ending_state"]:
            found[each["parent"]].append(each)
    for children in found.values():
        children.sort(key=lambda each: int(each["parent_index"]))
    return found


def _runs(
    execution: ExecutionEvidence, children: Mapping[str, Sequence[ExecutionEvidence]]
) -> list[str]:
    """What the bodies of its steps returned, or those of its children."""
    whose = children.get(execution.id, [execution])
    return [
        step[1].strip('"')
        for each in whose
        for step in sorted(each.steps, key=lambda step: first_name(step[0]))
        if first_name(step[0]).startswith("step ")
    ]


def _end(execution: ExecutionEvidence) -> str:
    return f"is {execution['state']} after {execution['attempts']} attempts: {execution['error']}"


def _history(flow: FlowEvidence) -> str:
    """What happened to it, in the order in which it did."""
    words = []
    for event in flow.events:
        details = event.details
        shown = details.get("answer") or details.get("status") or details.get("invokeType") or ""
        words.append(f"{event.at:.1f} s {event.kind} {shown}".strip())
    return "; ".join(words)
