"""What Prometheus reads of an Atom: what its roles measured, and what the store knows.

Nothing here holds a document, a secret, or a name that a caller made up: labels are the names of
declared services, actions and queues, and words from short lists.
"""

from atom.metrics.measured import (
    CALLBACK_SECONDS,
    QUEUE_WAIT_SECONDS,
    RECOVERY_TICKS,
    REQUEST_SECONDS,
    REQUESTS,
    RUN_SECONDS,
    STEPS,
    SYNC_WAITS,
    UNKNOWN,
)
from atom.metrics.scrape import Fixed, Scrape, serve
from atom.metrics.sharing import share
from atom.metrics.standing import Standing

__all__ = [
    "CALLBACK_SECONDS",
    "QUEUE_WAIT_SECONDS",
    "RECOVERY_TICKS",
    "REQUESTS",
    "REQUEST_SECONDS",
    "RUN_SECONDS",
    "STEPS",
    "SYNC_WAITS",
    "UNKNOWN",
    "Fixed",
    "Scrape",
    "Standing",
    "serve",
    "share",
]
