"""Nobody waits for a broker that is away once for each execution whose turn comes."""

from dataclasses import replace

from atom.catalog import load_catalog
from atom.errors import PublishFailed
from atom.execution import wakeup
from atom.execution.recovery import Recovery
from atom.execution.wakeup import Waker
from atom.store import RedisStore
from atom.store.files import file_store
from tests.support.executions import new_execution

MANY = 20
CATALOG = load_catalog(["tests.support.services"])


class AbsentBroker:
    """Takes nothing until it is back, and would let its caller wait each time."""

    def __init__(self):
        self.is_back = False
        self.asked = []

    def publish(self, task_name, execution_id, queue, parentage=None):
        self.asked.append(execution_id)
        if not self.is_back:
            raise PublishFailed("The broker did not take a message.")

    def publish_callback(self, execution_id):
        self.publish("", execution_id, "")


def of_each_tenant(store, count, **changes):
    news = [
        new_execution(service="Trial", action="Echo", tenant_id=f"tenant {each}", **changes)
        for each in range(count)
    ]
    for each in news:
        store.accept(each)
    return [each.id for each in news]


def test_what_ends_many_waits_for_the_broker_once(settings, raw):
    broker = AbsentBroker()
    own = replace(settings, lease_seconds=60)
    store = RedisStore(own, on_released=Waker(CATALOG, broker))
    of_each_tenant(store, MANY, timeout_seconds=0)  # each is out, and ...
    waiting = of_each_tenant(store, MANY)  # ... its tenant has another one
    recovery = Recovery(CATALOG, store, broker, file_store(settings))
    assert recovery.end_overdue() == MANY
    assert len([each for each in broker.asked if each in waiting]) == 1
    assert raw.zcount("atom:accepted", "-inf", "(inf") == MANY, "each is found again"
    store.close()


def test_a_moment_later_it_is_asked_again(settings, raw, monkeypatch):
    broker = AbsentBroker()
    store = RedisStore(settings, on_released=Waker(CATALOG, broker))
    outs, waiting = of_each_tenant(store, 2), of_each_tenant(store, 2)
    store.cancel(outs[0], b"{}", "")
    broker.is_back = True
    monkeypatch.setattr(wakeup, "_LEFT_ALONE_SECONDS", 0.0)
    store.cancel(outs[1], b"{}", "")
    assert broker.asked == waiting
    store.close()
