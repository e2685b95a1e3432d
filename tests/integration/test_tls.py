"""Redis and RabbitMQ behind TLS, with certificates on both sides."""

from urllib.parse import urlsplit

import pytest

from atom.errors import PublishFailed, StoreUnavailable
from atom.publisher import Publisher
from atom.sandbox import FlowStatus
from atom.settings import Settings
from atom.store import RedisStore
from tests.support.rabbitmq import require
from tests.support.roles import TestAtom
from tests.support.tls import TlsFront


@pytest.fixture
def front(embedded_redis, tmp_path):
    with TlsFront(tmp_path, urlsplit(embedded_redis.url).port) as front:
        yield front


def test_store_and_broker_are_reached_by_tls(front):
    url = f"rediss://localhost:{front.port}/0{front.parameters}"
    store, publisher = RedisStore(Settings(redis_url=url)), Publisher(url)
    store.ping()
    before = publisher.waiting("of-tls")
    publisher.publish("CRM.Retrieve", "e-1", "of-tls")
    assert publisher.waiting("of-tls") == before + 1
    store.close()


@pytest.mark.parametrize(
    ("host", "without"),
    [
        ("localhost", "ssl_ca_certs"),  # who is there is not known
        ("127.0.0.1", ""),  # the certificate is another host's
        ("localhost", "ssl_certfile"),  # we are not known there
    ],
)
def test_who_cannot_be_verified_is_not_spoken_to(front, host, without):
    kept = [each for each in front.parameters[1:].split("&") if without not in each or not without]
    if without == "ssl_certfile":
        kept = [each for each in kept if "keyfile" not in each]
    url = f"rediss://{host}:{front.port}/0?{'&'.join(kept)}"
    with pytest.raises(StoreUnavailable):
        RedisStore(Settings(redis_url=url)).ping()
    with pytest.raises(PublishFailed):
        Publisher(url).publish("CRM.Retrieve", "e-1", "of-tls")


@pytest.mark.parametrize(
    ("host", "is_given", "is_let_in"),
    [("localhost", True, True), ("localhost", False, False), ("127.0.0.1", True, False)],
)
def test_rabbitmq_is_reached_by_tls_and_verified(request, tmp_path, host, is_given, is_let_in):
    require(request.node.name)
    broker = request.getfixturevalue("shared_rabbitmq")
    with TlsFront(tmp_path, urlsplit(broker.url).port) as front:
        parameters = front.parameters if is_given else ""
        publisher = Publisher(f"amqps://guest:guest@{host}:{front.port}//{parameters}")
        if is_let_in:
            publisher.publish("CRM.Retrieve", "e-1", "of-tls")
            assert publisher.waiting("of-tls") == 1
        else:
            with pytest.raises(PublishFailed, match=r"(?i)certificate"):
                publisher.publish("CRM.Retrieve", "e-1", "of-tls")


def test_a_whole_atom_over_tls(tmp_path):
    atom = TestAtom(tmp_path)
    with TlsFront(tmp_path, urlsplit(atom.redis.url).port) as front:
        atom.environment["ATOM_REDIS_URL"] = f"rediss://localhost:{front.port}/0{front.parameters}"
        try:
            atom.start_all()
            flow = atom.run("Echo", {"Text": "x"})
            assert flow.wait_over(120) is FlowStatus.DONE
        finally:
            atom.close()
