"""What the tests of delivering share: a store, a flow to post to, and callbacks that are due."""

from dataclasses import replace
from uuid import uuid4

import pytest
import redis

from atom.execution.delivery import Deliverer
from atom.flow.addresses import CallbackPolicy
from atom.flow.transport import Transport
from atom.publisher import Publisher
from atom.records import State
from atom.settings import Settings
from atom.store import RedisStore
from tests.support.callback_server import CallbackServer
from tests.support.executions import new_execution

TOKEN = "canary-token/1+2"
USER = "ManyWhoToken=canary-of-the-user"
HOUR = 3600.0


@pytest.fixture
def settings(embedded_redis):
    return replace(Settings(), redis_url=embedded_redis.url)


@pytest.fixture
def store(settings):
    store = RedisStore(settings)
    with redis.Redis.from_url(settings.redis_url) as client:
        client.flushall()  # whoever is woken sends whatever is due
    yield store
    store.close()


@pytest.fixture
def flow():
    server = CallbackServer()
    yield server
    server.close()


@pytest.fixture
def make_deliverer(settings, store):
    made = []

    def make(hosts=("127.0.0.1",), networks=(), store=store):
        transport = Transport(policy=CallbackPolicy.of(hosts, networks))
        made.append(transport)
        return Deliverer(store, Publisher(settings.broker), transport, HOUR)

    yield make
    for each in made:
        each.close()


@pytest.fixture
def finished(store, flow):
    """Finish an execution whose callback is due; returns its id."""

    def finish(uri=""):
        new = new_execution(
            callback_uri=uri or flow.url, token=f"{TOKEN}-{uuid4()}", authorization=USER
        )
        store.accept(new)
        claim = store.claim(new.id, "w", "1")
        store.finish(claim, State.COMPLETED, b'{"invokeType":"FORWARD"}', "")
        return new.id

    return finish
