"""Entries of a journal: steps, waits, signals, maps and calls, known by name and occurrence."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, Self


class EntryKey(NamedTuple):
    """The identity of an entry in a journal: the third entry named “ship” is ("ship", 3)."""

    name: str
    occurrence: int = 1

    def __str__(self) -> str:
        return f"{self.occurrence}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key as `str` writes it, such as `3:ship`."""
        occurrence, _, name = text.partition(":")
        return cls(name, int(occurrence))


class EntryKind(StrEnum):
    """A kind of entry in a journal."""

    STEP = "step"
    WAIT = "wait"  # for a time
    SIGNAL = "signal"
    MAP = "map"
    CALL = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry that a process asks its journal for."""

    kind: EntryKind
    name: str
    function: str = ""  # the qualified name; empty for a lambda or a local function
    digest: str = ""  # of the items of a map
    formerly: str | None = None  # the name under which an earlier version recorded it


def qualified_name(function: Callable[..., Any]) -> str:
    """Return the qualified name of a function, without its module.

    A function may move to another module. Lambdas, local functions and callable objects have no
    name that would identify them in another version of the code: theirs is empty.
    """
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__qualname__", "")
    return name if isinstance(name, str) and "<" not in name else ""
