"""Executions in Redis that have a parent, and parents that wait for them."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from atom import names
from atom.children import ChildEnd, Join, JoinProgress, NewChild, NewJoin
from atom.errors import ClaimLost
from atom.records import Claim, State, Step
from atom.store import codec
from atom.store.redis_part import RedisPart, in_ms

_AT_ONCE: Final = 100
_RESULT, _ID = b"result:", b"id:"


class RedisChildren(RedisPart):
    """See `ExecutionStore`."""

    def open_join(self, claim: Claim, new: NewJoin) -> Join:
        """See ExecutionStore."""
        arguments = (
            *(claim.fence, new.position, new.name, new.total, new.width, int(new.stops)),
            *(new.digest, uuid4().hex),
            in_ms(self._settings.progress_seconds),
        )
        with self._guard():
            if not self._scripts.open_join(self._keys(claim.id), arguments):
                raise ClaimLost(claim.id)
            row: Mapping[bytes, bytes] = self._redis.hgetall(names.join_key(claim.id))
        reader = self._reader(claim.id)
        ends = {}
        for name, stored in row.items():
            if name.startswith(_RESULT):
                state, _, response = stored.partition(b" ")
                content = reader.content(response) or b""
                ends[int(name[len(_RESULT) :])] = ChildEnd(State(state.decode()), content)
        return Join(
            nonce=row[b"nonce"].decode(),
            digest=row[b"digest"].decode(),
            ids={
                int(name[len(_ID) :]): value.decode()
                for name, value in row.items()
                if name.startswith(_ID)
            },
            ends=ends,
            total=int(row[b"total"]),
            is_stopped=b"is_stopped" in row,
        )

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
                arguments += (int(child.is_item), child.priority)
            with self._guard():
                if not self._scripts.spawn(self._keys(claim.id), arguments):
                    raise ClaimLost(claim.id)

    def close_join(self, claim: Claim, position: int, step: Step) -> None:
        """See ExecutionStore."""
        arguments = (claim.fence, position, codec.encode_step(step, self._cipher))
        with self._guard():
            if not self._scripts.close_join(self._keys(claim.id), arguments):
                raise ClaimLost(claim.id)

    def join_progress(self, progress: JoinProgress, message: str) -> bool:
        """See ExecutionStore."""
        sealed = self._cipher.seal(message.encode())
        interval_ms = in_ms(self._settings.progress_seconds)
        fraction = progress.done / progress.total
        arguments = (progress.parent, "", sealed, fraction, interval_ms, progress.position)
        with self._guard():
            return bool(self._scripts.progress(self._keys(progress.parent), arguments) > 0)
