"""A call whose message was lost is published again, however long the queue is."""

from dataclasses import replace

import pytest

from atom import names
from atom.catalog import Catalog
from atom.execution.recovery import Recovery
from atom.records import State
from atom.service import FlowService
from atom.store import RedisStore
from atom.store.files import file_store
from tests.support.executions import new_execution


class FullBroker:
    """Has more messages than recovery adds to."""

    def __init__(self):
        self.published = []

    def publish(self, task_name, execution_id, queue, parentage=None):
        self.published.append(execution_id)

    def waiting(self, queue):
        return 10_000


@pytest.fixture
def store(settings, raw):
    # It says whom it called, and whoever was to publish that died.
    store = RedisStore(replace(settings, republish_seconds=0), on_released=lambda released: None)
    yield store
    store.close()


def test_a_place_is_not_kept_for_a_lost_message_while_others_flood_the_queue(settings, store, raw):
    service = FlowService("CRM")
    service.message_action("Retrieve", max_concurrency=1)(lambda request, execution: None)
    broker = FullBroker()
    recovery = Recovery(Catalog([service]), store, broker, file_store(settings))
    first, second, third = (new_execution(tenant_id=each) for each in "abc")
    for each in (first, second, third):
        store.accept(each)
    claim = store.claim(first.id, "w", "1", 1)
    for each in (second, third):
        assert store.claim(each.id, "w", "1", 1) is None
    store.finish(claim, State.COMPLETED, b"{}", "")
    for _ in range(3):
        recovery.publish_released()
        recovery.publish_unstarted()
    assert broker.published == [second.id]
    raw.zadd(names.ACCEPTED, {second.id: 0})  # that message was lost as well
    recovery.publish_released()
    assert broker.published == [second.id] * 2
    assert store.claim(second.id, "w", "1", 1) is not None
