"""Whose child an execution is, and what a message to a worker says of that."""

from dataclasses import dataclass

from atom.names import process_task


@dataclass(frozen=True, slots=True, kw_only=True)
class Parentage:
    """Whose child an execution is."""

    parent: str
    root: str  # the first of its ancestors, which a flow waits for


@dataclass(frozen=True, slots=True)
class Wakeup:
    """An execution for which a worker is to be woken."""

    id: str
    service: str
    action: str
    queue: str
    parentage: Parentage | None = None

    @property
    def task_name(self) -> str:
        """The Celery task that runs it."""
        return process_task(self.service, self.action)
