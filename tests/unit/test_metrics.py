"""Where measured values live, and what is told of a store that is slow."""

import tempfile
import threading
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import values

from atom.catalog import Catalog
from atom.errors import PublishFailed, StartupError
from atom.metrics import REQUESTS, Scrape, Standing, share, standing
from atom.overview import Overview, QueueState
from atom.records import Presence

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Store:
    """A store of which some is known."""

    def __init__(self):
        self.answers = threading.Event()
        self.asked = 0

    def overview(self):
        self.asked += 1
        self.answers.wait()
        return Overview(
            at=NOW,
            queues={
                "processes": QueueState(3, NOW - timedelta(seconds=90)),
                "slow": QueueState(0, None),
            },
            scheduled=4,
            suspended=3,
            running=2,
            lost=1,
            overdue_deadlines=0,
            callbacks_due=5,
            callbacks_late_since=NOW - timedelta(seconds=7),
            parked=6,
            failed=2,
            open_circuits={"a.example": NOW, "b.example": NOW},
            paused={},
            counters={
                "finished:completed:Shop.Buy: all. of it": 8,
                "lease_lost": 9,
                "lost taken over": 10,
            },
            stored=12,
            held_back={"Shop.Buy": 11},
        )

    def presences(self):
        return [Presence("processes", f"w{number}", NOW, {}) for number in range(2)]


class Broker:
    """A broker that is away."""

    def waiting(self, queue):
        raise PublishFailed("nobody there")


def told(scrape):
    return {line for line in scrape.text().decode().splitlines() if not line.startswith("#")}


def test_how_it_stands_is_told_in_numbers():
    store = Store()
    store.answers.set()
    found = told(Scrape(Standing(store, Broker(), Catalog([]))))
    assert found >= {
        "atom_store_up 1.0",
        "atom_broker_up 0.0",
        'atom_queue_waiting{queue="processes"} 3.0',
        'atom_queue_oldest_age_seconds{queue="processes"} 90.0',
        'atom_queue_oldest_age_seconds{queue="slow"} 0.0',
        'atom_executions{state="accepted"} 3.0',
        'atom_executions{state="scheduled"} 4.0',
        'atom_executions{state="suspended"} 3.0',
        'atom_executions{state="running"} 2.0',
        'atom_executions_finished_total{action="Buy: all. of it",service="Shop",'
        'state="completed"} 8.0',
        "atom_leases_lost_total 9.0",
        "atom_executions_unseen 2.0",
        "atom_executions_stored 12.0",
        "atom_leases_expired 1.0",
        'atom_recoveries_total{kind="lost taken over"} 10.0',
        "atom_callbacks_due 5.0",
        "atom_callbacks_oldest_overdue_seconds 7.0",
        "atom_callbacks_parked 6.0",
        "atom_circuits_open 2.0",
        'atom_workers{queue="processes"} 2.0',
        'atom_workers{queue="recovery"} 0.0',
        'atom_instances{role="listener"} 0.0',
    }
    assert not [each for each in found if each.startswith("atom_broker_messages")]


def test_a_store_that_hangs_is_asked_once_however_often_prometheus_asks(monkeypatch):
    monkeypatch.setattr(standing, "_PATIENCE_SECONDS", 0.01)
    store = Store()
    scrape = Scrape(Standing(store, Broker(), Catalog([])))
    try:
        for _ in range(3):
            assert "atom_store_up 0.0" in told(scrape)
        assert store.asked == 1
    finally:
        store.answers.set()


def test_where_nothing_is_shared_values_live_in_memory():
    REQUESTS.labels("Unit", "Test", "accepted").inc()
    assert 'atom_requests_total{action="Test",service="Unit",status="accepted"} 1.0' in {
        *told(Scrape())
    }


def test_without_a_place_for_files_a_role_says_so(monkeypatch):
    before = values.ValueClass
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(StartupError, match="Set TMPDIR"):
        share()
    assert values.ValueClass is before
