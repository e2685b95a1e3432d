"""Unfinished executions in Redis, read without a claim."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from heapq import nlargest
from itertools import islice
from typing import Any, Final

from atom import names
from atom.children import OpenJoin
from atom.entries import EntryKey
from atom.errors import UnknownFormat
from atom.records import State
from atom.store import codec
from atom.store.in_flight_contract import InFlight, Unfinished
from atom.store.reading import Reader
from atom.store.redis_part import RedisPart

_READ_AT_ONCE: Final = 500
_TOKEN: Final = b"token:"
_JOIN_FIELDS: Final = ("entry", "function", "digest", "total")


class RedisInFlight(RedisPart):
    """See `ExecutionStore`."""

    def unfinished(self, limit: int, service: str = "") -> Unfinished:
        """See ExecutionStore."""
        places: dict[str, int] = {}  # a scan may return an id twice
        with self._guard():
            ids = (member.decode() for member, _ in self._redis.zscan_iter(names.DEADLINES))
            while some := list(islice(ids, _READ_AT_ONCE)):
                places |= self._accepted_at(some, service)
        newest = nlargest(limit, places.items(), key=lambda place: (place[1], place[0]))
        return Unfinished([execution_id for execution_id, _ in newest], len(places))

    def _accepted_at(self, ids: Sequence[str], service: str) -> Mapping[str, int]:
        """Return when the unfinished executions of a service were accepted, by their ids."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for execution_id in ids:
                key = names.execution_key(execution_id)
                pipeline.hmget(key, "state", "service", "accepted_at")
            rows = pipeline.execute()
        return {
            execution_id: int(accepted_at)
            for execution_id, (state, name, accepted_at) in zip(ids, rows, strict=True)
            if _is_unfinished(state) and service in ("", name.decode())
        }

    def in_flight(self, execution_id: str) -> InFlight | None:
        """See ExecutionStore."""
        with self._guard(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(names.execution_key(execution_id))
            pipeline.hgetall(names.documents_key(execution_id))
            pipeline.hgetall(names.steps_key(execution_id))
            pipeline.hmget(names.join_key(execution_id), _JOIN_FIELDS)
            pipeline.hgetall(names.signals_key(execution_id))
            pipeline.time()
            row, documents, steps, join, signals, (seconds, _) = pipeline.execute()
        if not _is_unfinished(row.get(b"state")):
            return None
        if int(row[b"format"]) != codec.FORMAT_VERSION:
            raise UnknownFormat(execution_id, int(row[b"format"]), codec.FORMAT_VERSION)
        reader = self._reader(execution_id)
        next_row = _next_attempt(row, datetime.fromtimestamp(seconds, UTC))
        of_parent = self._request_of_parent(row)
        return InFlight(
            claim=codec.claim_of(reader, {**next_row, **documents}, of_parent),
            steps={int(order): codec.decode_step(reader, step) for order, step in steps.items()},
            profiles=row[b"profiles"].decode(),
            join=_open_join(*join),
            signal_tokens=dict(_tokens(reader, signals)),
        )

    def _request_of_parent(self, row: Mapping[bytes, bytes]) -> Sequence[bytes | None] | None:
        """Return the requests that claim.lua hands out for a child: of the nearest non-item."""
        parent = None if b"ending_state" in row else row.get(b"parent")
        with self._guard():
            while parent is not None:
                key = names.EXECUTION_PREFIX + parent.decode()
                is_item, grandparent = self._redis.hmget(key, "is_item", "parent")
                if is_item is None:
                    found: Sequence[bytes | None] = self._redis.hmget(
                        names.documents_key(parent.decode()), "request", "private_request"
                    )
                    return found
                parent = grandparent
        return None


def _is_unfinished(state: bytes | None) -> bool:
    return state is not None and not State(state.decode()).is_final


def _next_attempt(row: Mapping[bytes, bytes], now: datetime) -> dict[bytes, Any]:
    """Return the fields as claim.lua would leave them, except for the holder."""
    is_resumed = b"is_resumed" in row or row[b"state"] == State.SUSPENDED.value.encode()
    return {
        **row,
        b"fence": int(row[b"fence"]) + 1,
        b"attempts": int(row[b"attempts"]) + (0 if is_resumed else 1),
        b"run_started_at": int(now.timestamp() * 1000),
    }


def _open_join(
    entry: bytes | None, function: bytes, digest: bytes, total: bytes
) -> OpenJoin | None:
    if entry is None:
        return None
    return OpenJoin(
        key=EntryKey.parse(entry.decode()),
        function=function.decode(),
        digest=digest.decode(),
        total=int(total),
    )


def _tokens(reader: Reader, signals: Mapping[bytes, bytes]) -> Any:
    """Yield the token of each signal that the process has asked for."""
    for name, stored in signals.items():
        if name.startswith(_TOKEN):
            yield name[len(_TOKEN) :].decode(), reader.text(stored) or ""
