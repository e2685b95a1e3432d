"""Publishing from a worker: what fails here is left to recovery."""

import logging
from collections.abc import Iterable

from structlog.contextvars import bound_contextvars

from atom.errors import PublishFailed
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


def wake_workers(publisher: Publisher, wakeups: Iterable[Wakeup]) -> None:
    """Publish executions that wait for a worker; without a broker recovery does it later."""
    for each in wakeups:
        try:
            publisher.publish(each.task_name, each.id, each.queue, each.parentage)
        except PublishFailed as error:
            with bound_contextvars(execution_id=each.id):
                _log.warning("It may begin, but could not be published: %s", error)
            return  # nor could the others


def wake_callbacks(publisher: Publisher, execution_ids: Iterable[str]) -> None:
    """The same for several."""
    for execution_id in execution_ids:
        wake_callback(publisher, execution_id)
