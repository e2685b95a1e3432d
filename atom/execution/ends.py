"""How an attempt can end, beside at a wait."""

from dataclasses import dataclass
from typing import Any

from atom.records import State


@dataclass(frozen=True, slots=True)
class Outcome:
    """With an outcome."""

    state: State
    response: dict[str, Any]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """With a failure after which it is to be tried again."""

    wait_seconds: float
    error: str
