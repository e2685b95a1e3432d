"""What a worker does at its start, while it lives and at its end."""

import logging
import warnings
from typing import Any

from celery import current_app, signals
from celery.exceptions import CPendingDeprecationWarning

from atom.errors import StoreUnavailable
from atom.execution.keeper import LeaseKeeper
from atom.logs import configure_logging
from atom.settings import Settings
from atom.store import RedisStore

_log = logging.getLogger(__name__)


def connect_lifecycle(settings: Settings, keeper: LeaseKeeper) -> None:
    """Connect the handlers to Celery's signals."""
    presence = _Presence(settings)

    def set_logging_up(**_: Any) -> None:
        configure_logging(settings.log_level)
        # What a process prints goes the way of what it logs: it may be a secret as well.
        # The level by name, which the type does not admit: children cannot read back a number.
        current_app.log.redirect_stdouts("INFO", "atom.printed")  # type: ignore[arg-type]

    def hush(**_: Any) -> None:
        # At each lost connection Celery warns of a default to come; the setting is made already.
        warnings.simplefilter("ignore", CPendingDeprecationWarning)

    def keep_leases(**_: Any) -> None:
        keeper.start()

    # Before the pool forks: its children inherit the pipe over which they say what they run.
    signals.worker_init.connect(keep_leases, weak=False, dispatch_uid="atom.leases")
    signals.setup_logging.connect(set_logging_up, weak=False, dispatch_uid="atom.logging")
    signals.celeryd_after_setup.connect(hush, weak=False, dispatch_uid="atom.hush")
    signals.worker_ready.connect(presence.announce, weak=False, dispatch_uid="atom.ready")
    signals.heartbeat_sent.connect(presence.announce, weak=False, dispatch_uid="atom.heartbeat")
    signals.worker_shutdown.connect(presence.withdraw, weak=False, dispatch_uid="atom.shutdown")


class _Presence:
    """Says in the store which queues this worker consumes, for as long as it lives."""

    def __init__(self, settings: Settings) -> None:
        self._store = RedisStore(settings)
        self._announced: set[tuple[str, str]] = set()

    def announce(self, sender: Any = None, **_: Any) -> None:
        """At the start, and at every heartbeat (each 2 s)."""
        consumer = getattr(sender, "task_consumer", None)
        if consumer is not None:
            self._announced = {(queue.name, sender.hostname) for queue in consumer.queues}
        try:
            for queue, hostname in self._announced:
                self._store.announce(queue, hostname)
        except StoreUnavailable as error:
            _log.warning("The worker could not announce itself: %s", error)

    def withdraw(self, **_: Any) -> None:
        """At a clean end."""
        try:
            for queue, hostname in self._announced:
                self._store.withdraw(queue, hostname)
        except StoreUnavailable as error:
            _log.warning("The worker could not take its announcement back: %s", error)
