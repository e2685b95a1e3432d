"""Delivering a callback: claim it, post it, record what the flow answered."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from math import inf
from typing import Final

import orjson
from structlog.contextvars import bound_contextvars

from atom.durations import duration
from atom.errors import StoreUnavailable, Unreadable
from atom.execution.wakeup import wake_callback, wake_callbacks
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

_LONGEST_SECONDS: Final = 1.0
# What is sent within this time by one worker is not worth waking another one.
_ALONE_SECONDS: Final = 0.05
# Until a worker that was called can be seen to help.
_HELPED_SECONDS: Final = 0.2
_ANY_NUMBER: Final = 10**9
_PAUSE_SECONDS: Final = 0.005
# There is much to do where this is all the time between two.
_BUSY_SECONDS: Final = 0.01
_WEIGHT: Final = 0.2  # of the latest, in what is known of late
# Longer than a quick post and its record take on a machine that has much else to do.
_BACK_SECONDS: Final = 0.1
# Who has not looked for so long may be in a post that takes its time.
_STUCK_SECONDS: Final = 0.05
# Posts no longer than this are work more than waiting: one thread sends as many as several do.
_QUICK_SECONDS: Final = 0.005
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
        # What a post takes, of late, and the time between two; nothing is known yet.
        self._post_seconds = self._gap_seconds = 1.0
        self._posted_at = time.monotonic()
        self._called_at = -inf  # when another worker was, to help
        # Which thread looks for more while flows are quick, and when it last did.
        self._lock = threading.Lock()
        self._looker: int | None = None
        self._looked_at = self._posted_at

    def deliver(self, execution_id: str) -> str:
        """Send the callback if it is due, and what else is; returns what became of them, in words.

        A wake-up is for all callbacks that are due: while it is on its way no other one is sent.
        Where one worker is not enough it wakes another one. After a second it leaves the rest to
        the next wake-up, so that a worker that ends, or has processes to run, does not wait for it.

        Dying after the post and before the record sends a callback again later: the flow then
        answers TOKEN_COMPLETED, and has moved once. What nobody was woken for, recovery finds.
        """
        became: Counter[str] = Counter()
        end = time.monotonic() + _LONGEST_SECONDS
        try:
            for delivery in self._due(execution_id, became):
                verdict, awake = self._send(delivery)
                became[verdict] += 1
                if time.monotonic() > end:
                    break
            else:
                return _told(became)
        finally:
            # Whoever comes from here on is to look.
            self._look_no_more()
        wake_callbacks(self._publisher, awake or [execution_id])
        return _told(became)

    def _due(self, execution_id: str, became: Counter[str]) -> Iterator[Delivery]:
        """That callback if it is due, then whatever else is."""
        take: Callable[[], Delivery | None] = partial(self._store.claim_delivery, execution_id)
        while True:
            try:
                taken = take()
            except Unreadable as error:
                # Whose it is need not be whose wake-up it was.
                with bound_contextvars(execution_id=error.whose.removeprefix("execution ")):
                    _log.error("Left to a worker that has the key: %s", error)
                became["unreadable"] += 1
            else:
                if taken is not None:
                    yield taken
                elif take == self._next:
                    return
            take = self._next

    def _next(self) -> Delivery | None:
        """Whatever is due; where there is much to do and flows are quick, after a short pause too.

        Who will look again within milliseconds need not be woken: that costs several times as much
        as to look. A flow that is slow all of a sudden may then delay others, by a second at most.
        """
        if self._gap_seconds > _BUSY_SECONDS:
            return self._last_look()
        takes = int(_ALONE_SECONDS / self._post_seconds)
        is_quick = self._post_seconds <= _QUICK_SECONDS
        if is_quick and time.monotonic() - self._called_at < _HELPED_SECONDS:
            takes = _ANY_NUMBER
        if not takes:
            return self._last_look(0, takes)
        if is_quick and self._is_left_to_another():
            return None
        taken = self._taken(self._store.next_delivery(_BACK_SECONDS, takes))
        if taken is None:
            time.sleep(_PAUSE_SECONDS)
            taken = self._last_look(0)
        return taken

    def _last_look(self, *promise: int) -> Delivery | None:
        """One that none has to follow: what others left to this thread was there before."""
        self._look_no_more()
        return self._taken(self._store.next_delivery(*promise))

    def _is_left_to_another(self) -> bool:
        """Whether another thread of this process looks, and is enough: two would only take turns.

        If not, this one does from here on.
        """
        me, now = threading.get_ident(), time.monotonic()
        with self._lock:
            is_looked_for = now - self._looked_at < _STUCK_SECONDS
            if self._looker not in (None, me) and is_looked_for:
                return True
            self._looker, self._looked_at = me, now
            return False

    def _look_no_more(self) -> None:
        with self._lock:
            if self._looker == threading.get_ident():
                self._looker = None

    def _taken(self, found: tuple[Delivery, str] | None) -> Delivery | None:
        if found is None:
            return None
        delivery, another = found
        if another:
            self._called_at = time.monotonic()
            wake_callback(self._publisher, another)
        return delivery

    def _send(self, delivery: Delivery) -> tuple[str, Sequence[str]]:
        name = f"callback {delivery.service}.{delivery.action}"
        about = context_of(delivery.execution_id, delivery)
        with bound_contextvars(**about), span(name, Kind.CLIENT, delivery.trace, about):
            return self._deliver(delivery)

    def _deliver(self, delivery: Delivery) -> tuple[str, Sequence[str]]:
        """What became of it, and the callbacks that waited for it."""
        started = time.monotonic()
        tried, decision = self._try(delivery)
        seconds = time.monotonic() - started
        self._note_pace(seconds)
        attempt = Attempt(
            at=delivery.claimed_at + timedelta(seconds=seconds),
            kind="outcome" if delivery.is_final else "progress",
            status=tried.status,
            answer=tried.answer,
            milliseconds=round(seconds * 1000),
        )
        answered = callback.answer_kind(tried)
        CALLBACK_SECONDS.labels(attempt.kind, answered).observe(attempt.milliseconds / 1000)
        awake = self._record(delivery, attempt, decision)
        self._tell(delivery, attempt, decision)
        if decision.verdict is not callback.Verdict.DELIVERED:
            fail(answered)
        return decision.verdict.value, awake

    def _note_pace(self, seconds: float) -> None:
        """Keep in mind how quick flows are, and how much there is to do; near enough will do."""
        now = time.monotonic()
        gap, self._posted_at = now - self._posted_at, now
        self._gap_seconds += _WEIGHT * (min(gap, 1.0) - self._gap_seconds)
        self._post_seconds += _WEIGHT * (seconds - self._post_seconds)

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
            now=delivery.claimed_at,
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
            level, after = logging.WARNING, f", again in {duration(decision.due_in_seconds)}"
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


def _told(became: Counter[str]) -> str:
    """One word, or how often each was."""
    if became.total() == 1:
        return next(iter(became))
    counted = (f"{verdict} {count}" for verdict, count in became.items())
    return ", ".join(counted) or "nothing to do"


def _age(delivery: Delivery) -> float:
    if delivery.due_since is None:
        return 0.0
    return (delivery.claimed_at - delivery.due_since).total_seconds()
