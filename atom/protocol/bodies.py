"""Request bodies as bytes: content codings and character encodings. No IO."""

import codecs
import json
import zlib
from collections.abc import Callable
from typing import Final

from atom.errors import MalformedRequest, UnsupportedCoding, UnsupportedMedia

# As in RFC 9110, section 8.4.1.
_CODINGS: Final = ("gzip", "x-gzip", "deflate")

_CHUNK_BYTES: Final = 64 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB_METHOD: Final = 8  # in the lower half of the first byte; deflate alone never begins so
_UTF_8: Final = ("utf-8", "ascii")


def content_coding(header: str | None) -> str | None:
    """Return the coding that a Content-Encoding header names; None if there is none to undo.

    Raises:
        UnsupportedCoding: it is another one, or there are several.
    """
    names = [name.strip().lower() for name in (header or "").split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if not names:
        return None
    if len(names) > 1 or names[0] not in _CODINGS:
        raise UnsupportedCoding(", ".join(names))
    return names[0]


class DecodedStream:
    """A stream of bytes whose content coding is undone, piece by piece and up to a limit."""

    def __init__(
        self, read: Callable[[int], bytes], coding: str, limit: int, too_large: Exception
    ) -> None:
        """Wrap a stream.

        Args:
            read: returns up to that many encoded bytes, and none at the end.
            coding: as `content_coding` returns it.
            limit: the largest number of decoded bytes.
            too_large: raised if there are more.
        """
        self._read, self._coding = read, coding
        self._left, self._too_large = limit, too_large
        self._encoded = b""
        self._decoder: zlib._Decompress | None = None

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, and none at the end; all of them if it is negative.

        Raises:
            MalformedRequest: the bytes are not in that coding, or cut off.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK_BYTES), b""))
        decoded = None if size else b""
        while decoded is None:
            decoded = self._decode(min(size, self._left + 1))
        if len(decoded) > self._left:
            raise self._too_large
        self._left -= len(decoded)
        return decoded

    def _decode(self, size: int) -> bytes | None:
        """Return the next decoded bytes, none at the end, and None if the next call has them."""
        decoder = self._decoder
        if decoder is None or decoder.eof:
            self._encoded = self._encoded or self._read(_CHUNK_BYTES)
            if not self._encoded:
                return b""
            self._start_member()
            return None
        try:
            decoded = decoder.decompress(self._encoded, size)
        except zlib.error:
            raise self._malformed("it does not decode") from None
        self._encoded = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
        if decoded:
            return decoded
        if not decoder.eof and not self._encoded:
            self._encoded = self._read(_CHUNK_BYTES)
            if not self._encoded:
                raise self._malformed("it is cut off")
        return None

    def _start_member(self) -> None:
        if self._coding != "deflate":
            window = _GZIP
        elif self._decoder is not None:
            raise self._malformed("more follows its end")
        elif self._encoded[0] & 0x0F == _ZLIB_METHOD:
            window = zlib.MAX_WBITS
        else:
            window = -zlib.MAX_WBITS  # without the header, as some clients send it
        self._decoder = zlib.decompressobj(window)

    def _malformed(self, why: str) -> MalformedRequest:
        return MalformedRequest(f"The body is not valid {self._coding}: {why}.")


def check_charset(charset: str | None) -> None:
    """Refuse a charset parameter other than UTF-8 (or its part ASCII).

    Raises:
        UnsupportedMedia: naming it.
    """
    try:
        is_utf_8 = not charset or codecs.lookup(charset).name in _UTF_8
    except (LookupError, ValueError):
        is_utf_8 = False
    if not is_utf_8:
        raise UnsupportedMedia(f"The body must be encoded as UTF-8, not as “{charset}”.")


def json_bytes(body: bytes) -> bytes:
    """Return a JSON text without its byte order mark.

    Raises:
        MalformedRequest: it is in UTF-16 or UTF-32.
    """
    encoding = json.detect_encoding(body).upper().removesuffix("-SIG")
    if encoding != "UTF-8":
        raise MalformedRequest(
            f"The body is not valid JSON: it is encoded as {encoding}. Send it as UTF-8."
        )
    return body.removeprefix(codecs.BOM_UTF8)
