"""Holds: suspensions of executions that the code of a worker cannot continue."""

from datetime import timedelta
from typing import Final

from atom.execution.lease import Lease
from atom.records import Claim
from atom.redaction import redacted
from atom.suspension import Wait, WaitKind

# A worker looks again after a share of the time that the execution has been held already: soon
# after a deploy, seldom after a day. The start of any worker ends the pause.
_SHORTEST_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 300.0
_SHARE: Final = 0.5


def hold(claim: Claim, lease: Lease, name: str, problem: str) -> Wait:
    """Return the wait of an execution for a worker whose code can continue it.

    Args:
        claim: of the execution.
        lease: of the claim.
        name: of the entry that does not fit; empty if there is none.
        problem: a sentence for operators that names both sides.
    """
    seconds = max(_SHORTEST_SECONDS, min(claim.held_seconds * _SHARE, _LONGEST_SECONDS))
    now = lease.now()
    return Wait(
        name=name,
        kind=WaitKind.HELD,
        until=now + timedelta(seconds=seconds),
        since=now,
        reason=redacted(
            f"{problem} The execution is held until a worker has code that fits: deploy a mended "
            "version, or roll back."
        ),
    )
