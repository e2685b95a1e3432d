"""The base of every error."""

from typing import ClassVar


class AtomError(Exception):
    """The base of them all."""

    is_retryable: ClassVar[bool] = False
    """Whether a process that raised it may do better at another time."""
