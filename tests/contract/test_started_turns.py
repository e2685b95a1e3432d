"""What the platform's API starts has its turn as what a flow asks for."""

import pytest

from atom.catalog import Catalog
from atom.errors import TooManyRequests
from atom.platform_api.starting import Starter
from atom.service import FlowService
from atom.store import RedisStore

SELDOM = 1 / 3600


class Broker:
    """Knows what was published."""

    def __init__(self):
        self.published = []

    def publish(self, task_name, execution_id, queue):
        self.published.append(execution_id)


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def store(settings, raw):
    store = RedisStore(settings)
    yield store
    store.close()


def starter(store, broker, **options):
    service = FlowService("CRM", **options)
    service.message_action("Soon", priority=5)(lambda request, execution: None)
    service.message_action("Later")(lambda request, execution: None)
    return Starter(Catalog([service]), store, broker)


def started(starter, action="Later"):
    return starter.start(f"CRM.{action}", "acme", {}, {})


def test_no_more_of_an_account_are_published_than_have_their_turn(store, broker):
    own = starter(store, broker)
    first, second = started(own), started(own)
    assert broker.published == [first]
    store.claim(first, "w", "1")
    assert store.take_released({}, 10) == [second]


def test_the_priority_of_its_process_counts(store, broker):
    own = starter(store, broker)
    first, later, soon = started(own), started(own), started(own, "Soon")
    store.claim(first, "w", "1")
    assert store.take_released({}, 10) == [soon]
    store.claim(soon, "w", "1")
    assert store.take_released({}, 10) == [later]


def test_the_rate_of_its_service_counts(store, broker):
    own = starter(store, broker, requests_per_second=SELDOM)
    started(own)
    with pytest.raises(TooManyRequests, match="requests_per_second"):
        started(own)
