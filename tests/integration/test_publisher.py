"""What a role sends to the broker, and asks of it, through an outage; the same on each broker."""

import signal
import threading

import pytest

from atom.cli.embedded_redis import EmbeddedRedis
from atom.errors import PublishFailed
from atom.publisher import Publisher
from tests.support.ports import free_port
from tests.support.rabbitmq import require
from tests.support.waiting import until


@pytest.fixture(params=["redis", "rabbitmq"])
def server(request, tmp_path):
    if request.param == "rabbitmq":
        yield request.getfixturevalue("rabbitmq")
        return
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


def publish_at_last(publisher, execution_id):
    """Publish once a RabbitMQ that has just started has a leader for the queue."""

    def is_taken():
        try:
            publisher.publish("CRM.Retrieve", execution_id, "processes")
        except PublishFailed:
            return False
        return True

    until(is_taken, "the message to be taken")


def test_waiting_messages_are_counted_before_and_after_an_outage(server):
    publisher = Publisher(server.url)
    assert publisher.waiting("processes") == 0
    publisher.publish("CRM.Retrieve", "e-1", "processes")
    assert publisher.waiting("processes") == 1
    for _ in range(3):
        server.stop()
        with pytest.raises(PublishFailed, match="did not"):
            publisher.publish("CRM.Retrieve", "e-2", "processes")
        with pytest.raises(PublishFailed, match="did not"):
            publisher.waiting("processes")
        server.start()
        assert publisher.waiting("processes") == 1
    publish_at_last(publisher, "e-3")
    assert publisher.waiting("processes") == 2


def test_publishing_gives_up_within_a_bound(server):
    publisher = Publisher(server.url)
    publisher.publish("CRM.Retrieve", "e-1", "processes")
    server.process.send_signal(signal.SIGSTOP)
    failed = []

    def ask():
        for each in (
            lambda: publisher.publish("CRM.Retrieve", "e-2", "processes"),
            lambda: publisher.waiting("processes"),
        ):
            with pytest.raises(PublishFailed):
                each()
            failed.append(each)

    try:
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(60)
        assert len(failed) == 2
    finally:
        server.process.send_signal(signal.SIGCONT)
    publish_at_last(publisher, "e-3")


def test_who_is_not_let_in_is_told_so(server):
    url = server.url.replace("guest:guest@", "").replace("//", "//nobody:canary@", 1)
    publisher = Publisher(url)
    for ask in (
        lambda: publisher.publish("CRM.Retrieve", "e-1", "processes"),
        lambda: publisher.waiting("processes"),
    ):
        with pytest.raises(PublishFailed) as failure:
            ask()
        assert "canary" not in str(failure.value)


def test_the_next_host_is_asked_where_one_is_away(request):
    """Of a RabbitMQ with several nodes; on every connection, whatever was lost before."""
    require(request.node.name)
    url = request.getfixturevalue("shared_rabbitmq").url
    publisher = Publisher(f"amqp://guest:guest@127.0.0.1:{free_port()}//;{url}")
    for _ in range(2):
        publisher.publish("CRM.Retrieve", "e-1", "of-several-hosts")
        publisher.waiting("of-several-hosts")
    request.getfixturevalue("shared_rabbitmq").control("close_all_connections", "a test")
    publisher.publish("CRM.Retrieve", "e-1", "of-several-hosts")
    assert publisher.waiting("of-several-hosts") == 3
