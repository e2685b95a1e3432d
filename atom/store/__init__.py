"""The store: the one place that knows what was accepted and what became of it."""

from atom.store.contract import Accepted, Answer, ExecutionStore, Result
from atom.store.redis_store import RedisStore

__all__ = ["Accepted", "Answer", "ExecutionStore", "RedisStore", "Result"]
