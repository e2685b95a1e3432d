"""Retry: which failures are tried again, how often, and when."""

import math
import random
from dataclasses import dataclass
from typing import Final

from atom.errors import AtomError, DeclarationError, Fault, Faults, StepFailed
from atom.text import full_name

_JITTER: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """A policy for a process or a step that fails.

    A Fault is a no, not a failure: it is tried again only where `on` names Fault itself. A process
    that waits for its next try holds no worker; a step that does holds the one it runs in.
    """

    attempts: int = 3
    """How often it is tried in all."""

    on: tuple[type[BaseException], ...] = (BaseException,)
    """The exceptions that are worth another try; a step's count by what the step raised.

    All of them by default, `SystemExit` and `asyncio.CancelledError` among them."""

    wait_seconds: float = 1.0
    """Before the second try; a fifth more or less, so that many do not come back together."""

    factor: float = 2.0
    """How much longer each further wait is than the one before."""

    longest_wait_seconds: float = 300.0
    """No wait is longer."""

    def check(self, where: str) -> None:
        """Refuse values nobody can have meant.

        Raises:
            DeclarationError: naming the option.
        """
        if type(self.attempts) is not int or self.attempts < 1:
            raise DeclarationError(
                f"{where}: retry: attempts must be a whole number from 1, not {self.attempts!r}."
            )
        for name in ("wait_seconds", "factor", "longest_wait_seconds"):
            value = getattr(self, name)
            least = 1 if name == "factor" else 0
            if type(value) not in (int, float) or not math.isfinite(value) or value < least:
                raise DeclarationError(
                    f"{where}: retry: {name} must be a number from {least}, not {value!r}."
                )
        if not isinstance(self.on, tuple) or not all(
            isinstance(each, type) and issubclass(each, BaseException) for each in self.on
        ):
            raise DeclarationError(
                f"{where}: retry: on must be a tuple of exception classes, not {self.on!r}."
            )

    def next_wait(self, failed: int, error: BaseException) -> float | None:
        """How many seconds to wait before the next try; None where there is none.

        Args:
            failed: tries that failed before this one.
            error: what this one raised.
        """
        if failed + 1 >= self.attempts or not self._covers(error):
            return None
        wait = self.wait_seconds
        for _ in range(min(failed, 64)):
            if wait >= self.longest_wait_seconds:  # a power of a large factor would overflow
                break
            wait *= self.factor
        wait = min(wait, self.longest_wait_seconds)
        return wait * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 (not a secret)

    def _covers(self, error: BaseException) -> bool:
        if isinstance(error, Fault | Faults):
            named = (each for each in self.on if issubclass(each, AtomError))
            return isinstance(error, tuple(named))
        if isinstance(error, StepFailed):
            return any(name in error.kinds for name in map(full_name, self.on))
        if isinstance(error, AtomError) and not error.is_retryable:
            return False
        return isinstance(error, self.on)
