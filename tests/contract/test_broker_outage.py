"""An outage of the broker in the log of recovery: its start and its end, not each attempt."""

import logging
from dataclasses import replace

from atom.catalog import load_catalog
from atom.errors import PublishFailed
from atom.execution.recovery import Recovery
from atom.outage import ongoing
from atom.store import RedisStore
from atom.store.files import file_store
from tests.support.executions import new_execution

MANY = 5


class FailingBroker:
    """Takes nothing and answers nothing until it is back."""

    def __init__(self):
        self.is_back = False
        self.attempts = 0

    def publish(self, task_name, execution_id, queue, parentage=None):
        self._answer()

    def publish_callback(self, execution_id):
        self._answer()

    def waiting(self, queue):
        self._answer()
        return 0

    def _answer(self):
        self.attempts += 1
        if not self.is_back:
            raise PublishFailed("The broker did not take a message.")


def outage_lines(caplog):
    lines = [record.getMessage() for record in caplog.records]
    return [line for line in lines if line.startswith(("Recovery cannot", "Recovery publishes"))]


def accept_many(store, **changes):
    news = [
        new_execution(service="Trial", action="Echo", tenant_id=f"tenant {each}", **changes)
        for each in range(MANY)
    ]
    for each in news:
        store.accept(each)
    return news


def make_recovery(settings, store, broker):
    catalog = load_catalog(["tests.support.services"])
    return Recovery(catalog, store, broker, file_store(settings))


def test_end_of_an_outage_is_noticed_with_nothing_left_to_publish(settings, raw, caplog):
    caplog.set_level(logging.INFO)
    store, broker = RedisStore(replace(settings, republish_seconds=600)), FailingBroker()
    for each in accept_many(store):
        store.hand_back(store.claim(each.id, "w", "1"))
    recovery = make_recovery(settings, store, broker)
    recovery.tick()  # finds them, and puts them off
    recovery.tick()
    assert outage_lines(caplog) == ["Recovery cannot publish: The broker did not take a message."]
    assert ongoing() == "Recovery cannot publish: The broker did not take a message."
    broker.is_back = True
    recovery.tick()
    _, end = outage_lines(caplog)
    assert end.startswith("Recovery publishes again, after ")
    assert ongoing() == ""
    attempts = broker.attempts
    recovery.tick()
    assert broker.attempts == attempts  # it is asked during an outage only
    store.close()


def test_overdue_executions_end_with_one_failed_publication(settings, raw, caplog):
    store, broker = RedisStore(settings), FailingBroker()
    accept_many(store, timeout_seconds=0)
    recovery = make_recovery(settings, store, broker)
    assert recovery.end_overdue() == MANY
    assert broker.attempts == 1
    assert len(outage_lines(caplog)) == 1
    store.close()
