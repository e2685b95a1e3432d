"""How the publisher talks to a broker; what it sends is seen in tests/integration."""

import orjson
import redis

from atom.parentage import Parentage
from atom.publisher import Publisher


def test_rabbitmq_confirms_each_message():
    """Without that it drops them silently at its memory or disk alarm."""
    connection = Publisher("amqp://127.0.0.1:1//").connection
    assert connection.transport_options["confirm_publish"] is True


def test_redis_is_not_waited_for_without_a_bound():
    options = Publisher("redis://127.0.0.1:1/0").connection.transport_options
    assert 0 < options["socket_connect_timeout"] <= 5
    assert 0 < options["socket_timeout"] <= 15
    assert options["max_retries"] <= 3


def test_a_message_for_a_child_names_its_parent_and_root(embedded_redis):
    """By which Flower shows them."""
    publisher = Publisher(embedded_redis.url)
    publisher.publish("S.Action", "alone", "processes")
    publisher.publish("S.Action", "child", "processes", Parentage(parent="p", root="r"))
    with redis.Redis.from_url(embedded_redis.url) as broker:
        headers = [orjson.loads(broker.rpop("processes"))["headers"] for _ in range(2)]
    named = [(each["id"], each["parent_id"], each["root_id"]) for each in headers]
    assert named == [("alone", None, "alone"), ("child", "p", "r")]
