"""Publishing from a worker: what fails here is left to recovery."""

import logging
from collections.abc import Iterable
from contextlib import suppress

from structlog.contextvars import bound_contextvars

from atom.catalog import Catalog
from atom.errors import NotFound, PublishFailed
from atom.parentage import Wakeup
from atom.publisher import Publisher

_log = logging.getLogger(__name__)


def wake_callback(publisher: Publisher, execution_id: str) -> None:
    """Publish a due callback; without a broker recovery does it later."""
    try:
        publisher.publish_callback(execution_id)
    except PublishFailed as error:
        with bound_contextvars(execution_id=execution_id):
            _log.warning("The callback is due but could not be published: %s", error)


def wake_workers(catalog: Catalog, publisher: Publisher, wakeups: Iterable[Wakeup]) -> None:
    """Publish executions whose turn has come; without a broker recovery does it later."""
    for each in wakeups:
        queue = each.queue
        with suppress(NotFound):  # the service may have another one by now
            queue = catalog.process(each.service, each.action).options.queue
        try:
            publisher.publish(each.task_name, each.id, queue, each.parentage)
        except PublishFailed as error:
            with bound_contextvars(execution_id=each.id):
                _log.warning("Its turn has come, but it could not be published: %s", error)
            return  # each failure takes as long as the publisher waits


def wake_callbacks(publisher: Publisher, execution_ids: Iterable[str]) -> None:
    """The same for several."""
    for execution_id in execution_ids:
        wake_callback(publisher, execution_id)
