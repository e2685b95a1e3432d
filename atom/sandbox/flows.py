"""The flows of the sandbox: their state, and a journal of what happened to each."""

import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import uuid4

from atom.sandbox.messages import Messages


class FlowStatus(StrEnum):
    """Where a flow stands."""

    RUNNING = "running"  # its step is being asked for
    WAITING = "waiting"  # for the callbacks of its step
    DONE = "done"
    FAULTED = "faulted"  # moved on, with a fault
    FAILED = "failed"  # a Flow Service refused or did not answer

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen."""
        return self in (FlowStatus.DONE, FlowStatus.FAULTED, FlowStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a flow."""

    number: int
    kind: str  # requested, answered, refused, failed, callback, progress, resumed
    at: float  # seconds since the flow began
    token: str
    details: dict[str, Any]


@dataclass(slots=True)
class Call:
    """One message action of a flow's step: the request, and where its token stands."""

    token: str
    url: str
    action: str
    request: dict[str, Any]
    requests: int = 0  # how often it was sent
    is_answered: bool = False  # the HTTP answer is in
    is_over: bool = False  # the token was spent
    has_fault: bool = False
    has_failed: bool = False
    moves: int = 0  # how often it moved the flow: 1 at the end, or something is wrong


class Keeper(Protocol):
    """Keeps flows over a restart."""

    def save_flow(self, flow: "Flow", event: Event | None = None) -> None:
        """Write where a flow stands, with its newest event."""


@dataclass
class Flow:
    """One state (run) of a flow, standing at a step of one or more message actions."""

    tenant_id: str = field(default_factory=lambda: str(uuid4()))
    id: str = field(default_factory=lambda: str(uuid4()))  # its stateId
    authorization: str | None = field(default=None, repr=False)
    calls: dict[str, Call] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    messages: Messages | None = None  # None: they are not kept
    database: "Keeper | None" = field(default=None, repr=False)
    changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    @property
    def status(self) -> FlowStatus:
        """Follows from where its calls stand."""
        calls = self.calls.values()
        if any(call.has_failed for call in calls):
            return FlowStatus.FAILED
        if all(call.is_over for call in calls):
            has_fault = any(call.has_fault for call in calls)
            return FlowStatus.FAULTED if has_fault else FlowStatus.DONE
        if all(call.is_answered for call in calls):
            return FlowStatus.WAITING
        return FlowStatus.RUNNING

    def note(self, kind: str, token: str, **details: Any) -> None:
        """Write an event; the caller holds `changed`."""
        at = time.monotonic() - self.began
        event = Event(len(self.events) + 1, kind, at, token, details)
        if self.database is not None:
            self.database.save_flow(self, event)
        self.events.append(event)
        self.changed.notify_all()

    def record(self, direction: str, what: str, headers: Mapping[str, str], body: bytes) -> None:
        """Keep a raw message, where that was asked for."""
        if self.messages is not None:
            self.messages.note(direction, what, headers, body)

    def wait(self, after: int, seconds: float) -> list[Event]:
        """The events after a number; waits for one while the flow is not over."""
        with self.changed:
            self.changed.wait_for(
                lambda: len(self.events) > after or self.status.is_over, max(0.0, seconds)
            )
            return self.events[after:]

    def wait_over(self, seconds: float) -> FlowStatus:
        """Wait until the flow is over; its status then, or at the end of the time."""
        with self.changed:
            self.changed.wait_for(lambda: self.status.is_over, seconds)
            return self.status

    def events_of(self, kind: str) -> list[Event]:
        """The events of one kind, in order."""
        with self.changed:
            return [event for event in self.events if event.kind == kind]

    def document(self, events: list[Event]) -> dict[str, Any]:
        """What the sandbox's clients see."""
        return {
            "id": self.id,
            "status": self.status.value,
            "actions": [call.action for call in self.calls.values()],
            "beganAt": self.began_at.isoformat(),
            "events": [asdict(event) for event in events],
        }
