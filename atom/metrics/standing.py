"""How it stands with the whole Atom, read from store and broker when Prometheus asks.

Every role that is asked says the same, so these are not to be added up over instances: take `max
by` their labels.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from atom.catalog import Catalog
from atom.errors import PublishFailed, StoreUnavailable
from atom.look import Look, both
from atom.names import CALLBACKS, LISTENER, PROCESSES, RECOVERY
from atom.overview import Overview
from atom.publisher import Publisher
from atom.records import Presence
from atom.store import ExecutionStore

# Below the time that Prometheus gives a scrape (10 s unless told otherwise).
_PATIENCE_SECONDS: Final = 3.0


class Standing(Collector):
    """The queues, executions, callbacks and workers of an Atom."""

    def __init__(self, store: ExecutionStore, publisher: Publisher, catalog: Catalog) -> None:
        self._store, self._publisher = store, publisher
        self._queues = sorted({PROCESSES, *catalog.queues(), CALLBACKS})
        self._store_look = Look(self._ask_store, StoreUnavailable)
        self._broker_look = Look(self._ask_broker, PublishFailed)

    def collect(self) -> Iterator[Metric]:
        """Ask both at once; what does not answer is left out."""
        stands, waiting = both(self._store_look, self._broker_look, _PATIENCE_SECONDS)
        yield _gauge("store_up", "Whether the store answers.", stands is not None)
        yield _gauge("broker_up", "Whether the broker answers.", waiting is not None)
        if waiting is not None:
            yield _gauges("broker_messages", "Messages in the broker.", "queue", waiting)
        if stands is not None:
            overview, presences = stands
            yield from _queues(overview)
            yield from _executions(overview)
            yield from _callbacks(overview)
            yield from self._present(presences)

    def _ask_store(self) -> tuple[Overview, Iterable[Presence]]:
        return self._store.overview(), self._store.presences()

    def _ask_broker(self) -> dict[str, int]:
        return {queue: self._publisher.waiting(queue) for queue in self._queues}

    def _present(self, presences: Iterable[Presence]) -> Iterator[Metric]:
        seen = Counter(each.role for each in presences)
        workers = {queue: seen.pop(queue, 0) for queue in (*self._queues, RECOVERY)}
        yield _gauges("workers", "Live workers of a queue, and recoveries.", "queue", workers)
        others = {LISTENER: 0, **seen}
        yield _gauges("instances", "Live instances of other roles.", "role", others)


def _queues(overview: Overview) -> Iterator[Metric]:
    queues = overview.queues.items()
    waiting = {name: each.waiting for name, each in queues}
    ages = {name: _age(overview, each.oldest_at) for name, each in queues}
    yield _gauges("queue_waiting", "Executions that wait for a worker.", "queue", waiting)
    yield _gauges("queue_oldest_age_seconds", "How long the first waits.", "queue", ages)
    held_back = overview.held_back
    yield _gauges("held_back", "Those that max_concurrency holds back.", "process", held_back)
    yield _gauges(
        "executions",
        "Executions that have not ended.",
        "state",
        {
            "accepted": sum(waiting.values()),
            "scheduled": overview.scheduled,
            "suspended": overview.suspended,
            "running": overview.running,
        },
    )


def _executions(overview: Overview) -> Iterator[Metric]:
    ends = CounterMetricFamily(
        "atom_executions_finished",
        "Executions that ended, without children.",
        labels=["service", "action", "state"],
    )
    for labels, count in sorted(overview.ends.items()):
        ends.add_metric(labels, count)
    yield ends
    yield _counters("recoveries", "What recovery did.", "kind", overview.recoveries)
    taken_over = overview.taken_over
    yield CounterMetricFamily("atom_leases_lost", "Take-overs from lost workers.", taken_over)
    yield _gauge("executions_unseen", "Failed, and nobody has seen to it.", overview.failed)
    yield _gauge("executions_stored", "Executions in Redis, ended or not.", overview.stored)
    yield _gauge("leases_expired", "Executions whose worker is lost.", overview.lost)
    yield _gauge("deadlines_overdue", "Executions past their deadline.", overview.overdue_deadlines)
    yield _gauge("paused", "Targets that take no requests.", len(overview.paused))


def _callbacks(overview: Overview) -> Iterator[Metric]:
    late = _age(overview, overview.callbacks_late_since)
    yield _gauge("callbacks_due", "Callbacks to be sent, now or later.", overview.callbacks_due)
    yield _gauge("callbacks_oldest_overdue_seconds", "How late the most overdue one is.", late)
    yield _gauge("callbacks_parked", "Callbacks that wait for a person.", overview.parked)
    yield _gauge("circuits_open", "Hosts that are left alone.", len(overview.open_circuits))


def _age(overview: Overview, since: datetime | None) -> float:
    """Both by the store's clock."""
    return (overview.at - since).total_seconds() if since else 0.0


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"atom_{name}", meaning, value)


def _gauges(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(GaugeMetricFamily(f"atom_{name}", meaning, labels=[label]), values)


def _counters(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(CounterMetricFamily(f"atom_{name}", meaning, labels=[label]), values)


def _labelled(family: Any, values: Mapping[str, float]) -> Metric:
    for word, value in sorted(values.items()):
        family.add_metric([word], value)
    metric: Metric = family
    return metric
