"""The RabbitMQ transport of kombu, with a bound to every wait and no message for no queue."""

import logging
from contextlib import suppress
from typing import Any, Final

from amqp.exceptions import MessageNacked
from kombu.exceptions import OperationalError
from kombu.transport import pyamqp

from atom.broker.address import quorum_queue

_log = logging.getLogger(__name__)

_REPLY_SECONDS: Final = 5.0


class BrokerUnable(OperationalError):
    """RabbitMQ takes no messages at the moment, and to ask it again at once would not help."""


def refuse_when_blocked(_reason: str) -> None:
    """For `on_blocked` of a connection that publishes: else it would wait for the alarm's end.

    Raises:
        BrokerUnable: always.
    """
    raise BrokerUnable("it is out of memory or disk, and takes nothing until its alarm is over")


class Channel(pyamqp.Channel):
    """A channel that declares a queue when a message finds that there is none."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_returned = False
        channel: Any = self  # of which py-amqp's stubs lack this
        channel.events["basic_return"].add(self._note_return)

    def send(self, message: Any, queue: str) -> None:
        """Put a message into a queue.

        Nobody has declared it before its first worker was there, or after it was deleted, and
        RabbitMQ would drop the message. To declare it before each is a round trip more.
        """
        self._is_returned = False
        try:
            self.basic_publish(message, exchange="", routing_key=queue, mandatory=True)
            if self._is_returned:  # known once the message is confirmed, which comes after it
                quorum_queue(queue).declare(channel=self)
                self.basic_publish(message, exchange="", routing_key=queue)
        except MessageNacked:
            raise BrokerUnable("it could not keep it: most of its nodes may be away") from None

    def basic_ack(self, *args: Any, **options: Any) -> None:
        """Acknowledge a message, unless its connection is lost.

        RabbitMQ delivers it once more then, and it is found to be done. Celery would tell of a
        critical error.
        """
        with suppress(*pyamqp.Transport.connection_errors):
            super().basic_ack(*args, **options)

    def basic_reject(self, *args: Any, **options: Any) -> None:
        """Give a message back, which a lost connection has done already."""
        with suppress(*pyamqp.Transport.connection_errors):
            super().basic_reject(*args, **options)

    def _note_return(self, *_: Any) -> None:
        self._is_returned = True


class Connection(pyamqp.Connection):
    """A connection on which no reply is waited for without a bound, as py-amqp would."""

    Channel = Channel

    def drain_events(self, timeout: float | None = None) -> None:
        """Read what comes in; for who waits for a reply, it is to come within seconds."""
        super().drain_events(timeout=_REPLY_SECONDS if timeout is None else timeout)


class Transport(pyamqp.Transport):
    """The transport of such connections, to the first of several hosts that lets it in."""

    Connection = Connection

    def establish_connection(self) -> Any:
        """Connect.

        Raises:
            OSError: the last host does not answer; or an error of py-amqp: it refuses us.
        """
        client: Any = self.client
        options = client.transport_options
        hosts = options.get("hosts") or [(client.hostname, client.port)]
        asked = client.ssl
        *others, (last, port_of_last) = hosts
        for host, port in others:
            try:
                return self._connect_to(host, port, asked)
            except self.connection_errors:
                _log.debug("%s does not answer; the next one is asked", host)
        return self._connect_to(last, port_of_last, asked)

    def _connect_to(self, host: str, port: int | None, asked: Any) -> Any:
        client: Any = self.client
        client.hostname, client.port = host, port
        if isinstance(asked, dict) and "server_hostname" in asked:
            client.ssl = {**asked, "server_hostname": host}
        return super().establish_connection()
