"""For service authors: run a process in a test, without Redis, Celery or a flow."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from atom.context import Execution
from atom.errors import StepMismatch
from atom.execution.journal import decode, encode

_T = TypeVar("_T")


class MemoryJournal:
    """A journal in memory. Hand the same one to a second execution to replay the first."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        """The progress messages, in order."""
        self.steps: list[tuple[str, str]] = []
        """The recorded steps: name and encoded result, in order."""
        self.cancelled = False
        """What `execution.cancelled` says; set it to play a lost worker."""
        self._position = 0

    def progress(self, message: str, fraction: float | None) -> None:
        """See `atom.context.Journal`."""
        self.messages.append(message)

    def step(self, name: str, function: Callable[[], _T]) -> _T:
        """See `atom.context.Journal`."""
        self._position += 1
        if self._position > len(self.steps):
            self.steps.append((name, encode(function())))
        recorded, result = self.steps[self._position - 1]
        if recorded != name:
            raise StepMismatch(self._position, recorded, name)
        outcome: _T = decode(result)
        return outcome

    def rewind(self) -> None:
        """Start the next execution at the first step, as a new attempt does."""
        self._position = 0


def execution(journal: MemoryJournal | None = None, *, attempt: int = 1) -> Execution:
    """An execution to call a process with."""
    journal = journal or MemoryJournal()
    journal.rewind()
    return Execution(
        "00000000-0000-4000-8000-000000000000",
        journal,
        process_name="Test.Process",
        tenant_id="11111111-1111-4111-8111-111111111111",
        flow_state_id="22222222-2222-4222-8222-222222222222",
        attempt=attempt,
        deadline=datetime.now(UTC) + timedelta(days=1),
    )
