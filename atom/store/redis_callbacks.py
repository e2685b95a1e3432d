"""Callbacks in Redis: claimed, recorded, parked and replayed; their hosts' circuit breakers."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from atom import names
from atom.errors import Unreadable
from atom.records import Attempt, Delivery, ParkedCallback, Replay
from atom.store import codec
from atom.store.encryption import LOOK_AGAIN_SECONDS, Cipher
from atom.store.redis_part import RedisPart, in_ms

# Above what a callback may take, so that a delivery is taken over only from a dead worker.
_DELIVERY_MARGIN_SECONDS: Final = 10.0
# A host that fails this often in a row is left alone for a second, then two, four, …
_CIRCUIT_THRESHOLD: Final = 5
_CIRCUIT_LONGEST_SECONDS: Final = 60.0
# Callbacks that a circuit held back do not come back all at once.
_CIRCUIT_SPREAD_SECONDS: Final = 2.0
_AT_ONCE: Final = 500
# So many due callbacks are looked at in one script, for one that can go out.
_LOOKED_AT: Final = 50
# For what tells of keys: those who have others are to read it, and nobody learns anything from it.
_IN_CLEAR: Final = Cipher(())


class RedisCallbacks(RedisPart):
    """See `ExecutionStore`."""

    def claim_delivery(self, execution_id: str) -> Delivery | None:
        """See ExecutionStore."""
        arguments = (execution_id, *self._taking())
        with self._guard():
            flat = self._scripts.claim_delivery(self._keys(execution_id), arguments)
        return self._delivery(execution_id, flat) if flat else None

    def next_delivery(
        self, back_in_seconds: float | None = None, takes: int = 0
    ) -> tuple[Delivery, str] | None:
        """See ExecutionStore."""
        arguments = (
            names.execution_key(""),
            _LOOKED_AT,
            *self._taking(),
            "" if back_in_seconds is None else in_ms(back_in_seconds),
            takes,
        )
        while True:
            with self._guard():
                found = self._scripts.next_delivery((), arguments)
            if found is None:
                return None
            if found:
                execution_id, flat, another = found
                return self._delivery(execution_id.decode(), flat), another.decode()

    def _taking(self) -> tuple[int, ...]:
        """For how long a callback is taken, and what is to be known of circuits."""
        return (
            in_ms(self._settings.callback_timeout_seconds + _DELIVERY_MARGIN_SECONDS),
            _CIRCUIT_THRESHOLD,
            in_ms(random.uniform(0, _CIRCUIT_SPREAD_SECONDS)),  # noqa: S311 (not a secret)
        )

    def _delivery(self, execution_id: str, flat: Sequence[bytes]) -> Delivery:
        try:
            return codec.delivery(self._reader(execution_id), flat)
        except Unreadable as error:
            self._leave_to_others(execution_id, flat, error)
            raise

    def _leave_to_others(self, execution_id: str, flat: Sequence[bytes], error: Unreadable) -> None:
        """Whoever has the key may send it; parked when nobody did for as long as any is tried."""
        blank = codec.delivery(self._reader(execution_id, is_lenient=True), flat)
        now = blank.claimed_at
        oldest = now - timedelta(hours=self._settings.callback_hours)
        is_old = blank.due_since is not None and blank.due_since < oldest
        kind = "outcome" if blank.is_final else "progress"
        attempt = Attempt(at=now, kind=kind, status=None, answer=str(error), milliseconds=0)
        # Callbacks of the same flow state that waited for this one are found by recovery.
        self._record(
            blank,
            "retry" if blank.is_final and not is_old else "parked",
            codec.encode_attempt(attempt, _IN_CLEAR),
            due_in_seconds=LOOK_AGAIN_SECONDS,
            failures=blank.failures,
            busy=blank.busy,
            host="",
        )

    def record_delivery(  # noqa: PLR0913 (what is written of a try, by keyword)
        self,
        delivery: Delivery,
        verdict: str,
        attempt: Attempt,
        *,
        due_in_seconds: float = 0,
        failures: int = 0,
        busy: int = 0,
        blames_host: bool = False,
        keep: bool = False,
    ) -> Sequence[str]:
        """See ExecutionStore."""
        return self._record(
            delivery,
            "kept" if keep and verdict == "delivered" else verdict,
            codec.encode_attempt(attempt, self._cipher),
            due_in_seconds=due_in_seconds,
            failures=failures,
            busy=busy,
            host="troubled" if blames_host else "well",
        )

    def _record(
        self,
        delivery: Delivery,
        verdict: str,
        attempt: bytes,
        *,
        due_in_seconds: float,
        failures: int,
        busy: int,
        host: str,
    ) -> Sequence[str]:
        arguments = (
            delivery.execution_id,
            delivery.fence,
            delivery.seq,
            verdict,
            in_ms(due_in_seconds),
            failures,
            busy,
            attempt,
            self._retention_ms,
            in_ms(self._settings.progress_seconds),
            _CIRCUIT_THRESHOLD,
            in_ms(_CIRCUIT_LONGEST_SECONDS),
            host,
        )
        with self._guard():
            awake = self._scripts.record_delivery(self._keys(delivery.execution_id), arguments)
        return [each.decode() for each in awake or ()]

    def replay(self, execution_id: str) -> Replay:
        """See ExecutionStore."""
        with self._guard():
            verdict: bytes = self._scripts.replay(self._keys(execution_id), (execution_id,))
        return Replay(verdict.decode())

    def dismiss(self, execution_id: str) -> bool:
        """See ExecutionStore."""
        arguments = (execution_id, self._retention_ms)
        with self._guard():
            return bool(self._scripts.dismiss(self._keys(execution_id), arguments))

    def parked(
        self, limit: int, *, host: str = "", since: datetime | None = None
    ) -> Sequence[ParkedCallback]:
        """See ExecutionStore."""
        found: list[ParkedCallback] = []
        earliest = "-inf" if since is None else since.timestamp() * 1000
        start = 0
        while len(found) < limit:
            with self._guard():
                rows = self._redis.zrangebyscore(
                    names.PARKED, earliest, "+inf", start, _AT_ONCE, withscores=True
                )
                with self._redis.pipeline(transaction=False) as pipeline:
                    for each, _ in rows:
                        execution_id = each.decode()
                        wanted = ["service", "action", "callback_uri"]
                        pipeline.hmget(names.execution_key(execution_id), wanted)
                        pipeline.hget(names.documents_key(execution_id), "callback_attempts")
                    read = iter(pipeline.execute())
            for (each, parked_ms), row, attempts in zip(rows, read, read, strict=True):
                reader = self._reader(each.decode(), is_lenient=True)
                callback = codec.parked(reader, row, parked_ms, attempts)
                if not host or host.lower() in (callback.host, callback.host.partition(":")[0]):
                    found.append(callback)
            if len(rows) < _AT_ONCE:
                break
            start += _AT_ONCE
        return found[:limit]
