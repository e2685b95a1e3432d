"""A worker says in the store which queues it consumes, for as long as it lives."""

import logging
from typing import Any

from celery import signals
from celery.worker import state

from atom.catalog import Catalog
from atom.errors import StoreError
from atom.presence import presence_outage, process_details
from atom.settings import Settings
from atom.store import RedisStore

_log = logging.getLogger(__name__)


def announce_worker(settings: Settings, catalog: Catalog) -> None:
    """Connect the announcements to Celery's signals: what announces itself is connected."""
    presence = _Presence(settings, catalog)
    signals.worker_ready.connect(presence.announce, weak=False, dispatch_uid="atom.ready")
    signals.heartbeat_sent.connect(presence.announce, weak=False, dispatch_uid="atom.heartbeat")
    signals.worker_shutdown.connect(presence.withdraw, weak=False, dispatch_uid="atom.shutdown")


class _Presence:
    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self._store, self._catalog = RedisStore(settings), catalog
        self._announced: set[tuple[str, str]] = set()
        self._details: dict[str, str] = {}
        self._outage = presence_outage(_log, "worker")

    def announce(self, sender: Any = None, **_: Any) -> None:
        """At the start, and at every heartbeat (each 2 s)."""
        consumer = getattr(sender, "task_consumer", None)
        if consumer is not None:
            self._announced = {(queue.name, sender.hostname) for queue in consumer.queues}
            self._details = self._details or self._of_pool(sender.pool)
        details = {**self._details, "busy": str(len(state.reserved_requests))}
        try:
            for queue, hostname in self._announced:
                self._store.announce(queue, hostname, details)
        except StoreError as error:
            self._outage.note(error)
        else:
            self._outage.end()

    def withdraw(self, **_: Any) -> None:
        """At a clean end."""
        try:
            for queue, hostname in self._announced:
                self._store.withdraw(queue, hostname)
        except StoreError as error:
            _log.warning("The worker could not take its announcement back: %s", error)

    def _of_pool(self, pool: Any) -> dict[str, str]:
        kind = type(pool).__module__.rpartition(".")[2].replace("thread", "threads")
        return {
            **process_details(self._catalog.services),
            "pool": kind,
            "concurrency": str(pool.num_processes),
        }
