"""Executions in Redis that have a parent, and parents that wait for them."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import orjson

from atom import names
from atom.children import ChildEnd, Join, JoinProgress, NewChild, NewJoin
from atom.errors import ClaimLost
from atom.records import Claim, State, Step
from atom.store import codec
from atom.store.redis_part import RedisPart, in_ms

_AT_ONCE: Final = 100
_READ_AT_ONCE: Final = 500
_RESULT, _ID = b"result:", b"id:"


class RedisChildren(RedisPart):
    """See `ExecutionStore`."""

    def open_join(self, claim: Claim, new: NewJoin) -> Join:
        """See ExecutionStore."""
        arguments = (
            *(claim.fence, str(new.key), new.total, new.width, int(new.stops)),
            *(new.digest, uuid4().hex),
            *(in_ms(self._settings.progress_seconds), new.function),
        )
        with self._guard():
            if not self._scripts.open_join(self._keys(claim.id), arguments):
                raise ClaimLost(claim.id)
            row = self._join(claim)
            if self._adopt(claim, new, row):
                row = self._join(claim)
        nonce, *_ = orjson.loads(row[b"nonces"])
        reader = self._reader(claim.id)
        ends = {}
        for name, stored in row.items():
            if name.startswith(_RESULT):
                state, _, response = stored.partition(b" ")
                content = reader.content(response) or b""
                ends[int(name[len(_RESULT) :])] = ChildEnd(State(state.decode()), content)
        return Join(
            nonce=nonce,
            digest=row[b"digest"].decode(),
            function=row[b"function"].decode(),
            ids={
                int(name[len(_ID) :]): value.decode()
                for name, value in row.items()
                if name.startswith(_ID)
            },
            ends=ends,
            total=int(row[b"total"]),
            is_stopped=b"is_stopped" in row,
        )

    def _join(self, claim: Claim) -> Mapping[bytes, bytes]:
        """Read the open join in parts; what is read first is never ahead of the rest."""
        key = names.join_key(claim.id)
        names_first = ("nonces", "digest", "total", "is_stopped")
        first = zip(names_first, self._redis.hmget(key, names_first), strict=True)
        row = dict(self._redis.hscan_iter(key, count=_READ_AT_ONCE))
        row.pop(b"is_stopped", None)
        return row | {name.encode(): value for name, value in first if value is not None}

    def _adopt(self, claim: Claim, new: NewJoin, row: Mapping[bytes, bytes]) -> bool:
        """Take over the children of earlier joins that asked for the same at this entry."""
        _, *earlier = orjson.loads(row[b"nonces"])
        pairs = [
            (index, names.child_execution_id(claim.id, nonce, index))
            for nonce in earlier
            for index in range(int(row[b"total"]))
            if b"id:%d" % index not in row
        ]
        adopted = 0
        for begin in range(0, len(pairs), _AT_ONCE):
            some = (word for pair in pairs[begin : begin + _AT_ONCE] for word in pair)
            taken = self._scripts.adopt(self._keys(claim.id), (claim.fence, str(new.key), *some))
            if taken < 0:
                raise ClaimLost(claim.id)
            adopted += taken
        return adopted > 0

    def spawn(self, claim: Claim, children: Mapping[int, NewChild]) -> None:
        """See ExecutionStore."""
        root = claim.parentage.root if claim.parentage else claim.id
        every = list(children.items())
        for begin in range(0, len(every), _AT_ONCE):
            arguments: list[Any] = [claim.id, claim.fence, codec.FORMAT_VERSION, root, claim.trace]
            for index, child in every[begin : begin + _AT_ONCE]:
                arguments += (index, child.id, child.service, child.action, child.queue)
                arguments += (in_ms(child.timeout_seconds), self._cipher.seal(child.request))
                arguments.append(self._cipher.seal(child.private_request or b""))
                arguments += (int(child.is_item), child.priority, child.version, child.profiles)
            with self._guard():
                if not self._scripts.spawn(self._keys(claim.id), arguments):
                    raise ClaimLost(claim.id)

    def close_join(self, claim: Claim, order: int, step: Step) -> None:
        """See ExecutionStore."""
        arguments = (claim.fence, order, codec.encode_step(step, self._cipher), str(step.key))
        with self._guard():
            if not self._scripts.close_join(self._keys(claim.id), arguments):
                raise ClaimLost(claim.id)

    def join_progress(self, progress: JoinProgress, message: str) -> bool:
        """See ExecutionStore."""
        sealed = self._cipher.seal(message.encode())
        interval_ms = in_ms(self._settings.progress_seconds)
        fraction = progress.done / progress.total
        arguments = (progress.parent, "", sealed, fraction, interval_ms, str(progress.key))
        with self._guard():
            return bool(self._scripts.progress(self._keys(progress.parent), arguments) > 0)
