"""Publishing: a bare Celery message by task name, so that no worker code is needed to send one.

The message is only a wake-up; the store is the truth. It carries the task's name and id and no
arguments: no document and no secret reaches the broker.
Layout: the message protocol version 2 of Celery's documentation.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

from kombu import Connection
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import connections, set_limit

from atom.broker import BrokerAddress
from atom.broker.rabbitmq import refuse_when_blocked
from atom.errors import PublishFailed
from atom.names import CALLBACKS, DELIVER_TASK, callback_task_id
from atom.parentage import Parentage
from atom.redaction import masked_url
from atom.redis_replies import explained

# No arguments, no keyword arguments, and nothing that follows.
_BODY: Final = '[[],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]'
_PERSISTENT: Final = 2
_HEADERS: Final[dict[str, Any]] = {
    "lang": "py",
    "parent_id": None,
    "group": None,
    "shadow": None,
    "eta": None,
    "expires": None,
    "retries": 0,
    "timelimit": [None, None],
    "argsrepr": "()",
    "kwargsrepr": "{}",
    "ignore_result": True,
}
_CONNECT_SECONDS: Final = 3
_RETRY: Final = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
# Where RabbitMQ does not confirm, it drops what it cannot keep, and says nothing.
_RABBITMQ: Final = {
    **_RETRY,
    "confirm_publish": True,
    "on_blocked": refuse_when_blocked,
    "write_timeout": 5,
}
_REDIS: Final = {**_RETRY, "socket_connect_timeout": _CONNECT_SECONDS, "socket_timeout": 5}
_NOT_FOUND: Final = "404"
_ACQUIRE_SECONDS: Final = 5
_POOL_SIZE: Final = 100


class Publisher:
    """Sends the wake-ups of one process. Safe to share between threads, and to use after a fork."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url
        self._pid = 0
        self._pool: Any = None
        self._headers: dict[str, Any] = {}

    def publish(
        self, task_name: str, execution_id: str, queue: str, parentage: Parentage | None = None
    ) -> None:
        """Wake a worker for an execution; Flower shows one that is a child beside its parent.

        Raises:
            PublishFailed: the broker did not take it within seconds; recovery will.
        """
        family = {"root_id": execution_id}
        if parentage is not None:
            family = {"root_id": parentage.root, "parent_id": parentage.parent}
        self._send(task_name, execution_id, queue, family)

    def publish_callback(self, execution_id: str) -> None:
        """Wake a callback worker for a due callback; raises as `publish` does."""
        task_id = callback_task_id(execution_id)
        self._send(DELIVER_TASK, task_id, CALLBACKS, {"root_id": task_id})

    def waiting(self, queue: str) -> int:
        """How many messages wait in a queue.

        Raises:
            PublishFailed: the broker does not say within seconds.
        """
        # A connection of its own: one of the pool may be in any state, and RabbitMQ closes the
        # channel that asks for a queue nobody made yet.
        with self._guard(), self.connection.clone() as connection:
            try:
                channel = connection.default_channel
                return int(channel.queue_declare(queue, passive=True).message_count)
            except connection.channel_errors as error:
                if (
                    str(getattr(error, "reply_code", "")) != _NOT_FOUND
                ):  # a number or a text, by the transport
                    raise
                return 0

    def _send(self, task_name: str, task_id: str, queue: str, family: dict[str, str]) -> None:
        with (
            self._guard(),
            self._connections().acquire(block=True, timeout=_ACQUIRE_SECONDS) as connection,
        ):
            # What kombu's producers do for every message is done once, at import: its body never
            # differs. The default exchange goes straight to the queue of that name.
            def put() -> None:
                channel: Any = connection.default_channel
                message = channel.prepare_message(
                    _BODY,
                    content_type="application/json",
                    content_encoding="utf-8",
                    headers=self._headers | {"task": task_name, "id": task_id} | family,
                    properties={"delivery_mode": _PERSISTENT, "correlation_id": task_id},
                )
                channel.send(message, queue)

            try:
                connection.ensure(connection, put, **_RETRY)()
            except BaseException:
                # What it was about to say would be taken for the answer to the next message.
                connection.collect()
                raise

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise PublishFailed(
                f"The broker at {masked_url(self._url)} did not take a message: {explained(cause)}"
            ) from error

    @cached_property
    def connection(self) -> Any:
        """How the broker is reached; it is not connected itself."""
        broker = BrokerAddress.of(self._url)
        return Connection(
            broker.url,
            transport=broker.transport,
            ssl=broker.ssl,
            connect_timeout=_CONNECT_SECONDS,
            transport_options={**broker.options, **(_REDIS if broker.is_redis else _RABBITMQ)},
        )

    @cached_property
    def _errors(self) -> tuple[type[Exception], ...]:
        """What is raised where the broker is not well, or refuses us."""
        connection = self.connection
        of_library = (*connection.connection_errors, *connection.channel_errors)
        return (OperationalError, OSError, LimitExceeded, *of_library)

    def _connections(self) -> Any:
        if self._pid != os.getpid():  # a connection cannot be shared with a parent process
            set_limit(_POOL_SIZE)
            self._pool = connections[self.connection.clone()]
            self._headers = _HEADERS | {"origin": f"{os.getpid()}@{socket.gethostname()}"}
            self._pid = os.getpid()
        return self._pool
