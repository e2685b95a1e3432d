"""What recovery looks for in Redis: whose time has come, in every index."""

from collections.abc import Mapping, Sequence
from typing import Final

from atom import names
from atom.history import Copied, HistoryFacts
from atom.overview import ClockReading
from atom.records import Envelope
from atom.store import child_codec, codec
from atom.store.redis_part import RedisPart, in_ms

# Servers whose clocks are synchronized differ by less, for example after a failover.
_CLOCK_TOLERANCE_SECONDS: Final = 3.0
_RECOMPUTED_AT_ONCE: Final = 200
# The indexes of what is due, and all else that has a time.
_RECOMPUTED: Final = (
    *("leases", "callbacks", "scheduled", "suspended", "accepted", "deadlines"),
    "others",
)
# When the next look finds them again, should this one have come to nothing.
_PUT_OFF_SECONDS: Final = {"unstarted": 60.0, "lost": 10.0, "callbacks": 5.0, "overdue": 5.0}
LONGEST_PUT_OFF_SECONDS: Final = max(_PUT_OFF_SECONDS.values())


class RedisRecovery(RedisPart):
    """See `ExecutionStore`."""

    def observe_clock(self, forward_seconds: float = 0) -> ClockReading:
        """See ExecutionStore."""
        lease_seconds = self._settings.lease_seconds
        arguments = (
            in_ms(_CLOCK_TOLERANCE_SECONDS),
            in_ms(max(_CLOCK_TOLERANCE_SECONDS, lease_seconds / 2)),
            in_ms(lease_seconds),
            in_ms(forward_seconds),
        )
        with self._guard():
            now_ms, back_ms, is_wrong, is_steady = self._scripts.observe_clock((), arguments)
        return ClockReading(
            seconds=now_ms / 1000,
            set_back_seconds=back_ms / 1000,
            has_wrong_due_times=bool(is_wrong),
            can_judge_leases=bool(is_steady),
        )

    def recompute_due_times(self) -> int:
        """See ExecutionStore."""
        limits = (in_ms(_CLOCK_TOLERANCE_SECONDS), in_ms(self._settings.lease_seconds))
        changed = 0
        for index in _RECOMPUTED:
            cursor = b"0"
            while True:
                arguments = (index, cursor, _RECOMPUTED_AT_ONCE, *limits)
                with self._guard():
                    cursor, count = self._scripts.recompute((), arguments)
                changed += count
                if cursor == b"0":
                    break
        with self._guard():
            self._redis.hdel(names.CLOCK, "is_repairing")
        return changed

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
        wanted = ["service", "action", "tenant_id", "state_id", "queue", "parent", "root"]
        with self._guard(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hmget(names.execution_key(execution_id), wanted)
            pipeline.hget(names.documents_key(execution_id), "token")
            (*values, parent, root), token = pipeline.execute()
        if values[0] is None:
            return None
        service, action, tenant_id, state_id, queue = (value.decode() for value in values)
        return Envelope(
            service,
            action,
            tenant_id,
            state_id,
            is_awaited=bool(token),
            parentage=child_codec.parentage(parent, root),
            queue=queue,
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
