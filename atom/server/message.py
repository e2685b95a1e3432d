"""The bytes of one HTTP request as they arrive, and whether it is complete."""

import re
from enum import Enum
from typing import Final

from atom.server.limits import MAX_HEAD_BYTES

_END_OF_HEAD: Final = b"\r\n\r\n"
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_FRAMING: Final = re.compile(
    rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE
)
_CHUNK_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
_LONGEST_CHUNK_LINE: Final = 8_192
_TARGET: Final = re.compile(rb"(?:\r\n)?[A-Z]+ ([^ ?#\r\n]{1,500})[^\r\n]* HTTP/")


class Missing(Enum):
    """The part of a request that has not arrived yet."""

    HEAD = "head"
    BODY = "body"
    NOTHING = "nothing"


class Message:
    """One request, collected without being parsed.

    The parser (gunicorn's) decides what a request means and refuses malformed ones. This class
    only decides when to call it: a malformed request counts as complete, because waiting for more
    bytes cannot mend it.

    Attributes:
        buffer: all bytes that have arrived, possibly with the beginning of the next request.
        head_end: index of the first byte after the head; 0 until the head is complete.
        expects: whether the head has an Expect field.
    """

    __slots__ = ("_chunk_at", "_length", "_searched", "buffer", "expects", "head_end")

    def __init__(self, buffer: bytes = b"") -> None:
        """Start with bytes that arrived behind the previous request."""
        self.buffer = bytearray(buffer)
        self.head_end = 0
        self.expects = False
        self._searched = 0
        self._length = 0
        self._chunk_at = 0  # 0: the body is not chunked

    def missing(self) -> Missing:
        """Return the part that is still missing; reads only bytes that are new."""
        if not self.head_end and not self._find_head():
            return Missing.HEAD
        if self._chunk_at:
            return Missing.NOTHING if self._has_all_chunks() else Missing.BODY
        return Missing.NOTHING if len(self.buffer) >= self._length else Missing.BODY

    @property
    def is_complete(self) -> bool:
        """Return whether head and body have arrived."""
        return self.missing() is Missing.NOTHING

    @property
    def is_head_too_long(self) -> bool:
        """Return whether the head is incomplete and already longer than the limit."""
        return not self.head_end and len(self.buffer) > MAX_HEAD_BYTES

    @property
    def target(self) -> str:
        """Return the path of the request line without its query; empty if there is none."""
        match = _TARGET.match(self.buffer)
        return match[1].decode("latin-1") if match else ""

    def _find_head(self) -> bool:
        # The last three bytes may be the beginning of the end.
        start = max(0, self._searched - 3)
        at = self.buffer.find(_END_OF_HEAD, start)
        if at < 0:
            self._searched = len(self.buffer)
            if not _BARE_LF.search(self.buffer, max(0, start - 1)):
                return False
            at = len(self.buffer) - len(_END_OF_HEAD)
        self.head_end = at + len(_END_OF_HEAD)
        self._find_body()
        return True

    def _find_body(self) -> None:
        """Read how the body is framed; anything unclear is left to the parser to refuse."""
        lengths: list[bytes] = []
        is_encoded = False
        for name, value in _FRAMING.findall(self.buffer, 0, self.head_end):
            match name.lower():
                case b"content-length":
                    lengths.append(value.strip())
                case b"transfer-encoding":
                    is_encoded = True
                case _:
                    self.expects = True
        self._length = self.head_end
        if is_encoded:
            self._chunk_at = self.head_end
        elif len(lengths) == 1 and lengths[0].isdigit() and len(lengths[0]) <= 18:
            self._length += int(lengths[0])

    def _has_all_chunks(self) -> bool:
        """Walk over complete chunks, from the last known one."""
        while True:
            end = self.buffer.find(b"\r\n", self._chunk_at)
            if end < 0:
                is_too_long = len(self.buffer) - self._chunk_at > _LONGEST_CHUNK_LINE
                return is_too_long or bool(_BARE_LF.search(self.buffer, self._chunk_at))
            size = _CHUNK_SIZE.fullmatch(self.buffer, self._chunk_at, end)
            if size is None:
                return True
            count = int(size[1], 16)
            if not count:
                trailer = end + 2
                return (
                    self.buffer.startswith(b"\r\n", trailer)
                    or self.buffer.find(_END_OF_HEAD, end) >= 0
                    or len(self.buffer) - trailer > MAX_HEAD_BYTES
                    or _BARE_LF.search(self.buffer, trailer) is not None
                )
            after = end + 2 + count
            if len(self.buffer) < after + 2:
                return False
            if not self.buffer.startswith(b"\r\n", after):
                return True
            self._chunk_at = after + 2
