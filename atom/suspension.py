"""Suspended executions: an execution that waits for a time or an event without a worker."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from atom.entries import EntryKey
from atom.text import encodable


class WaitKind(StrEnum):
    """The event that wakes a suspended execution."""

    TIME = "time"
    SIGNAL = "signal"
    CHILDREN = "children"
    HELD = "held"  # a worker whose code fits the journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The entry of a journal at which an execution waits, and the event it waits for."""

    name: str  # of the entry; for a signal the name of the signal
    occurrence: int = 1
    kind: WaitKind
    until: datetime | None  # by the store's clock; None: without a limit
    since: datetime | None = None  # start of a delay; None: `until` is a time of choice
    reason: str = ""  # of a hold: both sides of the difference

    @property
    def key(self) -> EntryKey:
        """The identity of the entry."""
        return EntryKey(self.name, self.occurrence)

    def __str__(self) -> str:
        match self.kind:
            case WaitKind.HELD:
                return "a worker whose code fits its journal"
            case WaitKind.SIGNAL:
                waits_for = f"signal “{self.name}”"
            case _:
                waits_for = self.name
        return f"{waits_for} until {self.until:%Y-%m-%d %H:%M:%S} UTC" if self.until else waits_for


class Suspended(BaseException):
    """Ends an attempt at a wait; a later attempt continues after the wait.

    It is not an Exception, so that a process that handles those lets it pass.
    """

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait)
        self.wait = wait


TOKEN_GIVER: Final = "token"  # noqa: S105 (no token, but its word)
_LONGEST_GIVER: Final = 100


@dataclass(frozen=True, slots=True)
class GivenSignal:
    """The event that was given for a signal, and its giver."""

    event: str = field(repr=False)  # JSON
    giver: str  # “token” for a sender with the token of the signal, else “operator <name>”


def operator_giver(name: str) -> str:
    """Return the giver of a signal that an operator gave, as one line of bounded length."""
    return f"operator {' '.join(encodable(name).split())[:_LONGEST_GIVER]}".rstrip()


class Signalled(StrEnum):
    """The result of giving a signal."""

    WOKEN = "woken"  # the execution waited for the signal and resumes
    KEPT = "kept"  # the event is stored until the execution asks for it
    GIVEN = "given"  # another event of this name came before
    ENDED = "ended"
    UNKNOWN = "unknown"
    REFUSED = "refused"  # the token is not that of the signal
