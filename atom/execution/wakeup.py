"""Publishing from a worker: what fails here is left to recovery."""

import logging
import math
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from structlog.contextvars import bound_contextvars

from atom.catalog import Catalog
from atom.errors import NotFound, PublishFailed
from atom.parentage import Wakeup
from atom.publisher import Publisher

_log = logging.getLogger(__name__)

_LEFT_ALONE_SECONDS: Final = 1.0


def wake_callback(publisher: Publisher, execution_id: str) -> None:
    """Publish a due callback; without a broker recovery does it later."""
    try:
        publisher.publish_callback(execution_id)
    except PublishFailed as error:
        with bound_contextvars(execution_id=execution_id):
            _log.warning("The callback is due but could not be published: %s", error)


class Waker:
    """Publishes executions whose turn has come; without a broker recovery does it later.

    A store says so in the middle of something else, each failure takes as long as the publisher
    waits, and whoever ends many would wait for each: so the broker is left alone for a moment after
    it took nothing.
    """

    def __init__(self, catalog: Catalog, publisher: Publisher) -> None:
        self._catalog, self._publisher = catalog, publisher
        self._failed_at = -math.inf

    def __call__(self, wakeups: Iterable[Wakeup]) -> None:
        """Publish these, or leave them to recovery."""
        if time.monotonic() - self._failed_at < _LEFT_ALONE_SECONDS:
            return
        for each in wakeups:
            queue = each.queue
            with suppress(NotFound):  # the service may have another one by now
                queue = self._catalog.process(each.service, each.action).options.queue
            try:
                self._publisher.publish(each.task_name, each.id, queue, each.parentage)
            except PublishFailed as error:
                with bound_contextvars(execution_id=each.id):
                    _log.warning("Its turn has come, but it could not be published: %s", error)
                self._failed_at = time.monotonic()
                return


def wake_callbacks(publisher: Publisher, execution_ids: Iterable[str]) -> None:
    """The same for several."""
    for execution_id in execution_ids:
        wake_callback(publisher, execution_id)
