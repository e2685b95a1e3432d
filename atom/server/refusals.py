"""Answers that the server gives itself, without the application."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from gunicorn import SERVER
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    ExpectationFailed,
    InvalidChunkExtension,
    InvalidChunkSize,
    InvalidHeader,
    InvalidHeaderName,
    InvalidHTTPVersion,
    InvalidRequestLine,
    InvalidRequestMethod,
    InvalidSchemeHeaders,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ObsoleteFolding,
    UnsupportedTransferCoding,
)
from gunicorn.util import http_date

Writer = Callable[[int, str, str], tuple[Mapping[str, str], bytes]]
"""Makes headers and body from a status, a sentence and the path of the request."""

TRUNCATED: Final = "The request ended before it was complete."
BODY_TOO_SLOW: Final = "The body of the request arrived too slowly."
HEAD_TOO_SLOW: Final = "The head of the request did not arrive in time."
TOO_MANY_UPLOADS: Final = "Too many large requests are being read; try again."

_FIELD_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_CHUNKS: Final = "The chunked body is malformed"


def plain_text(_status: int, message: str, _path: str) -> tuple[Mapping[str, str], bytes]:
    """Write a sentence as text."""
    return {"Content-Type": "text/plain; charset=utf-8"}, f"{message}\n".encode()


def describe(error: Exception) -> tuple[int, str]:
    """Return status and sentence for a request that the parser refused.

    The sentence repeats nothing that was sent except the name of a header field: a target or a
    value may hold a token.
    """
    match error:
        case LimitRequestLine():
            return 414, "The request line is too long."
        case LimitRequestHeaders():
            return 431, "The header fields are too large: at most 100, and 8190 bytes each."
        case UnsupportedTransferCoding():
            return 501, "The Transfer-Encoding is not supported; send chunked or a Content-Length."
        case ExpectationFailed():
            return 417, "The only supported Expect is 100-continue."
        case InvalidRequestLine():
            return 400, "The request line is not valid HTTP."
        case InvalidRequestMethod():
            return 400, "The method of the request is not valid."
        case InvalidHTTPVersion():
            return 400, "The HTTP version of the request is not supported; use HTTP/1.1."
        case InvalidHeader() | InvalidHeaderName() | ObsoleteFolding():
            return 400, f"A header field is not valid{_named(error.hdr)}."
        case InvalidSchemeHeaders():
            return 400, "The header fields that name the scheme contradict each other."
        case InvalidChunkSize():
            return 400, f"{_CHUNKS}: a chunk size is not a hexadecimal number."
        case ChunkMissingTerminator():
            return 400, f"{_CHUNKS}: a chunk does not end where its size says."
        case InvalidChunkExtension():
            return 400, f"{_CHUNKS}: a chunk extension is not valid."
        case NoMoreData():
            return 400, TRUNCATED
        case _:
            return 400, "The request is not valid HTTP."


def head_too_long(has_request_line: bool) -> tuple[int, str]:
    """Return status and sentence for a head that grows beyond its limit."""
    return describe(LimitRequestHeaders("") if has_request_line else LimitRequestLine(0))


def written(write: Writer, status: int, message: str, path: str, *, has_body: bool) -> bytes:
    """Return the bytes of an answer after which the connection is closed."""
    headers, body = write(status, message, path)
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Server: {SERVER}",
        f"Date: {http_date()}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(body)}",
    ]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head + body if has_body else head


def _named(name: object) -> str:
    return f": {name}" if isinstance(name, str) and _FIELD_NAME.fullmatch(name) else ""
