"""What people see and steer in Redis: who is alive, what is paused, how it stands."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

import orjson

from atom import names
from atom.overview import Overview
from atom.records import Presence
from atom.store import codec
from atom.store.redis_part import RedisPart, in_ms
from atom.store.redis_recovery import LONGEST_PUT_OFF_SECONDS

_PRESENCE_SECONDS: Final = 30.0
# Of each index an overview looks at this many, however many are late.
_LOOKED_AT: Final = 500


class RedisOperations(RedisPart):
    """See `ExecutionStore`."""

    # --- what is paused

    def pause(self, target: str) -> None:
        """See ExecutionStore."""
        since = self._now().isoformat()
        with self._guard():
            self._redis.hsetnx(names.PAUSED, target, since)

    def resume(self, target: str) -> bool:
        """See ExecutionStore."""
        with self._guard():
            return bool(self._scripts.resume((), (target,)))

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
        arguments = (names.execution_key(""), _LOOKED_AT, in_ms(LONGEST_PUT_OFF_SECONDS))
        with self._guard():
            found = self._scripts.overview((), arguments)
        return codec.overview(found)
