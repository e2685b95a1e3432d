"""What Prometheus reads of a worker, from its main process, where no user code runs."""

from typing import Any

from celery import signals
from prometheus_client.registry import Collector

from atom.catalog import Catalog
from atom.metrics import Fixed, Scrape, Standing, serve, share
from atom.names import RECOVERY
from atom.publisher import Publisher
from atom.settings import Settings
from atom.store import RedisStore


def answer_scrapes(settings: Settings, catalog: Catalog) -> None:
    """Have every worker of the app measure and answer, where a setting says at which address."""
    if not settings.metrics_bind:
        return

    def begin(instance: Any, **_: Any) -> None:
        # Before the pool forks: its children write beside this process.
        share()
        slots = Fixed("atom_worker_slots", "What runs at once, at most.", instance.concurrency)
        collectors: list[Collector] = [slots]
        if RECOVERY in instance.app.amqp.queues.consume_from:
            # Beside the listeners, one that knows when they are gone; any number of workers
            # need not ask the store for the same.
            store, publisher = RedisStore(settings), Publisher(settings.broker)
            collectors.append(Standing(store, publisher, catalog))
        serve(settings.metrics_bind, Scrape(*collectors))

    signals.celeryd_after_setup.connect(begin, weak=False, dispatch_uid="atom.metrics")
