"""What nobody can begin does not keep the other executions of its tenant from their turn."""

from dataclasses import replace

import pytest

from atom.catalog import load_catalog
from atom.execution.recovery import Recovery
from atom.records import State
from atom.store import RedisStore
from atom.store.files import file_store
from tests.support.executions import new_execution
from tests.support.waiting import until


class Broker:
    """Knows in which queue what was published."""

    def __init__(self):
        self.published = []

    def publish(self, task_name, execution_id, queue, parentage=None):
        self.published.append((execution_id, queue))

    def waiting(self, queue):
        return 0


@pytest.fixture
def store(settings, raw):
    store = RedisStore(replace(settings, republish_seconds=0))
    yield store
    store.close()


@pytest.fixture
def broker():
    return Broker()


@pytest.fixture
def recovery(settings, store, broker):
    catalog = load_catalog(["tests.support.services"])
    return Recovery(catalog, store, broker, file_store(settings))


def accepted(store, count, **changes):
    news = [new_execution(service="Trial", **changes) for _ in range(count)]
    for each in news:
        store.accept(each)
    return [each.id for each in news]


def test_what_no_service_declares_any_more_keeps_nobody_waiting(store, recovery, broker):
    accepted(store, 20, action="Removed")
    (other,) = accepted(store, 1, action="Echo")
    recovery.publish_unstarted()
    assert (other, "processes") in broker.published


def test_it_is_published_when_it_is_declared_again(settings, store, recovery, broker):
    (waiting,) = accepted(store, 1, action="Removed")
    recovery.publish_unstarted()
    assert broker.published == []
    assert store.claim(waiting, "w", "1") is not None


def test_a_queue_with_another_name_keeps_nobody_waiting(store, recovery, broker, raw):
    before = accepted(store, 20, action="Echo", queue="before")
    recovery.publish_unstarted()
    assert {queue for _, queue in broker.published} == {"processes"}
    (first,) = {each for each, _ in broker.published}  # the window of the new one counts
    accepted(store, 1, action="Echo", tenant_id="another")
    assert store.overview().queues["processes"].waiting == 21
    assert store.overview().queues["before"].waiting == 0
    begun = [first]
    for _ in range(19):
        assert store.claim(begun[-1], "w", "1") is not None
        begun += store.take_released({}, 10)
    assert sorted(begun) == sorted(before)


def test_whoever_was_called_keeps_its_place_in_another_queue(store, recovery, broker):
    first, second = accepted(store, 2, action="Echo", queue="before")
    claim = store.claim(first, "w", "1", 1)
    (released,) = store.take_released({}, 10)
    assert store.claim(released, "w", "1", 1) is None
    store.finish(claim, State.COMPLETED, b"{}", "")
    assert store.take_released({"Trial.Echo": 1}, 10) == [second]
    accepted(store, 5, action="Echo")  # the window of the new queue is full
    recovery.publish_unstarted()
    assert (second, "processes") in broker.published
    assert store.claim(second, "w", "1", 1) is not None


def test_what_was_put_off_goes_to_the_other_queue_at_its_time(store, recovery, broker):
    (late,) = accepted(store, 1, action="Echo", queue="before")
    store.hand_back(store.claim(late, "w", "1"), delay_seconds=1.0)
    assert store.requeue(late, "processes") == []
    assert until(recovery.publish_scheduled, "its time") == 1
    assert broker.published == [(late, "processes")]
    assert store.overview().queues["processes"].waiting == 1
    assert store.claim(late, "w", "1") is not None


def test_what_ran_and_lost_its_worker_is_taken_over_from_another_queue(store, recovery, broker):
    (lost,) = accepted(store, 1, action="Echo", queue="before")
    store.release(store.claim(lost, "w", "1"))
    recovery.take_over_lost()
    assert broker.published == [(lost, "processes")]
