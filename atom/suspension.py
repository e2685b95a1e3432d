"""What an execution waits for that has no worker meanwhile."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class WaitKind(StrEnum):
    """What wakes a suspended execution."""

    TIME = "time"
    SIGNAL = "signal"
    CHILDREN = "children"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Where in its journal an execution waits, and for what."""

    position: int
    name: str  # of the signal, or of the step
    kind: WaitKind
    until: datetime | None  # by the store's clock; None: for as long as it takes
    since: datetime | None = None  # of a delay: when `until` was reckoned; None: a time of choice

    @property
    def step(self) -> str:
        """The name under which the journal records it when it is over."""
        return signal_step(self.name) if self.kind is WaitKind.SIGNAL else self.name

    def __str__(self) -> str:
        what = f"signal “{self.name}”" if self.kind is WaitKind.SIGNAL else self.name
        return f"{what} until {self.until:%Y-%m-%d %H:%M:%S} UTC" if self.until else what


def signal_step(name: str) -> str:
    """The step that a wait for this signal is recorded as."""
    return f"signal {name}"


class Suspended(BaseException):
    """Ends an attempt at a wait: the process is called again when that is over.

    It is no Exception, so that a process that handles those lets it pass.
    """

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait)
        self.wait = wait


class Signalled(StrEnum):
    """What came of giving a signal."""

    WOKEN = "woken"  # the execution waited for it, and goes on
    KEPT = "kept"  # it is there when the execution asks for it
    GIVEN = "given"  # another event of this name came before
    ENDED = "ended"
    UNKNOWN = "unknown"
    REFUSED = "refused"  # the token is not that of the signal
