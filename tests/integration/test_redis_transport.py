"""The Redis transport where a connection ends at a bad moment."""

import signal
from collections.abc import Iterator

import pytest
from kombu import Connection, Consumer, Producer, Queue

from atom.cli.embedded_redis import EmbeddedRedis

TRANSPORT = "atom.broker.redis:Transport"

QUEUE = Queue("some", routing_key="some")


@pytest.fixture
def redis(tmp_path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path) as redis:
        yield redis


@pytest.fixture
def connection(redis) -> Iterator[Connection]:
    with Connection(redis.url, transport=TRANSPORT) as connection:
        yield connection


def publish(connection, body):
    with connection.clone() as other, other.channel() as channel:
        Producer(channel).publish(body, routing_key="some")


def take(connection, consumer, body):
    """One message, not acknowledged."""
    taken = []
    consumer.register_callback(lambda _, message: taken.append(message))
    consumer.consume()
    publish(connection, body)
    connection.drain_events(timeout=30)
    (message,) = taken
    assert message.payload == body
    return message


def pop(channel):
    """As the poller does before it waits."""
    channel.connection.cycle.on_poll_start()
    assert channel._in_poll


def waiting(connection):
    with connection.clone() as other, other.channel() as channel:
        return channel._size("some")


def test_a_lost_connection_can_be_closed_and_its_message_acknowledged_too_late(redis, connection):
    channel = connection.default_channel
    message = take(connection, Consumer(channel, [QUEUE]), "first")
    pop(channel)
    redis.stop()
    connection.collect(socket_timeout=1)  # this is how Celery cleans up
    connection.close()
    message.ack()
    channel.basic_reject(message.delivery_tag)
    assert channel.closed


@pytest.mark.parametrize("settle", ["ack", "reject", "requeue"])
def test_a_message_that_cannot_be_acknowledged_in_time_does_not_keep_its_room(redis, settle):
    """Else a worker with room for one would never take anything again."""
    with Connection(
        redis.url, transport=TRANSPORT, transport_options={"socket_timeout": 1}
    ) as connection:
        channel = connection.default_channel
        channel.basic_qos(0, 1, False)
        message = take(connection, Consumer(channel, [QUEUE]), "first")
        assert not channel.qos.can_consume()
        redis.process.send_signal(signal.SIGSTOP)
        try:
            getattr(message, settle)()
        finally:
            redis.process.send_signal(signal.SIGCONT)
        assert channel.qos.can_consume()


def test_what_was_not_acknowledged_is_there_again_after_a_clean_end(connection):
    channel = connection.default_channel
    take(connection, Consumer(channel, [QUEUE]), "first")
    assert waiting(connection) == 0
    connection.close()
    with connection.clone() as other:
        assert waiting(other) == 1


def test_a_pop_that_nobody_waits_for_any_more_gives_back_what_it_brings(connection):
    channel = connection.default_channel
    consumer = Consumer(channel, [QUEUE])
    message = take(connection, consumer, "first")
    message.ack()
    pop(channel)
    publish(connection, "second")
    consumer.cancel()
    assert not channel._in_poll
    assert waiting(connection) == 1


def test_a_pop_that_brings_nothing_is_waited_for(connection):
    channel = connection.default_channel
    consumer = Consumer(channel, [QUEUE])
    consumer.consume()
    pop(channel)
    consumer.cancel()
    assert not channel._in_poll
    assert waiting(connection) == 0
