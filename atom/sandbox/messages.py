"""Raw messages between the sandbox and a Flow Service, as people may see them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from atom.redaction import MASK, masked

_MOST: Final = 100
_LONGEST: Final = 100_000
_SECRET_HEADERS: Final = {"authorization", "cookie", "set-cookie"}


@dataclass(frozen=True, slots=True)
class Message:
    """One request or answer; without its secrets."""

    direction: str  # sent by the sandbox, or received
    what: str  # method and URL, or the status
    headers: Mapping[str, str]
    body: Any  # as JSON, or as text where it is none
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


class Messages(list[Message]):
    """The first of one exchange, in their order; a flow that goes on for days fills no memory."""

    def note(self, direction: str, what: str, headers: Mapping[str, str], body: bytes) -> None:
        """Keep one, unless there are enough."""
        if len(self) < _MOST:
            shown = {
                name: MASK if name.lower() in _SECRET_HEADERS else value
                for name, value in headers.items()
            }
            self.append(Message(direction, what, shown, _readable(body)))


def _readable(body: bytes) -> Any:
    if len(body) > _LONGEST:
        return f"({len(body):,} bytes)"
    try:
        return masked(orjson.loads(body))
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
