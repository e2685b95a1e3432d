"""What a run prints in the end."""

from collections import Counter
from collections.abc import Callable, Iterable

from tests.chaos.campaign import Outcome
from tests.chaos.violations import LOST, MOVED_TWICE

_SHOWN = 40


def tell(outcome: Outcome, say: Callable[[str], None]) -> None:
    """Counts, remarks, violations, and the one line that says it all."""
    evidence = outcome.evidence
    flows, executions = evidence.flows, evidence.executions
    accepted = sum(flow.is_accepted for flow in flows)
    say(f"seed {outcome.plan.seed}, {outcome.plan.duration:.0f} s of faults")
    moved = sum(bool(flow.of_kind("resumed")) for flow in flows)
    say(f"flows: {len(flows)} sent, {accepted} accepted, {moved} moved")
    requests = sum(len(flow.of_kind("requested")) for flow in flows)
    say(
        f"requests: {requests}, of them {outcome.deliberate_duplicates} deliberate duplicates and "
        f"{requests - len(flows) - outcome.deliberate_duplicates} because no 200 came"
    )
    answers = Counter(
        event.details["answer"] for flow in flows for event in flow.of_kind("callback")
    )
    _counts("callbacks by answer", answers.items(), say)
    _counts("misbehaviour of the platform", outcome.misbehaviour.items(), say)
    statuses = Counter(str(each.status or "no answer") for each in evidence.synchronous)
    _counts("data requests by answer", statuses.items(), say)
    _counts("executions by state", Counter(each["state"] for each in executions).items(), say)
    attempts = Counter(int(each["attempts"] or 0) for each in executions)
    _counts("executions by attempts", sorted(attempts.items()), say)
    say(f"retries by the operator: {outcome.retries}")
    faults = outcome.faults
    _counts(f"faults: {faults.total()}", sorted(faults.items()), say)
    if outcome.orphans:
        say(f"processes of killed roles that are still there: {outcome.orphans}")
    settled = outcome.settled_seconds
    say("not settled in time" if settled is None else f"settled after {settled:.1f} s")
    for remark, count in outcome.remarks.items():
        say(f"remark: {remark} ({count})")
    _verdict(outcome, accepted, say)


def _verdict(outcome: Outcome, accepted: int, say: Callable[[str], None]) -> None:
    violations = outcome.violations
    for each in violations[:_SHOWN]:
        say(f"VIOLATION {each}")
    if len(violations) > _SHOWN:
        say(f"… and {len(violations) - _SHOWN} more")
    if violations:
        by_promise = Counter(each.promise for each in violations)
        _counts(f"{len(violations)} VIOLATIONS", by_promise.most_common(), say)
        say(f"the evidence is in {outcome.logs}")
    lost = sum(each.promise == LOST for each in violations)
    twice = sum(each.promise == MOVED_TWICE for each in violations)
    say(
        f"chaos: {accepted} accepted, {lost} lost, {twice} moved twice, "
        f"{outcome.faults.total()} faults"
    )


def _counts(what: str, counts: Iterable[tuple[object, int]], say: Callable[[str], None]) -> None:
    say(f"{what}: " + (", ".join(f"{name} {count}" for name, count in counts) or "none"))
