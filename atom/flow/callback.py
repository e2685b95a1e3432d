"""What a callback carries, and what the flow's answer to it means. No IO."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import orjson

from atom.redaction import without
from atom.traces import HEADER

# A person is waiting: quick tries first, then ever rarer ones.
RETRY_SECONDS: Final = (1, 2, 5, 15, 60, 300, 900, 3600)
BUSY_SECONDS: Final = (1, 2, 4, 8, 15, 30)
UNKNOWN_TRIES: Final = 3
LONGEST_RETRY_AFTER_SECONDS: Final = 3600
JITTER: Final = 0.2

_PASSING: Final = {408, 409, 425, 429}
_HOST_IS_TO_BLAME: Final = {None, 502, 503, 504}
_SHOWN_ANSWER_LENGTH: Final = 100
_ANSWERS: Final = {"SUCCESS", "TOKEN_COMPLETED", "WAIT", "BUSY", "NOT_ALLOWED"}


class Verdict(StrEnum):
    """What becomes of a callback after a try."""

    DELIVERED = "delivered"
    RETRY = "retry"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of posting a callback."""

    status: int | None  # None where no answer came
    answer: str  # what `invoke_type` read, or why no answer came
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    may_go: bool = True  # False: nothing was sent, since its address is not allowed


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, when to try again, and the counts to carry on."""

    verdict: Verdict
    due_in_seconds: float = 0
    failures: int = 0
    busy: int = 0
    blames_host: bool = False  # the next callback to the same host would fare no better


def headers(tenant_id: str, authorization: str | None, traceparent: str = "") -> dict[str, str]:
    """The headers of a callback: the tenant, and running user and trace where there are any."""
    result = {"ManyWhoTenant": tenant_id}
    if traceparent:
        result[HEADER] = traceparent
    if authorization is not None:
        result["Authorization"] = authorization
    return result


def invoke_type(body: bytes, secrets: Iterable[str] = ()) -> str:
    """The flow's answer, quoted or bare, in upper case.

    What is none is made fit for a log: one short line that holds no document and none of the
    secrets, which an answer may echo.
    """
    text = body.decode("utf-8-sig", "replace").strip()
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        parsed = "a JSON document" if text[:1] in ("{", "[") else text
    if isinstance(parsed, dict) and isinstance(parsed.get("message"), str):
        parsed = f"message: {parsed['message']}"  # where the platform says what is wrong
    text = parsed if isinstance(parsed, str) else "a JSON document"
    if text in _ANSWERS:
        return text
    text = without(text, secrets)
    text = "".join(each if each.isprintable() else " " for each in text)
    text = " ".join(text.split())[:_SHOWN_ANSWER_LENGTH]
    return text.upper() if text.isascii() and text.replace("_", "").isalpha() else text


def answer_kind(tried: Tried) -> str:
    """The answer as one of a few words, to count by."""
    if not tried.may_go:
        return "refused"
    if tried.status is None:
        return "none"
    if not 200 <= tried.status < 300:
        return f"http_{tried.status // 100}xx"
    return tried.answer.lower() if tried.answer in _ANSWERS else "unknown"


def decide(
    tried: Tried,
    *,
    failures: int,
    busy: int,
    age_seconds: float,
    deadline_seconds: float,
    now: datetime,
) -> Decision:
    """Turn what came of a try into what to do.

    Args:
        tried: the answer, or why there is none.
        failures: tries that failed before this one.
        busy: tries that were answered BUSY before this one.
        age_seconds: since the callback was first due.
        deadline_seconds: at which age no other try begins; it is parked instead.
        now: by the store's clock, for a date of a flow that does not tell its own.
    """
    decision = _regardless_of_time(tried, failures, busy, now)
    is_in_time = age_seconds + decision.due_in_seconds <= deadline_seconds
    if decision.verdict is not Verdict.RETRY or is_in_time:
        return decision
    return replace(decision, verdict=Verdict.PARKED, due_in_seconds=0)


def _regardless_of_time(tried: Tried, failures: int, busy: int, now: datetime) -> Decision:
    status, answer = tried.status, tried.answer
    parked = Decision(Verdict.PARKED, failures=failures + 1)
    if not tried.may_go:
        return parked
    if status is None or status in _PASSING or status >= 500:
        return Decision(
            Verdict.RETRY,
            _passing_seconds(failures, tried.headers, now),
            failures + 1,
            blames_host=status in _HOST_IS_TO_BLAME,
        )
    if not 200 <= status < 300:
        return parked
    match answer:
        case "SUCCESS" | "TOKEN_COMPLETED" | "WAIT":
            return Decision(Verdict.DELIVERED)
        case "BUSY":
            delay = BUSY_SECONDS[min(busy, len(BUSY_SECONDS) - 1)]
            return Decision(Verdict.RETRY, _spread(delay), failures, busy + 1)
        case "NOT_ALLOWED":
            return parked
    if failures + 1 >= UNKNOWN_TRIES:
        return parked
    return Decision(Verdict.RETRY, _spread(RETRY_SECONDS[failures]), failures + 1)


def _passing_seconds(failures: int, reply_headers: Mapping[str, str], now: datetime) -> float:
    """The schedule's delay, or what the other side asks for, where that is longer."""
    delay = _spread(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
    wanted = _retry_after({name.lower(): value for name, value in reply_headers.items()}, now)
    # Never earlier than asked: all who were told the same would else come back together.
    spread = wanted * random.uniform(1, 1 + JITTER)  # noqa: S311 (not a secret)
    return max(delay, min(spread, LONGEST_RETRY_AFTER_SECONDS))


def _retry_after(reply_headers: Mapping[str, str], now: datetime) -> float:
    """`Retry-After` in seconds, be it a number or a date; 0 where it says nothing."""
    text = reply_headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    moment = _http_date(text)
    if moment is None:
        return 0
    # A date of theirs is measured by their clock; ours may differ.
    return max(0.0, (moment - (_http_date(reply_headers.get("date", "")) or now)).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _spread(seconds: float) -> float:
    """Keep many callbacks that failed together from coming back together."""
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (not a secret)
