"""What recovery looks for in Redis: whose time has come, in every index."""

from collections.abc import Mapping, Sequence
from typing import Final

from atom import names
from atom.history import Copied, HistoryFacts
from atom.records import Envelope
from atom.store import child_codec, codec
from atom.store.redis_part import RedisPart, in_ms

# When the next look finds them again, should this one have come to nothing.
_PUT_OFF_SECONDS: Final = {"unstarted": 60.0, "lost": 10.0, "callbacks": 5.0, "overdue": 5.0}
LONGEST_PUT_OFF_SECONDS: Final = max(_PUT_OFF_SECONDS.values())


class RedisRecovery(RedisPart):
    """See `ExecutionStore`."""

    def take_scheduled(self, limit: int) -> Sequence[str]:
        """See ExecutionStore."""
        with self._guard():
            found = self._scripts.take_scheduled((), (limit,))
        return [each.decode() for each in found]

    def take_unstarted(self, limit: int) -> Sequence[str]:
        """See ExecutionStore."""
        return self._take(names.ACCEPTED, "unstarted", limit)

    def take_lost(self, limit: int) -> Sequence[str]:
        """See ExecutionStore."""
        return self._take(names.LEASES, "lost", limit)

    def take_due_callbacks(self, limit: int) -> Sequence[str]:
        """See ExecutionStore."""
        return self._take(names.CALLBACKS_DUE, "callbacks", limit)

    def take_overdue(self, limit: int) -> Sequence[str]:
        """See ExecutionStore."""
        return self._take(names.DEADLINES, "overdue", limit)

    def _take(self, key: str, kind: str, limit: int) -> Sequence[str]:
        with self._guard():
            found = self._scripts.take_due((key,), (in_ms(_PUT_OFF_SECONDS[kind]), limit))
        return [each.decode() for each in found]

    def envelope(self, execution_id: str) -> Envelope | None:
        """See ExecutionStore."""
        wanted = ["service", "action", "tenant_id", "state_id", "parent", "root", "queue", "token"]
        with self._guard(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hmget(names.execution_key(execution_id), wanted)
            pipeline.hget(names.documents_key(execution_id), "token")
            (*values, old_token), token = pipeline.execute()
        if values[0] is None:
            return None
        *values, parent, root, queue = values
        service, action, tenant_id, state_id = (value.decode() for value in values)
        return Envelope(
            service,
            action,
            tenant_id,
            state_id,
            is_awaited=bool(token or old_token),
            parentage=child_codec.parentage(parent, root),
            queue=queue.decode() if queue else "",
        )

    def trim(self, limit: int) -> int:
        """See ExecutionStore."""
        with self._guard():
            return int(self._scripts.trim(self._keys(""), (limit, self._retention_ms)))

    def tend_families(self, limit: int) -> int:
        """See ExecutionStore."""
        with self._guard():
            return int(self._scripts.tend_families((), (limit,)))

    # --- where there is no history database

    def take_settled(self, limit: int) -> Sequence[str]:
        """See ExecutionStore."""
        return ()

    def copy_settled(self, execution_ids: Sequence[str]) -> Sequence[Copied]:
        """See ExecutionStore."""
        return ()

    def remove_copied(self, copied: Sequence[Copied]) -> int:
        """See ExecutionStore."""
        return 0

    def history_facts(self) -> HistoryFacts | None:
        """See ExecutionStore."""
        return None

    # --- counters

    def count(self, counts: Mapping[str, int]) -> None:
        """See ExecutionStore."""
        with self._guard(), self._redis.pipeline(transaction=False) as pipeline:
            for name, count in counts.items():
                pipeline.hincrby(names.COUNTERS, name, count)
            pipeline.execute()

    def counters(self) -> Mapping[str, int]:
        """See ExecutionStore."""
        with self._guard():
            found = self._redis.hgetall(names.COUNTERS)
        return codec.counts_by_name(found)
