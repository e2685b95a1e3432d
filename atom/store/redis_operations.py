"""What people see and steer in Redis: executions, who is alive, what is paused."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from atom import names
from atom.records import Execution, State
from atom.store import codec
from atom.store.redis_part import RedisPart

_PRESENCE_SECONDS: Final = 30


class RedisOperations(RedisPart):
    """See `ExecutionStore`."""

    def get(self, execution_id: str) -> Execution | None:
        """See ExecutionStore."""
        with self._guard(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(names.execution_key(execution_id))
            pipeline.hgetall(names.steps_key(execution_id))
            pipeline.lrange(names.attempts_key(execution_id), 0, -1)
            row, steps, attempts = pipeline.execute()
        return codec.execution(execution_id, row, steps, attempts) if row else None

    def newest(
        self, limit: int, state: State | None = None, *, service: str = "", action: str = ""
    ) -> Sequence[Execution]:
        """See ExecutionStore."""
        asked = {b"state": state or "", b"service": service, b"action": action}
        wanted = {name: value.encode() for name, value in asked.items() if value}
        found: list[Execution] = []
        start = 0
        while len(found) < limit:
            with self._guard():
                ids = self._redis.zrevrange(names.HISTORY, start, start + 199)
                with self._redis.pipeline(transaction=False) as pipeline:
                    for each in ids:
                        pipeline.hmget(names.execution_key(each.decode()), codec.SUMMARY_FIELDS)
                    rows = pipeline.execute()
            for each, values in zip(ids, rows, strict=True):
                row = dict(zip(codec.SUMMARY_FIELDS, values, strict=True))
                if row[b"state"] and all(row[name] == value for name, value in wanted.items()):
                    found.append(codec.execution(each.decode(), row))
            if len(ids) < 200:
                break
            start += 200
        return found[:limit]

    # --- what is paused

    def pause(self, target: str) -> None:
        """See ExecutionStore."""
        with self._guard():
            self._redis.hsetnx(names.PAUSED, target, datetime.now(UTC).isoformat())

    def resume(self, target: str) -> bool:
        """See ExecutionStore."""
        with self._guard():
            return bool(self._redis.hdel(names.PAUSED, target))

    def paused(self) -> Mapping[str, datetime]:
        """See ExecutionStore."""
        with self._guard():
            found = self._redis.hgetall(names.PAUSED)
        return {
            target.decode(): datetime.fromisoformat(since.decode())
            for target, since in sorted(found.items())
        }

    # --- who is alive

    def announce(self, role: str, instance: str) -> None:
        """See ExecutionStore."""
        with self._guard():
            self._redis.set(names.presence_key(role, instance), "1", ex=_PRESENCE_SECONDS)

    def withdraw(self, role: str, instance: str) -> None:
        """See ExecutionStore."""
        with self._guard():
            self._redis.delete(names.presence_key(role, instance))

    def present(self, role: str) -> Sequence[str]:
        """See ExecutionStore."""
        prefix = names.presence_key(role, "")
        with self._guard():
            found = self._redis.scan_iter(match=f"{prefix}*", count=1000)
            return sorted(key.decode().removeprefix(prefix) for key in found)
