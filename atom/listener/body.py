"""Reading a request: its JSON body, and what its headers say of the flow."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from atom.errors import InvalidRequest, UnsupportedMedia
from atom.process import Process
from atom.protocol.bodies import DecodedStream, check_charset, content_coding
from atom.protocol.requests import LONGEST_ID
from atom.protocol.running_user import running_user_of
from atom.protocol.wire import parse_json
from atom.traces import HEADER, Kind, span, traceparent_of


def json_body() -> bytes:
    """The body of a JSON request.

    Raises:
        UnsupportedMedia: it is declared as something else.
        MalformedRequest, RequestEntityTooLarge: as `text_body` raises them.
    """
    kind = request.mimetype
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise UnsupportedMedia(
            f"The body must be sent as application/json, not {kind or 'without a content type'}."
        )
    return text_body()


def text_body() -> bytes:
    """Return the body of a request that is a text in UTF-8, without its content coding.

    Raises:
        UnsupportedMedia: the charset or the content coding is another one.
        MalformedRequest: the body is not in its content coding.
        RequestEntityTooLarge: it is longer than the limit, as it came or decoded.
    """
    check_charset(request.mimetype_params.get("charset"))
    coding = content_coding(request.headers.get("Content-Encoding"))
    if coding is not None:
        return decoded(coding).read()
    body = request.get_data(cache=False)
    if request.content_length is None:
        # A chunked body is cut at the limit without a word; reading on tells.
        request.stream.read(1)
    return body


def decoded(coding: str) -> DecodedStream:
    """Return the body of the request without its content coding; the limit is the same."""
    limit = request.max_content_length or 0
    return DecodedStream(request.stream.read, coding, limit, RequestEntityTooLarge())


def json_document() -> Any:
    """The parsed body of a JSON request; raises as `json_body` and `parse_json` do."""
    return parse_json(json_body())


def running_user() -> str | None:
    """Who runs the flow, as the header that goes back with the callback."""
    headers = request.headers
    return running_user_of(headers.get("Authorization"), headers.get("ManyWhoAuthorization"))


@contextmanager
def traced(process: Process) -> Iterator[None]:
    """Have the block be the part of the flow's trace in which its request is accepted."""
    parent = traceparent_of(request.headers.get(HEADER))
    with span(f"accept {process.service}.{process.action}", Kind.SERVER, parent):
        yield


def tenant_id() -> str:
    """The tenant whose flow asks, of a request that names it in its headers only.

    Raises:
        InvalidRequest: it is no id.
    """
    tenant = request.headers.get("ManyWhoTenant", "")
    if len(tenant) > LONGEST_ID:
        raise InvalidRequest(f"The header ManyWhoTenant has more than {LONGEST_ID} characters.")
    return tenant
