"""Executions in Redis: accepted, answered, claimed, run and ended."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

from atom import names
from atom.children import After
from atom.entries import EntryKey
from atom.errors import ClaimLost, Overloaded, Paused, TooManyRequests, Unreadable
from atom.records import Claim, Ended, Hold, LogLine, NewExecution, Restart, State, Step
from atom.store import child_codec, codec, restarting
from atom.store.contract import Accepted, Answer, Result
from atom.store.encryption import LOOK_AGAIN_SECONDS
from atom.store.redis_part import RedisPart, in_ms

# An answer that cannot be confirmed within this time is followed by its callback.
_INLINE_GRACE_SECONDS: Final = 5.0


def _answer_mode(new: NewExecution) -> str:
    if new.is_synchronous:
        return "only"
    if not new.callback_uri:
        return "late"  # nobody waits for it
    return "pending" if new.sync_timeout_seconds else ""


def _too_many(new: NewExecution, whose: bytes, *, seconds: int) -> TooManyRequests:
    if whose == b"tenant":
        limit = "ATOM_TENANT_REQUESTS_PER_SECOND"
        return TooManyRequests(f"Tenant “{new.tenant_id}”", limit, seconds)
    return TooManyRequests(f"Service “{new.service}”", "its requests_per_second", seconds)


class RedisExecutions(RedisPart):
    """See `ExecutionStore`."""

    # --- the listener's side

    def accept(self, new: NewExecution) -> Accepted:
        """See ExecutionStore."""
        documents = codec.accepted_documents(new, self._cipher)
        arguments = (
            new.id,
            uuid4().hex,
            in_ms(self._republish_seconds(new)),
            in_ms(new.timeout_seconds),
            in_ms(new.sync_timeout_seconds),
            in_ms(_INLINE_GRACE_SECONDS),
            _answer_mode(new),
            self._settings.max_pending,
            new.service,
            new.action,
            new.queue,
            new.tenant_id,
            new.state_id,
            new.priority,
            self._settings.tenant_requests_per_second,
            new.service_rate,
            len(documents),
            *documents,
            *codec.accepted_fields(new),
        )
        with self._guard():
            verdict, *details = self._scripts.accept(self._keys(new.id), arguments)
        match verdict:
            case b"paused":
                raise Paused(details[0].decode())
            case b"full":
                raise Overloaded(int(details[0]))
            case b"limited":
                raise _too_many(new, details[0], seconds=math.ceil(details[1] / 1000))
        return Accepted(new.id, is_new=verdict == b"new", is_out=details == [1])

    def _republish_seconds(self, new: NewExecution) -> float:
        """A lost message must be noticed while the caller of a synchronous request waits."""
        if new.origin:
            return 0  # nobody publishes a copy but recovery
        waits = 0 if new.is_synchronous else new.sync_timeout_seconds
        return self._settings.republish_seconds + waits

    def answer(self, execution_id: str) -> Answer:
        """See ExecutionStore."""
        arguments = (execution_id, in_ms(_INLINE_GRACE_SECONDS))
        with self._guard():
            kind, content = self._scripts.answer(self._keys(execution_id), arguments)
        reader = self._reader(execution_id)
        if kind == b"inline":
            return Answer(response=reader.content(content))
        return Answer(response=None, progress=reader.text(content) or None)

    def confirm_answer(self, execution_id: str) -> None:
        """See ExecutionStore."""
        arguments = (execution_id, self._retention_ms)
        with self._guard():
            self._scripts.confirm_answer(self._keys(execution_id), arguments)

    def wait_result(self, execution_id: str, seconds: float) -> Result | None:
        """See ExecutionStore."""
        with self._guard():
            come = self._blocking.blpop([names.finished_key(execution_id)], timeout=seconds)
        return self._result(execution_id, come[1]) if come else None

    def give_up(self, execution_id: str) -> Result | bool:
        """See ExecutionStore."""
        arguments = (execution_id, self._retention_ms)
        with self._guard():
            come: bytes = self._scripts.give_up(self._keys(execution_id), arguments)
        if come in (b"withdrawn", b"late"):
            return come == b"withdrawn"
        return self._result(execution_id, come)

    def _result(self, execution_id: str, come: bytes) -> Result:
        state, _, response = come.partition(b" ")
        return Result(State(state.decode()), self._reader(execution_id).content(response) or b"")

    def wait_finished(self, execution_id: str, seconds: float) -> None:
        """See ExecutionStore."""
        with self._guard():
            self._blocking.blpop([names.finished_key(execution_id)], timeout=seconds)

    # --- the workers' side

    def claim(
        self,
        execution_id: str,
        worker: str,
        version: str,
        max_concurrency: int = 0,
        *,
        has_cleanup: bool = False,
        profiles: str = "",
    ) -> Claim | None:
        """See ExecutionStore."""
        arguments = (
            execution_id,
            worker,
            uuid4().hex,
            in_ms(self._settings.lease_seconds),
            self._retention_ms,
            version,
            codec.FORMAT_VERSION,
            max_concurrency,
            int(has_cleanup),
            profiles,
        )
        with self._guard():
            found = self._scripts.claim(self._keys(execution_id), arguments)
        if not found:
            return None
        try:
            return codec.claim(self._reader(execution_id), *found)
        except Unreadable:
            with suppress(ClaimLost):
                self.hand_back(codec.hold(execution_id, found[0]), delay_seconds=LOOK_AGAIN_SECONDS)
            raise

    def renew(self, holds: Sequence[Hold]) -> Sequence[Hold]:
        """See ExecutionStore."""
        lease_ms = in_ms(self._settings.lease_seconds)
        with self._guard(), self._redis.pipeline(transaction=False) as pipeline:
            for hold in holds:
                arguments = (hold.id, hold.fence, lease_ms)
                self._scripts.renew(self._keys(hold.id), arguments, pipeline)
            renewed = pipeline.execute()
        return [hold for hold, held in zip(holds, renewed, strict=True) if not held]

    def release(self, hold: Hold) -> None:
        """See ExecutionStore."""
        with self._guard():
            self._scripts.renew(self._keys(hold.id), (hold.id, hold.fence, 0))

    def holds(self, hold: Hold) -> bool:
        """See ExecutionStore."""
        with self._guard():
            row = self._redis.hmget(names.execution_key(hold.id), "state", "fence")
        return bool(row == [State.RUNNING.encode(), str(hold.fence).encode()])

    def hand_back(
        self,
        hold: Hold,
        *,
        delay_seconds: float = 0,
        failed: str = "",
        is_running: bool = False,
    ) -> None:
        """See ExecutionStore."""
        error = self._cipher.seal(failed.encode())
        arguments = (hold.id, hold.fence, in_ms(delay_seconds), error, int(is_running))
        with self._guard():
            handed = self._scripts.hand_back(self._keys(hold.id), arguments)
        if not handed:
            raise ClaimLost(hold.id)

    def steps(self, claim: Claim) -> dict[int, Step]:
        """See ExecutionStore."""
        with self._guard():
            recorded: Mapping[bytes, bytes] = self._redis.hgetall(names.steps_key(claim.id))
        reader = self._reader(claim.id)
        return {int(order): codec.decode_step(reader, step) for order, step in recorded.items()}

    def record_step(self, claim: Claim, order: int, step: Step) -> None:
        """See ExecutionStore."""
        arguments = (claim.fence, order, codec.encode_step(step, self._cipher), str(step.key))
        with self._guard():
            if not self._scripts.record_step(self._keys(claim.id), arguments):
                raise ClaimLost(claim.id)

    def progress(self, claim: Claim, message: str, fraction: float | None) -> bool:
        """See ExecutionStore."""
        shown = "" if fraction is None else fraction
        interval_ms = in_ms(self._settings.progress_seconds)
        sealed = self._cipher.seal(message.encode())
        arguments = (claim.id, claim.fence, sealed, shown, interval_ms)
        with self._guard():
            due = self._scripts.progress(self._keys(claim.id), arguments)
        return self._due(claim, due)

    def add_log(self, execution_id: str, lines: Sequence[LogLine]) -> None:
        """See ExecutionStore."""
        kept = lines[-self._settings.max_log_lines :]
        if not kept:
            return
        arguments = (
            self._settings.max_log_lines,
            *(codec.encode_line(each, self._cipher) for each in kept),
        )
        with self._guard():
            self._scripts.add_log(self._keys(execution_id), arguments)

    def finish(
        self,
        claim: Claim,
        state: State,
        response: bytes,
        error: str,
        private_response: bytes | None = None,
    ) -> After:
        """See ExecutionStore."""
        seal = self._cipher.seal
        arguments = (
            *(claim.id, claim.fence, state.value, seal(response), seal(error.encode())),
            seal(private_response or b""),
            self._retention_ms,
        )
        with self._guard():
            done = self._scripts.finish(self._keys(claim.id), arguments)
        self._due(claim, done[0])
        return child_codec.after(done)

    @staticmethod
    def _due(claim: Claim, due: int) -> bool:
        if due < 0:
            raise ClaimLost(claim.id)
        return bool(due)

    # --- from outside

    def time_out(self, execution_id: str, response: bytes, error: str) -> Ended | None:
        """See ExecutionStore."""
        return self._end(execution_id, State.TIMED_OUT, response, error)

    def cancel(self, execution_id: str, response: bytes, error: str) -> Ended | None:
        """See ExecutionStore."""
        return self._end(execution_id, State.CANCELLED, response, error)

    def _end(self, execution_id: str, state: State, response: bytes, error: str) -> Ended | None:
        seal = self._cipher.seal
        arguments = (
            *(execution_id, state.value, seal(response), seal(error.encode())),
            self._retention_ms,
        )
        with self._guard():
            ended: Any = self._scripts.end(self._keys(execution_id), arguments)
        if not ended:
            return None
        return Ended(State(ended[0].decode()), bool(ended[1]))

    def restart(
        self,
        execution_id: str,
        *,
        from_start: bool = False,
        from_step: EntryKey | None = None,
        drops_signals: bool = False,
    ) -> Restart:
        """See ExecutionStore."""
        with self._guard(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(names.documents_key(execution_id))
            pipeline.hgetall(names.steps_key(execution_id))
            documents, steps = pipeline.execute()
        reader = self._reader(execution_id)
        is_runnable = codec.is_runnable(reader, documents, () if from_start else steps.values())
        mode, cut = "start" if from_start else "failed_step", restarting.Cut()
        if not from_start and from_step is not None:
            mode = "step"
            cut = restarting.cut(reader, steps, from_step) if is_runnable else cut
        arguments = (execution_id, mode, int(is_runnable), int(drops_signals), *cut.arguments)
        with self._guard():
            verdict: bytes = self._scripts.restart(self._keys(execution_id), arguments)
        return Restart(verdict.decode())
