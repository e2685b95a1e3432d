"""Bounds on the clients of an HTTP server."""

from dataclasses import dataclass
from typing import Final, Self

from atom.http_settings import HttpSettings

MAX_HEAD_BYTES: Final = 65_536
"""A longer request head is refused with 431, or 414 if its first line does not end."""

MAX_HELD_BYTES: Final = 1_048_576
"""Bytes of one request that the event loop collects; a thread reads the rest."""

MAX_HELD_BYTES_IN_ALL: Final = 64 * 1_048_576
"""Bytes of incomplete requests in one process; beyond it the oldest ones are closed."""

PACE_BYTES: Final = 8_192
"""A client moves this many bytes within each `body_seconds`, or is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Time and number limits of one server process.

    Attributes:
        threads: requests that are answered at once.
        head_seconds: for the TLS handshake, and again for the head of each request.
        body_seconds: for each 8 KiB of a request body, and of an answer that a client reads.
        idle_seconds: until a connection without a request is closed.
        connections: open ones; beyond it the oldest unfinished one is closed.
    """

    threads: int = 16
    head_seconds: float = 20.0
    body_seconds: float = 20.0
    idle_seconds: float = 75.0
    connections: int = 1_000

    @classmethod
    def from_settings(cls, settings: HttpSettings, threads: int) -> Self:
        """Return the limits of the settings, with this many threads."""
        return cls(
            threads=threads,
            head_seconds=settings.request_head_seconds,
            body_seconds=settings.request_body_seconds,
            idle_seconds=settings.idle_seconds,
        )

    @property
    def upload_threads(self) -> int:
        """Threads that may read bodies from clients: half, so that other requests find one."""
        return max(1, self.threads // 2)
