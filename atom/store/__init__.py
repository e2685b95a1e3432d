"""The store: the one place that knows what was accepted and what became of it."""

from atom.settings import Settings
from atom.store.contract import Accepted, Answer, ExecutionStore, Result
from atom.store.failures import not_accepted
from atom.store.redis_store import RedisStore
from atom.store.scripts import OnReleased
from atom.store.whole_store import WholeStore

__all__ = [
    "Accepted",
    "Answer",
    "ExecutionStore",
    "RedisStore",
    "Result",
    "not_accepted",
    "open_store",
]


def open_store(
    settings: Settings,
    *,
    within_seconds: float | None = None,
    on_released: OnReleased | None = None,
) -> RedisStore:
    """The store of those who look at the history or keep it: with its database, where there is one.

    Who only accepts, runs and delivers needs Redis alone.
    """
    store = WholeStore if settings.history_url else RedisStore
    return store(settings, within_seconds=within_seconds, on_released=on_released)
