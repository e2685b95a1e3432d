"""Whose child an execution is, and what a message to a worker says of that."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Parentage:
    """Whose child an execution is."""

    parent: str
    root: str  # the first of its ancestors, which a flow waits for


@dataclass(frozen=True, slots=True)
class Wakeup:
    """An execution for which a worker is to be woken."""

    id: str
    task_name: str
    queue: str
    parentage: Parentage | None = None
