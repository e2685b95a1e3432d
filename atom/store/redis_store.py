"""The store on Redis: one Lua script for each operation that has to be atomic."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import orjson

from atom import names
from atom.errors import ClaimLost
from atom.records import Attempt, Claim, Delivery, Envelope, Execution, NewExecution, State, Step
from atom.settings import Settings
from atom.store import codec
from atom.store.connection import connect, guarded
from atom.store.contract import Answer, Result
from atom.store.scripts import Scripts

# An answer that cannot be confirmed within this time is followed by its callback.
_INLINE_GRACE_SECONDS: Final = 5.0
# Above what a callback may take, so that a delivery is taken over only from a dead worker.
_DELIVERY_MARGIN_SECONDS: Final = 10.0
_PUT_OFF_SECONDS: Final = {"unstarted": 60.0, "lost": 5.0, "callbacks": 5.0, "overdue": 5.0}
_PRESENCE_SECONDS: Final = 30
_BLOCKING_SECONDS: Final = 75.0


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _answer_mode(new: NewExecution) -> str:
    if new.is_synchronous:
        return "only"
    return "pending" if new.sync_timeout_seconds else ""


def _result(content: bytes) -> Result:
    state, _, response = content.partition(b" ")
    return Result(State(state.decode()), response)


class RedisStore:
    """See `ExecutionStore`. Safe to share between threads, and to use after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url
        self._settings = settings
        self._redis = connect(settings.redis_url)
        # A blocking read may take as long as a synchronous request may wait.
        self._blocking = connect(settings.redis_url, _BLOCKING_SECONDS)
        self._scripts = Scripts(self._redis)
        self._retention_ms = _ms(settings.retention_days * 86_400)
        self._delivery_hold_ms = _ms(settings.callback_timeout_seconds + _DELIVERY_MARGIN_SECONDS)

    def _guard(self) -> Any:
        return guarded(self._url)

    def close(self) -> None:
        """Give the connections back."""
        self._redis.close()
        self._blocking.close()

    def ping(self) -> None:
        """See ExecutionStore."""
        with self._guard():
            self._redis.ping()

    # --- the listener's side

    def accept(self, new: NewExecution) -> str:
        """See ExecutionStore."""
        keys = (
            # Without a token each request is one of its own.
            names.token_key(new.tenant_id, new.token or new.id, new.service, new.action),
            names.execution_key(new.id),
            names.ACCEPTED,
            names.DEADLINES,
            names.HISTORY,
        )
        with self._guard():
            stored = self._scripts.accept(
                keys,
                (
                    new.id,
                    _ms(self._republish_seconds(new)),
                    _ms(new.timeout_seconds),
                    self._retention_ms + _ms(new.timeout_seconds),
                    _ms(new.sync_timeout_seconds),
                    _ms(_INLINE_GRACE_SECONDS),
                    _answer_mode(new),
                    *codec.accepted_fields(new),
                ),
            )
        return str(stored.decode())

    def _republish_seconds(self, new: NewExecution) -> float:
        """A lost message must be noticed while the caller of a synchronous request waits."""
        waits = 0 if new.is_synchronous else new.sync_timeout_seconds
        return self._settings.republish_seconds + waits

    def answer(self, execution_id: str) -> Answer:
        """See ExecutionStore."""
        keys = (names.execution_key(execution_id), names.CALLBACKS_DUE)
        with self._guard():
            kind, content = self._scripts.answer(keys, (execution_id, _ms(_INLINE_GRACE_SECONDS)))
        if kind == b"inline":
            return Answer(response=content)
        return Answer(response=None, progress=content.decode() or None)

    def confirm_answer(self, execution_id: str) -> None:
        """See ExecutionStore."""
        keys = (names.execution_key(execution_id), names.CALLBACKS_DUE)
        with self._guard():
            self._scripts.confirm_answer(keys, (execution_id, self._retention_ms))

    def wait_result(self, execution_id: str, seconds: float) -> Result | None:
        """See ExecutionStore."""
        with self._guard():
            come = self._blocking.blpop([names.finished_key(execution_id)], timeout=seconds)
        return _result(come[1]) if come else None

    def give_up(self, execution_id: str) -> Result | bool:
        """See ExecutionStore."""
        keys = (
            names.execution_key(execution_id),
            names.ACCEPTED,
            names.DEADLINES,
            names.finished_key(execution_id),
        )
        with self._guard():
            come: bytes = self._scripts.give_up(keys, (execution_id, self._retention_ms))
        return come == b"withdrawn" if come in (b"withdrawn", b"late") else _result(come)

    def wait_finished(self, execution_id: str, seconds: float) -> None:
        """See ExecutionStore."""
        with self._guard():
            self._blocking.blpop([names.finished_key(execution_id)], timeout=seconds)

    # --- the workers' side

    def claim(self, execution_id: str, worker: str) -> Claim | None:
        """See ExecutionStore."""
        keys = (
            names.execution_key(execution_id),
            names.ACCEPTED,
            names.LEASES,
            names.DEADLINES,
        )
        lease_ms = _ms(self._settings.lease_seconds)
        with self._guard():
            flat = self._scripts.claim(
                keys, (execution_id, worker, uuid4().hex, lease_ms, self._retention_ms)
            )
        return codec.claim(execution_id, flat) if flat else None

    def renew(self, claim: Claim) -> bool:
        """See ExecutionStore."""
        keys = (names.execution_key(claim.id), names.LEASES)
        lease_ms = _ms(self._settings.lease_seconds)
        with self._guard():
            return bool(self._scripts.renew(keys, (claim.id, claim.fence, lease_ms)))

    def steps(self, claim: Claim) -> dict[int, Step]:
        """See ExecutionStore."""
        with self._guard():
            recorded: Mapping[bytes, bytes] = self._redis.hgetall(names.steps_key(claim.id))
        return {int(position): Step(*orjson.loads(step)) for position, step in recorded.items()}

    def record_step(self, claim: Claim, position: int, step: Step) -> None:
        """See ExecutionStore."""
        keys = (names.execution_key(claim.id), names.steps_key(claim.id))
        encoded = orjson.dumps([step.name, step.result])
        with self._guard():
            if not self._scripts.record_step(keys, (claim.fence, position, encoded)):
                raise ClaimLost(claim.id)

    def progress(self, claim: Claim, message: str, fraction: float | None) -> bool:
        """See ExecutionStore."""
        keys = (names.execution_key(claim.id), names.CALLBACKS_DUE)
        shown = "" if fraction is None else fraction
        interval_ms = _ms(self._settings.progress_seconds)
        with self._guard():
            due = self._scripts.progress(keys, (claim.id, claim.fence, message, shown, interval_ms))
        return self._due(claim, due)

    def finish(
        self,
        claim: Claim,
        state: State,
        response: bytes,
        error: str,
        private_response: bytes | None = None,
    ) -> bool:
        """See ExecutionStore."""
        private = private_response or b""
        arguments = (
            *(claim.id, claim.fence, state.value, response, error, private),
            self._retention_ms,
        )
        with self._guard():
            due = self._scripts.finish(self._ending_keys(claim.id), arguments)
        return self._due(claim, due)

    def time_out(self, execution_id: str, response: bytes, error: str) -> bool | None:
        """See ExecutionStore."""
        keys = (*self._ending_keys(execution_id), names.ACCEPTED)
        with self._guard():
            due = self._scripts.time_out(keys, (execution_id, response, error, self._retention_ms))
        return None if due < 0 else bool(due)

    @staticmethod
    def _ending_keys(execution_id: str) -> tuple[str, ...]:
        return (
            names.execution_key(execution_id),
            names.LEASES,
            names.DEADLINES,
            names.CALLBACKS_DUE,
            names.finished_key(execution_id),
        )

    @staticmethod
    def _due(claim: Claim, due: int) -> bool:
        if due < 0:
            raise ClaimLost(claim.id)
        return bool(due)

    # --- callbacks

    def claim_delivery(self, execution_id: str) -> Delivery | None:
        """See ExecutionStore."""
        keys = (names.execution_key(execution_id), names.CALLBACKS_DUE)
        arguments = (execution_id, self._delivery_hold_ms, names.FLOW_STATE_PREFIX)
        with self._guard():
            row = self._scripts.claim_delivery(keys, arguments)
        return codec.delivery(execution_id, row) if row else None

    def record_delivery(
        self,
        delivery: Delivery,
        verdict: str,
        attempt: Attempt,
        *,
        due_in_seconds: float = 0,
        failures: int = 0,
        busy: int = 0,
    ) -> Sequence[str]:
        """See ExecutionStore."""
        execution_id = delivery.execution_id
        keys = (
            names.execution_key(execution_id),
            names.CALLBACKS_DUE,
            names.attempts_key(execution_id),
        )
        arguments = (
            execution_id,
            delivery.fence,
            delivery.seq,
            verdict,
            _ms(due_in_seconds),
            failures,
            busy,
            codec.encode_attempt(attempt),
            self._retention_ms,
            names.FLOW_STATE_PREFIX,
            _ms(self._settings.progress_seconds),
        )
        with self._guard():
            awake = self._scripts.record_delivery(keys, arguments)
        return [each.decode() for each in awake or ()]

    # --- recovery

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
            found = self._scripts.take_due((key,), (_ms(_PUT_OFF_SECONDS[kind]), limit))
        return [each.decode() for each in found]

    def envelope(self, execution_id: str) -> Envelope | None:
        """See ExecutionStore."""
        wanted = ["service", "action", "tenant_id", "token"]
        with self._guard():
            values = self._redis.hmget(names.execution_key(execution_id), wanted)
        if values[0] is None:
            return None
        # The token is gone where nothing is left to answer.
        return Envelope(*((value or b"").decode() for value in values))

    def trim(self, limit: int) -> int:
        """See ExecutionStore."""
        with self._guard():
            return int(
                self._scripts.trim(
                    (names.HISTORY,), (self._retention_ms, limit, names.execution_key(""))
                )
            )

    # --- people

    def get(self, execution_id: str) -> Execution | None:
        """See ExecutionStore."""
        with self._guard(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(names.execution_key(execution_id))
            pipeline.hgetall(names.steps_key(execution_id))
            pipeline.lrange(names.attempts_key(execution_id), 0, -1)
            row, steps, attempts = pipeline.execute()
        return codec.execution(execution_id, row, steps, attempts) if row else None

    def newest(self, limit: int, state: State | None = None) -> Sequence[Execution]:
        """See ExecutionStore."""
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
                if row[b"state"] and (state is None or row[b"state"].decode() == state):
                    found.append(codec.execution(each.decode(), row))
            if len(ids) < 200:
                break
            start += 200
        return found[:limit]

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
