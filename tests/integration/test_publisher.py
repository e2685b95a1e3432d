"""What a role sends to the broker, and asks of it, through an outage."""

import pytest

from atom.cli.embedded_redis import EmbeddedRedis
from atom.errors import PublishFailed
from atom.publisher import Publisher


@pytest.fixture
def server(tmp_path):
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


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
    publisher.publish("CRM.Retrieve", "e-3", "processes")
    assert publisher.waiting("processes") == 2
