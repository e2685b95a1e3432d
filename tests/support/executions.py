"""Making executions for tests."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from atom.records import Attempt, NewExecution


def new_execution(**changes: Any) -> NewExecution:
    """An execution as the listener stores it."""
    values: dict[str, Any] = {
        "service": "CRM",
        "action": "Retrieve",
        "tenant_id": "tenant",
        "state_id": f"state-{uuid4()}",
        "token": f"token-{uuid4()}",
        "callback_uri": "https://flow.boomi.com/api/run/1/response",
        "authorization": None,
        "request": b'{"token":"secret-token","inputs":[]}',
        "queue": "processes",
        "timeout_seconds": 600,
        "version": "1",
        "profiles": "",
    }
    return NewExecution(**{**values, **changes})


def an_attempt(answer: str = "SUCCESS") -> Attempt:
    """A try of a callback."""
    return Attempt(at=datetime.now(UTC), kind="outcome", status=200, answer=answer, milliseconds=3)
