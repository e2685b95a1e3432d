"""What a callback carries, and what the flow's answer to it means. No IO."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import orjson

# A person is waiting: quick tries first, then ever rarer ones.
RETRY_SECONDS: Final = (1, 2, 5, 15, 60, 300, 900, 3600)
BUSY_SECONDS: Final = (1, 2, 4, 8, 15, 30)
UNKNOWN_TRIES: Final = 3
GIVE_UP_SECONDS: Final = 86_400
JITTER: Final = 0.2

_PASSING: Final = {408, 409, 425, 429}
_SHOWN_ANSWER_LENGTH: Final = 100


class Verdict(StrEnum):
    """What becomes of a callback after a try."""

    DELIVERED = "delivered"
    RETRY = "retry"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, when to try again, and the counts to carry on."""

    verdict: Verdict
    due_in_seconds: float = 0
    failures: int = 0
    busy: int = 0


def headers(tenant_id: str, authorization: str | None) -> dict[str, str]:
    """The headers of a callback: the tenant, and the running user where the request had one."""
    result = {"ManyWhoTenant": tenant_id}
    if authorization is not None:
        result["Authorization"] = authorization
    return result


def invoke_type(body: bytes) -> str:
    """The flow's answer, quoted or bare, in upper case; what is too long to be one is cut."""
    text = body[: 4 * _SHOWN_ANSWER_LENGTH].decode("utf-8", "replace").strip()
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        parsed = text
    return (parsed if isinstance(parsed, str) else text).strip().upper()[:_SHOWN_ANSWER_LENGTH]


def decide(
    status: int | None,
    answer: str,
    reply_headers: Mapping[str, str],
    *,
    failures: int,
    busy: int,
    age_seconds: float,
) -> Decision:
    """Turn the answer to a callback into what to do.

    Args:
        status: None where no answer came.
        answer: what `invoke_type` read.
        reply_headers: for `Retry-After`.
        failures: tries that failed before this one.
        busy: tries that were answered BUSY before this one.
        age_seconds: since the outcome was written; past a day it is parked.
    """
    if status is None or status in _PASSING or status >= 500:
        return _again(failures, reply_headers, age_seconds)
    if not 200 <= status < 300:
        return Decision(Verdict.PARKED, failures=failures + 1)
    match answer:
        case "SUCCESS" | "TOKEN_COMPLETED" | "WAIT":
            return Decision(Verdict.DELIVERED)
        case "BUSY":
            if age_seconds > GIVE_UP_SECONDS:
                return Decision(Verdict.PARKED, failures=failures, busy=busy + 1)
            delay = BUSY_SECONDS[min(busy, len(BUSY_SECONDS) - 1)]
            return Decision(Verdict.RETRY, _spread(delay), failures, busy + 1)
        case "NOT_ALLOWED":
            return Decision(Verdict.PARKED, failures=failures + 1)
    if failures + 1 >= UNKNOWN_TRIES:
        return Decision(Verdict.PARKED, failures=failures + 1)
    return Decision(Verdict.RETRY, _spread(RETRY_SECONDS[failures]), failures + 1)


def _again(failures: int, reply_headers: Mapping[str, str], age_seconds: float) -> Decision:
    if age_seconds > GIVE_UP_SECONDS:
        return Decision(Verdict.PARKED, failures=failures + 1)
    delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
    wanted = next(
        (value for name, value in reply_headers.items() if name.lower() == "retry-after"), ""
    ).strip()
    # Seconds only, and within reason: a date of theirs and a clock of ours may disagree.
    if wanted.isascii() and wanted.isdecimal():
        return Decision(Verdict.RETRY, min(max(int(wanted[:9]), delay), 3600), failures + 1)
    return Decision(Verdict.RETRY, _spread(delay), failures + 1)


def _spread(seconds: float) -> float:
    """Keep many callbacks that failed together from coming back together."""
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (not a secret)
