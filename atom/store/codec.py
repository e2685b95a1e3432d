"""Between the records and the fields of a Redis hash."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from atom.records import (
    Attempt,
    CallbackState,
    Claim,
    Delivery,
    Execution,
    NewExecution,
    State,
)
from atom.redaction import masked

# Written into every record, so that a later version knows what it reads.
FORMAT_VERSION: Final = 2

# What a list of executions shows; the documents are left in the store.
SUMMARY_FIELDS: Final = [
    b"service",
    b"action",
    b"tenant_id",
    b"state_id",
    b"state",
    b"attempts",
    b"worker",
    b"accepted_at",
    b"started_at",
    b"finished_at",
    b"deadline",
    b"progress",
    b"error",
    b"callback_uri",
    b"callback_state",
    b"callback_due_at",
    b"delivered_at",
]


def accepted_fields(new: NewExecution) -> list[Any]:
    """Field, value, field, value, … of a new execution."""
    fields = [
        "format",
        FORMAT_VERSION,
        "service",
        new.service,
        "action",
        new.action,
        "tenant_id",
        new.tenant_id,
        "state_id",
        new.state_id,
        "token",
        new.token,
        "callback_uri",
        new.callback_uri,
        "request",
        new.request,
    ]
    if new.authorization is not None:
        fields += ["authorization", new.authorization]
    if new.private_request is not None:
        fields += ["private_request", new.private_request]
    return fields


def claim(execution_id: str, flat: Sequence[bytes]) -> Claim:
    """From what HGETALL returns inside a script."""
    row = dict(zip(flat[::2], flat[1::2], strict=True))
    return Claim(
        id=execution_id,
        fence=int(row[b"fence"]),
        attempt=int(row[b"attempts"]),
        service=row[b"service"].decode(),
        action=row[b"action"].decode(),
        tenant_id=row[b"tenant_id"].decode(),
        state_id=row[b"state_id"].decode(),
        token=row[b"token"].decode(),
        authorization=_text(row.get(b"authorization")),
        request=row.get(b"private_request") or row[b"request"],
        accepted_at=_moment(row[b"accepted_at"]),
        deadline=_moment(row[b"deadline"]),
    )


def delivery(execution_id: str, row: Sequence[bytes | None]) -> Delivery:
    """From the fields that claim_delivery.lua returns, in its order."""
    state, fence, seq, uri, tenant, token, authorization, progress, response = row[:9]
    failures, busy, finished_at = row[9:]
    return Delivery(
        execution_id=execution_id,
        fence=int(fence or 0),
        seq=int(seq or 0),
        is_final=State(_text(state) or "").is_final,
        callback_uri=_text(uri) or "",
        tenant_id=_text(tenant) or "",
        token=_text(token) or "",
        authorization=_text(authorization),
        progress=_text(progress),
        response=response,
        failures=int(failures or 0),
        busy=int(busy or 0),
        finished_at=_moment(finished_at) if finished_at else None,
    )


def execution(
    execution_id: str,
    row: Mapping[bytes, bytes | None],
    steps: Mapping[bytes, bytes] | None = None,
    attempts: Iterable[bytes] = (),
) -> Execution:
    """One execution as people see it, without secrets."""

    def text(name: bytes) -> str | None:
        return _text(row.get(name))

    def moment(name: bytes) -> datetime | None:
        value = row.get(name)
        return _moment(value) if value else None

    request, response = row.get(b"request"), row.get(b"response")
    recorded = sorted((int(position), step) for position, step in (steps or {}).items())
    return Execution(
        id=execution_id,
        service=text(b"service") or "",
        action=text(b"action") or "",
        tenant_id=text(b"tenant_id") or "",
        flow_state_id=text(b"state_id") or "",
        state=State(text(b"state") or ""),
        attempts=int(row.get(b"attempts") or 0),
        worker=text(b"worker"),
        accepted_at=_moment(row[b"accepted_at"] or b"0"),
        started_at=moment(b"started_at"),
        finished_at=moment(b"finished_at"),
        deadline=_moment(row[b"deadline"] or b"0"),
        progress=text(b"progress"),
        error=text(b"error") or None,
        callback_uri=text(b"callback_uri") or "",
        callback_state=CallbackState(text(b"callback_state") or "none"),
        callback_due_at=moment(b"callback_due_at"),
        delivered_at=moment(b"delivered_at"),
        request=masked(orjson.loads(request)) if request else None,
        response=masked(orjson.loads(response)) if response else None,
        steps=tuple(orjson.loads(step)[0] for _, step in recorded),
        callback_attempts=tuple(_attempt(each) for each in attempts),
    )


def encode_attempt(attempt: Attempt) -> bytes:
    """One try of a callback as a list element."""
    return orjson.dumps(
        {
            "at": attempt.at.isoformat(),
            "kind": attempt.kind,
            "status": attempt.status,
            "answer": attempt.answer,
            "milliseconds": attempt.milliseconds,
        }
    )


def _attempt(encoded: bytes) -> Attempt:
    values = orjson.loads(encoded)
    return Attempt(**{**values, "at": datetime.fromisoformat(values["at"])})


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _moment(milliseconds: bytes) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
