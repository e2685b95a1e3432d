"""Delivering a callback: claim it, post it, record what the flow answered."""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import orjson
from structlog.contextvars import bound_contextvars

from atom.errors import StoreUnavailable
from atom.execution.wakeup import wake_callbacks
from atom.flow import callback
from atom.flow.transport import DestinationRefused, Transport, TransportError
from atom.logs import context_of
from atom.metrics import CALLBACK_SECONDS
from atom.protocol.message_actions import unsealed, wait
from atom.publisher import Publisher
from atom.records import Attempt, Delivery
from atom.redaction import hiding
from atom.store import ExecutionStore
from atom.traces import Kind, current, fail, span

_log = logging.getLogger(__name__)

# The flow has moved already: what it answered is worth a few seconds.
_RECORD_AGAIN_SECONDS: Final = (0.2, 0.5, 1.0, 2.0)


class Deliverer:
    """Sends the callbacks that a worker is woken for, until they are `deadline_seconds` old."""

    def __init__(
        self,
        store: ExecutionStore,
        publisher: Publisher,
        transport: Transport,
        deadline_seconds: float,
    ) -> None:
        self._store, self._publisher, self._transport = store, publisher, transport
        self._deadline_seconds = deadline_seconds

    def deliver(self, execution_id: str) -> str:
        """Send the callback if it is due; returns what became of it, in a word.

        Dying after the post and before the record sends it again later: the flow then answers
        TOKEN_COMPLETED, and has moved once.
        """
        delivery = self._store.claim_delivery(execution_id)
        if delivery is None:
            return "nothing to do"
        name = f"callback {delivery.service}.{delivery.action}"
        about = context_of(execution_id, delivery)
        with bound_contextvars(**about), span(name, Kind.CLIENT, delivery.trace, about):
            verdict, awake = self._deliver(delivery)
        wake_callbacks(self._publisher, awake)
        return verdict

    def _deliver(self, delivery: Delivery) -> tuple[str, Sequence[str]]:
        """What became of it, and the callbacks that waited for it."""
        started = time.monotonic()
        tried, decision = self._try(delivery)
        attempt = Attempt(
            at=datetime.now(UTC),
            kind="outcome" if delivery.is_final else "progress",
            status=tried.status,
            answer=tried.answer,
            milliseconds=round((time.monotonic() - started) * 1000),
        )
        answered = callback.answer_kind(tried)
        CALLBACK_SECONDS.labels(attempt.kind, answered).observe(attempt.milliseconds / 1000)
        awake = self._record(delivery, attempt, decision)
        self._tell(delivery, attempt, decision)
        if decision.verdict is not callback.Verdict.DELIVERED:
            fail(answered)
        return decision.verdict.value, awake

    def _try(self, delivery: Delivery) -> tuple[callback.Tried, callback.Decision]:
        try:
            tried = self._post(delivery)
            return tried, self._decide(delivery, tried)
        except Exception as error:
            with hiding((delivery.token, delivery.authorization or "")):
                _log.exception("A callback could not be sent; this is a fault of the Atom")
            reason = f"nothing came of it: {type(error).__name__} here, see the log"
            tried = callback.Tried(None, reason)
            return tried, replace(self._decide(delivery, tried), blames_host=False)

    def _post(self, delivery: Delivery) -> callback.Tried:
        if delivery.is_final and delivery.response is not None:
            body = unsealed(delivery.response, delivery.token)
        else:
            body = orjson.dumps(wait(delivery.token, delivery.tenant_id, delivery.progress))
        headers = callback.headers(delivery.tenant_id, delivery.authorization, current())
        try:
            reply = self._transport.post_json(delivery.callback_uri, body, headers)
        except DestinationRefused as error:
            return callback.Tried(None, str(error), may_go=False)
        except TransportError as error:
            return callback.Tried(None, str(error))
        answer = callback.invoke_type(reply.body, (delivery.token, delivery.authorization or ""))
        return callback.Tried(reply.status, answer, reply.headers)

    def _decide(self, delivery: Delivery, tried: callback.Tried) -> callback.Decision:
        return callback.decide(
            tried,
            failures=delivery.failures,
            busy=delivery.busy,
            age_seconds=_age(delivery),
            deadline_seconds=self._deadline_seconds,
        )

    def _record(
        self, delivery: Delivery, attempt: Attempt, decision: callback.Decision
    ) -> Sequence[str]:
        """Write what the flow answered; where the store is away for longer, it is sent again."""
        pauses = iter(_RECORD_AGAIN_SECONDS)
        while True:
            try:
                return self._store.record_delivery(
                    delivery,
                    decision.verdict,
                    attempt,
                    due_in_seconds=decision.due_in_seconds,
                    failures=decision.failures,
                    busy=decision.busy,
                    blames_host=decision.blames_host,
                    # Taken, but the flow did not move: a person may want to send it once more.
                    keep=delivery.is_final and attempt.answer == "WAIT",
                )
            except StoreUnavailable as error:
                pause = next(pauses, None)
                _log.warning(
                    "The answer to a callback (%s) could not be recorded, %s: %s",
                    attempt.summary,
                    "again at once" if pause is not None else "so it will be sent again",
                    error,
                )
                if pause is None:
                    raise
                time.sleep(pause)

    @staticmethod
    def _tell(delivery: Delivery, attempt: Attempt, decision: callback.Decision) -> None:
        level = logging.INFO
        after = ""
        if decision.verdict is callback.Verdict.RETRY:
            level, after = logging.WARNING, f", again in {decision.due_in_seconds:.1f} s"
        elif decision.verdict is callback.Verdict.PARKED:
            level = logging.ERROR if delivery.is_final else logging.WARNING
        _log.log(
            level,
            "Callback (%s) answered %s %s: %s%s",
            attempt.kind,
            attempt.status or "not at all,",
            attempt.answer,
            decision.verdict.value,
            after,
        )


def _age(delivery: Delivery) -> float:
    if delivery.due_since is None:
        return 0.0
    return (datetime.now(UTC) - delivery.due_since).total_seconds()
