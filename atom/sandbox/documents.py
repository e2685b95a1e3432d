"""The JSON of the sandbox's own API: read from a request, written to an answer."""

from typing import Any

import orjson
from flask import Response, request

from atom.protocol.wire import parse_json
from atom.sandbox.problems import SandboxError


def answer(document: Any, status: int = 200, **headers: str) -> Response:
    """An answer with a document."""
    return Response(orjson.dumps(document), status, headers, mimetype="application/json")


def asked() -> dict[str, Any]:
    """The object that was sent; raises MalformedRequest and SandboxError."""
    document = parse_json(request.get_data())
    if not isinstance(document, dict):
        raise SandboxError("A JSON object is expected.")
    return document


def asked_text(name: str) -> str:
    """A text of that object that has to be there; raises SandboxError."""
    value = asked().get(name)
    if not isinstance(value, str) or not value:
        raise SandboxError(f"“{name}” must be a text that is not empty.")
    return value
