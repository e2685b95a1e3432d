"""What each role measures of its own work, all of it defined here.

Each metric has labels, so that none has a value before its first use: `share` may still decide
where values live. The main process of a prefork pool measures nothing; a child that was forked in
the middle of it would inherit a lock that nobody gives free.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

# The time at which a process made a metric. Files that processes share do not have it either.
disable_created_metrics()  # type: ignore[no-untyped-call]

UNKNOWN: Final = "unknown"
"""The label of a service or action that is not declared here, whatever the caller named it."""

REGISTRY: Final = CollectorRegistry()

_ACTION: Final = ("service", "action")
# Each bucket of each label is read at each scrape, for each process: as few as tell something.
_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60)
# What runs or waits may do so for hours.
_LONG_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200)

# Help texts are short: they are written beside each value that processes share.
REQUESTS: Final = Counter(
    "atom_requests", "Requests, by what became of them.", (*_ACTION, "status"), registry=REGISTRY
)
"""status: accepted, duplicate (it had been asked before), or the HTTP status of a refusal."""

REQUEST_SECONDS: Final = Histogram(
    "atom_request_seconds",
    "From reading a request to its answer.",
    (*_ACTION, "waited"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
"""waited: yes where the request waited for its execution, as long as that took; else no."""

SYNC_WAITS: Final = Counter(
    "atom_sync_waits",
    "Requests that waited, by how it ended.",
    (*_ACTION, "end"),
    registry=REGISTRY,
)
"""end: of message actions inline or wait, of others result, timeout or withdrawn (never run)."""

QUEUE_WAIT_SECONDS: Final = Histogram(
    "atom_queue_wait_seconds",
    "From acceptance to the first start.",
    ("queue",),
    buckets=_LONG_SECONDS,
    registry=REGISTRY,
)

RUN_SECONDS: Final = Histogram(
    "atom_run_seconds",
    "How long attempts took, by how they ended.",
    (*_ACTION, "state"),
    buckets=_LONG_SECONDS,
    registry=REGISTRY,
)
"""state: a final one, again (a retry follows, as its policy says) or lost (it counts no longer)."""

STEPS: Final = Counter(
    "atom_steps", "Steps, by how they ended.", (*_ACTION, "outcome"), registry=REGISTRY
)
"""outcome: result, fault or failure of one that ran; replayed where the journal had it."""

CALLBACK_SECONDS: Final = Histogram(
    "atom_callback_seconds",
    "Tries of callbacks, by answer.",
    ("kind", "answer"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
"""kind: progress or outcome. answer: see `atom.flow.callback.answer_kind`."""

RECOVERY_TICKS: Final = Counter(
    "atom_recovery_ticks", "Looks of recovery, by how they ended.", ("end",), registry=REGISTRY
)
"""end: whole, broken (a part of it broke) or store_away."""
