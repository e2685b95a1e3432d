"""The start of a worker as an occasion to look at held executions: it may have other code."""

import logging
from typing import Any

from celery import signals

from atom.errors import StoreError
from atom.settings import Settings
from atom.store import RedisStore

_log = logging.getLogger(__name__)


def resume_held_executions(settings: Settings) -> None:
    """Connect the look to Celery's signals."""
    store = RedisStore(settings)

    def look(**_: Any) -> None:
        try:
            count = store.resume_held()
        except StoreError as error:
            _log.warning("Held executions resume later, each at its own time: %s", error)
            return
        if count:
            _log.info("Held executions are tried with the code of this worker: %d", count)

    signals.worker_ready.connect(look, weak=False, dispatch_uid="atom.holds")
