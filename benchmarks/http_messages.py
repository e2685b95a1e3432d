"""As much HTTP/1.1 as both ends of the load generator need, and no more: it must be cheap."""

import re
from typing import Final, NamedTuple

from benchmarks.errors import BenchmarkError

_END_OF_HEAD: Final = b"\r\n\r\n"
_CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)")


class Message(NamedTuple):
    """A request or a response; the head (first line and headers) is in lower case."""

    head: bytes
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether the sender will not use the connection again."""
        return b"\r\nconnection: close" in self.head


class MessageReader:
    """Cuts what arrives on one connection into messages."""

    def __init__(self, default_length: int | None = None) -> None:
        """Make one; the length is that of messages that do not say it (a GET: 0)."""
        self._buffer = bytearray()
        self._default_length = default_length

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete with this data.

        Raises:
            BenchmarkError: a message does not say how long it is.
        """
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        end = self._buffer.find(_END_OF_HEAD)
        if end < 0:
            return None
        head = bytes(self._buffer[:end]).lower()
        found = _CONTENT_LENGTH.search(head)
        length = int(found[1]) if found else self._default_length
        if length is None:
            raise BenchmarkError("A message came without a Content-Length.")
        begin = end + len(_END_OF_HEAD)
        end = begin + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[begin:end])
        del self._buffer[:end]
        return Message(head, body)
