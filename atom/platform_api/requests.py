"""What every request is read by: JSON, and the parts of it that several objects share."""

from collections.abc import Mapping
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from atom.errors import InvalidRequest, MalformedRequest, UnsupportedMedia
from atom.protocol.bodies import DecodedStream, check_charset, content_coding
from atom.protocol.wire import parse_json


def json_object(*known: str) -> Mapping[str, Any]:
    """The body as an object; an empty one is an empty object.

    Args:
        known: the fields that are read; no other is ignored in silence.

    Raises:
        MalformedRequest: it is no JSON.
        InvalidRequest: it has other fields.
        UnsupportedMedia: it is XML.
    """
    if request.mimetype.endswith("xml"):
        raise UnsupportedMedia("This Atom reads JSON only: send Content-Type application/json.")
    body = _body()
    found = parse_json(body) if body else {}
    if not isinstance(found, Mapping):
        raise MalformedRequest("The body is not a JSON object.")
    for name in found:
        if name not in (*known, "@type"):
            raise InvalidRequest(f"“{name}” is not understood here; it reads {', '.join(known)}.")
    return found


def text_body() -> str:
    """The body of a queryMore: the token alone, with or without the quotes of a JSON text."""
    return _body().decode("utf-8-sig", "replace").strip().strip('"')


def _body() -> bytes:
    """Return the body without its content coding."""
    check_charset(request.mimetype_params.get("charset"))
    coding = content_coding(request.headers.get("Content-Encoding"))
    if coding is None:
        return request.get_data()
    limit = request.max_content_length or 0
    return DecodedStream(request.stream.read, coding, limit, RequestEntityTooLarge()).read()


def named_text(document: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that is there; empty where none is.

    Raises:
        InvalidRequest: it is no text.
    """
    for name in names:
        found = document.get(name)
        if found is None:
            continue
        if not isinstance(found, str):
            raise InvalidRequest(f"“{name}” is a text.")
        return found
    return ""
