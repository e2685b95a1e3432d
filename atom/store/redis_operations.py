"""What people see and steer in Redis: executions, who is alive, what is paused."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

import orjson

from atom import names
from atom.records import Execution, LogLine, Overview, Presence, State
from atom.store import codec
from atom.store.redis_part import RedisPart, in_ms
from atom.store.redis_recovery import LONGEST_PUT_OFF_SECONDS

_PRESENCE_SECONDS: Final = 30.0
# Of each index an overview looks at this many, however many are late.
_LOOKED_AT: Final = 500


class RedisOperations(RedisPart):
    """See `ExecutionStore`."""

    def get(self, execution_id: str) -> Execution | None:
        """See ExecutionStore."""
        with self._guard(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(names.execution_key(execution_id))
            pipeline.hgetall(names.steps_key(execution_id))
            pipeline.lrange(names.attempts_key(execution_id), 0, -1)
            row, steps, attempts = pipeline.execute()
        if not row:
            return None
        return codec.execution(self._reader(execution_id, is_lenient=True), row, steps, attempts)

    def newest(
        self,
        limit: int,
        state: State | None = None,
        *,
        service: str = "",
        action: str = "",
        older_than: str = "",
    ) -> Sequence[Execution]:
        """See ExecutionStore."""
        asked = {b"state": state or "", b"service": service, b"action": action}
        wanted = {name: value.encode() for name, value in asked.items() if value}
        found: list[Execution] = []
        start = self._position_after(older_than) if older_than else 0
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
                    reader = self._reader(each.decode(), is_lenient=True)
                    found.append(codec.execution(reader, row))
            if len(ids) < 200:
                break
            start += 200
        return found[:limit]

    def _position_after(self, execution_id: str) -> int:
        """Where those begin that were accepted before one; of a forgotten one all are newer."""
        with self._guard():
            position = self._redis.zrevrank(names.HISTORY, execution_id)
            return int(self._redis.zcard(names.HISTORY) if position is None else position + 1)

    def log(self, execution_id: str) -> Sequence[LogLine]:
        """See ExecutionStore."""
        with self._guard():
            lines = self._redis.lrange(names.log_key(execution_id), 0, -1)
        reader = self._reader(execution_id, is_lenient=True)
        return list(filter(None, (codec.decode_line(reader, each) for each in lines)))

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
        return codec.since_by_target(found)

    # --- who is alive

    def announce(
        self, role: str, instance: str, details: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """See ExecutionStore."""
        keys = (names.presence_key(role, instance), names.PRESENCES)
        member = names.presence_member(role, instance)
        arguments = (member, orjson.dumps(dict(details)), in_ms(_PRESENCE_SECONDS))
        with self._guard():
            self._scripts.announce(keys, arguments)

    def withdraw(self, role: str, instance: str) -> None:
        """See ExecutionStore."""
        with self._guard(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(names.presence_key(role, instance))
            pipeline.zrem(names.PRESENCES, names.presence_member(role, instance))
            pipeline.execute()

    def presences(self, role: str | None = None) -> Sequence[Presence]:
        """See ExecutionStore."""
        with self._guard():
            members = [
                each
                for each in self._redis.zrange(names.PRESENCES, 0, -1)
                if role is None or each.startswith(names.presence_member(role, "").encode())
            ]
            keys = [names.presence_key(*each.decode().split("\0")) for each in members]
            values = self._redis.mget(keys) if keys else []
        found = (
            codec.presence(member, value)
            for member, value in zip(members, values, strict=True)
            if value is not None
        )
        return sorted(found, key=lambda each: (each.role, each.instance))

    def present(self, role: str) -> Sequence[str]:
        """See ExecutionStore."""
        return [each.instance for each in self.presences(role)]

    # --- how it stands

    def overview(self) -> Overview:
        """See ExecutionStore."""
        keys = (
            names.SCHEDULED,
            names.LEASES,
            names.DEADLINES,
            names.CALLBACKS_DUE,
            names.PARKED,
            names.WAITING,
            names.CIRCUITS,
            names.PAUSED,
            names.COUNTERS,
        )
        arguments = (names.execution_key(""), _LOOKED_AT, in_ms(LONGEST_PUT_OFF_SECONDS))
        with self._guard():
            found = self._scripts.overview(keys, arguments)
        return codec.overview(found)
