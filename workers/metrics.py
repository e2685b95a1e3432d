"""What Prometheus reads of a worker, from its main process, where no user code runs."""

from typing import Any

from celery import signals

from atom.metrics import Fixed, Scrape, serve, share
from atom.settings import Settings


def answer_scrapes(settings: Settings) -> None:
    """Have every worker of the app measure and answer, where a setting says at which address."""
    if not settings.metrics_bind:
        return

    def begin(instance: Any, **_: Any) -> None:
        # Before the pool forks: its children write beside this process.
        share()
        slots = Fixed("atom_worker_slots", "What runs at once, at most.", instance.concurrency)
        serve(settings.metrics_bind, Scrape(slots))

    signals.celeryd_after_setup.connect(begin, weak=False, dispatch_uid="atom.metrics")
