"""Waiting in tests: always for something, never for longer than a bound."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def until(look: Callable[[], _T], what: str, seconds: float = 30.0) -> _T:
    """Return what `look` returns as soon as it is truthy; fail the test if it never is."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what} (last seen: {found!r})")
        time.sleep(0.01)
