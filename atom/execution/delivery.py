"""Delivering a callback: claim it, post it, record what the flow answered."""

import logging
import time
from datetime import UTC, datetime

import orjson

from atom.execution.wakeup import wake_callbacks
from atom.flow import callback
from atom.flow.transport import Transport, TransportError
from atom.protocol.message_actions import unsealed, wait
from atom.publisher import Publisher
from atom.records import Attempt, Delivery
from atom.store import ExecutionStore

_log = logging.getLogger(__name__)


class Deliverer:
    """Sends the callbacks that a worker is woken for."""

    def __init__(self, store: ExecutionStore, publisher: Publisher, transport: Transport) -> None:
        self._store, self._publisher, self._transport = store, publisher, transport

    def deliver(self, execution_id: str) -> str:
        """Send the callback if it is due; returns what became of it, in a word.

        Dying after the post and before the record sends it again later: the flow then answers
        TOKEN_COMPLETED, and has moved once.
        """
        delivery = self._store.claim_delivery(execution_id)
        if delivery is None:
            return "nothing to do"
        started = time.monotonic()
        status, answer, reply_headers = self._post(delivery)
        attempt = Attempt(
            at=datetime.now(UTC),
            kind="outcome" if delivery.is_final else "progress",
            status=status,
            answer=answer,
            milliseconds=round((time.monotonic() - started) * 1000),
        )
        decision = callback.decide(
            status,
            answer,
            reply_headers,
            failures=delivery.failures,
            busy=delivery.busy,
            age_seconds=_age(delivery),
        )
        awake = self._store.record_delivery(
            delivery,
            decision.verdict,
            attempt,
            due_in_seconds=decision.due_in_seconds,
            failures=decision.failures,
            busy=decision.busy,
        )
        wake_callbacks(self._publisher, awake)
        self._tell(delivery, attempt, decision)
        return decision.verdict.value

    def _post(self, delivery: Delivery) -> tuple[int | None, str, dict[str, str]]:
        if delivery.is_final and delivery.response is not None:
            body = unsealed(delivery.response, delivery.token)
        else:
            body = orjson.dumps(wait(delivery.token, delivery.tenant_id, delivery.progress))
        headers = callback.headers(delivery.tenant_id, delivery.authorization)
        try:
            reply = self._transport.post_json(delivery.callback_uri, body, headers)
        except TransportError as error:
            return None, str(error), {}
        return reply.status, callback.invoke_type(reply.body), dict(reply.headers)

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
            extra={"execution_id": delivery.execution_id},
        )


def _age(delivery: Delivery) -> float:
    if delivery.finished_at is None:
        return 0.0
    return (datetime.now(UTC) - delivery.finished_at).total_seconds()
