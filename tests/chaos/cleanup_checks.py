"""Cleanups: each execution of an action that declares one has exactly one, and it completed."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.evidence import Evidence
from tests.chaos.services import WITH_CLEANUP
from tests.chaos.violations import Violation


def check_cleanups(evidence: Evidence) -> Iterator[Violation]:
    """Yield executions without their cleanup, and cleanups that did not complete."""
    cleanups = [execution for execution in evidence.executions if execution["ending_state"]]
    counts = Counter(cleanup["parent"] for cleanup in cleanups)
    for execution in evidence.executions:
        if execution["parent"] or execution["action"] not in WITH_CLEANUP:
            continue
        if counts[execution.id] != 1:
            problem = f"{execution['action']} has {counts[execution.id]} cleanups"
            yield Violation("not one cleanup of an end", execution.id, problem)
    for cleanup in cleanups:
        if cleanup["state"] != "completed":
            problem = f"cleanup of {cleanup['parent']}: {cleanup['state']} {cleanup['error']}"
            yield Violation("a cleanup did not complete", cleanup.id, problem)
