"""Whose turn it is, of the executions in Redis that wait; see `lua/_turns.lua`."""

from collections.abc import Mapping, Sequence

from atom import names
from atom.records import Hold
from atom.store.redis_part import RedisPart


class RedisTurns(RedisPart):
    """See `TurnStore`."""

    def let_go(self, hold: Hold) -> None:
        """See TurnStore."""
        with self._guard():
            self._scripts.let_go(self._keys(hold.id), (hold.id, hold.fence))

    def lines(self) -> Sequence[str]:
        """See TurnStore."""
        with self._guard():
            found = self._redis.smembers(names.LINES)
        return sorted(each.decode() for each in found)

    def set_windows(self, sizes: Mapping[str, int]) -> None:
        """See TurnStore."""
        with self._guard():
            self._redis.hset(names.WINDOWS, mapping=dict(sizes))

    def requeue(self, execution_id: str, queue: str) -> Sequence[str]:
        """See TurnStore."""
        with self._guard():
            found = self._scripts.requeue(self._keys(execution_id), (execution_id, queue))
        return [each.decode() for each in found]

    def take_released(self, limits: Mapping[str, int], limit: int) -> Sequence[str]:
        """See TurnStore."""
        pairs = (word for process, most in limits.items() for word in (process, most or ""))
        with self._guard():
            found = self._scripts.release((), (limit, *pairs))
        return [each.decode() for each in found]
