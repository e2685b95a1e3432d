"""How the publisher talks to a broker; what it sends is seen in tests/integration."""

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
