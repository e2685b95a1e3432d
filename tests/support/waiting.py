"""Waiting in tests: always for something, and for no fixed time.

The bounds are no part of what a test asserts. They only end a test that would wait forever, so
they are far longer than anything takes on a slow machine.
"""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

_LEAST_SECONDS = 90.0


def until(look: Callable[[], _T], what: str, seconds: float = _LEAST_SECONDS) -> _T:
    """Return what `look` returns as soon as it is truthy; fail the test if it never is.

    A bound below 90 s counts as 90 s.
    """
    bound = max(seconds, _LEAST_SECONDS)
    end = time.monotonic() + bound
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {bound:.0f} s: {what} (last seen: {found!r})")
        time.sleep(0.01)
