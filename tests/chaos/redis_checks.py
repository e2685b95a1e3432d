"""Redis: nothing stays for ever but what is named here, and nothing is left to do."""

import re
from collections.abc import Iterator

from tests.chaos.evidence import Evidence, KeyEvidence
from tests.chaos.violations import Violation

# What may stay without an expiry, and why that is no leak.
KEPT = {
    r"atom:(accepted|scheduled|suspended|leases|deadlines|callbacks|parked)": (
        "indexes of what is under way; an execution leaves them when it ends"
    ),
    r"atom:(history|history:flow-states|history:(process|tenant):.+|failed)": (
        "indexes that recovery trims when what they name expires"
    ),
    r"atom:history:(processes|tenants)": "sets of the names that those indexes have",
    r"atom:(paused|credentials)": "hashes of what an operator decided",
    r"atom:counters": "a hash of fixed names and declared actions",
    r"atom:waiting": "the set of the queues that were ever used",
    r"atom:windows": "a hash of the queues that workers served",
    r"atom:clock": "a hash of the latest time that recovery saw",
    r"atom:(out|backlogs|lines|called)(:.+)?": (
        "whose turn it is: what waits leaves them when it begins or ends"
    ),
    r"(processes|callbacks)": "kombu's queues, lists of messages; Redis deletes an empty list",
    r"_kombu\.binding\.(celery\.pidbox|celeryev|reply\.celery\.pidbox)": (
        "kombu's sets of who is bound to the exchanges of remote control and events: a name of a "
        "few bytes for each consumer, those of killed ones too until nobody refreshes the set "
        "for an hour"
    ),
    r"_kombu\.binding_deadlines": "kombu's sorted set of those sets, by when they are swept",
    # Not `unacked` and `unacked_index`: of a message that was taken nothing is written down.
}
_KEPT = {re.compile(pattern): why for pattern, why in KEPT.items()}

# With nothing under way they are empty, and so not there.
_EMPTY = re.compile(
    r"atom:(accepted|scheduled|suspended|leases|deadlines|callbacks|parked|waiting:.+)"
    r"|atom:(out|backlogs|lines|called|places)(:.+)?|processes|callbacks"
)


def check_redis(evidence: Evidence) -> Iterator[Violation]:
    """Keys, indexes, queues, and what Redis lost."""
    for key in evidence.keys:
        if not key.has_expiry and not any(pattern.fullmatch(key.name) for pattern in _KEPT):
            yield Violation("a key without an expiry", key.name, f"a {key.type}")
        if _EMPTY.fullmatch(key.name) and key.members:
            yield Violation("something is left to do", key.name, _members(key))
    for each in evidence.lost_writes:
        yield Violation("Redis lost what it had acknowledged", "the witness", each)


def _members(key: KeyEvidence) -> str:
    return f"{key.members} in a {key.type} that should be empty"
