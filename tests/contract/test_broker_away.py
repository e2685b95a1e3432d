"""A broker apart from the store that is away: a look of recovery stays short, nothing is missed."""

from dataclasses import replace

import pytest

from atom.catalog import load_catalog
from atom.errors import PublishFailed
from atom.execution.recovery import Recovery
from atom.store import RedisStore
from atom.store.files import file_store
from tests.support.executions import new_execution

MANY = 20


class AbsentBroker:
    """Takes nothing, and would let its caller wait each time."""

    def __init__(self):
        self.asked = 0

    def publish(self, task_name, execution_id, queue, parentage=None):
        self.asked += 1
        raise PublishFailed("The broker did not take a message.")


@pytest.mark.parametrize("kind", ["lost", "scheduled"])
def test_after_one_failure_the_rest_waits_for_the_next_look(settings, raw, kind):
    store, broker = RedisStore(replace(settings, lease_seconds=1)), AbsentBroker()
    for _ in range(MANY):
        new = new_execution(service="Trial", action="Echo")
        store.accept(new)
        claim = store.claim(new.id, "w", "1")
        if kind == "lost":
            store.release(claim)
        else:
            store.hand_back(claim)
    catalog = load_catalog(["tests.support.services"])
    recovery = Recovery(catalog, store, broker, file_store(settings))
    look = recovery.take_over_lost if kind == "lost" else recovery.publish_scheduled
    assert look() == 0
    assert broker.asked == 1
    index = "atom:leases" if kind == "lost" else "atom:accepted"
    assert raw.zcard(index) == MANY, "each is found again"
    store.close()
