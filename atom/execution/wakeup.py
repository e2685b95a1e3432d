"""Publishing from a worker: what fails here is left to recovery."""

import logging
from collections.abc import Iterable

from structlog.contextvars import bound_contextvars

from atom.errors import PublishFailed
from atom.publisher import Publisher

_log = logging.getLogger(__name__)


def wake_callback(publisher: Publisher, execution_id: str) -> None:
    """Publish a due callback; without a broker recovery does it later."""
    try:
        publisher.publish_callback(execution_id)
    except PublishFailed as error:
        with bound_contextvars(execution_id=execution_id):
            _log.warning("The callback is due but could not be published: %s", error)


def wake_worker(publisher: Publisher, task_name: str, execution_id: str, queue: str) -> None:
    """Publish an execution that waits for a worker; without a broker recovery does it later."""
    try:
        publisher.publish(task_name, execution_id, queue)
    except PublishFailed as error:
        with bound_contextvars(execution_id=execution_id):
            _log.warning("It goes on, but could not be published: %s", error)


def wake_callbacks(publisher: Publisher, execution_ids: Iterable[str]) -> None:
    """The same for several."""
    for execution_id in execution_ids:
        wake_callback(publisher, execution_id)
