"""Reading JSON bodies, and the marshmallow fields that the wire schemas are made of.

Values and objects nest without bound on the wire; their check is written out by hand so that it
is quick and stops at a depth, where nested schemas would run out of stack.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson
from marshmallow import EXCLUDE, Schema, ValidationError, fields

from atom.errors import InvalidRequest, MalformedRequest
from atom.protocol.bodies import json_bytes
from atom.protocol.prepared_schema import PreparedSchema
from atom.protocol.values import ContentType
from atom.text import encodable

MAX_OBJECT_DEPTH: Final = 20
MAX_JSON_DEPTH: Final = 224
"""Levels of lists and objects in a document that is read."""

PROBLEM_MESSAGE_LENGTH: Final = 500

_CONTENT_TYPES: Final = {member.lower() for member in ContentType}
# orjson writes 254 levels. A stored document is written within others, so there is room for those.
_LEVELS_AROUND: Final = 254 - MAX_JSON_DEPTH
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]+")


def sentence(text: str) -> str:
    """Return one line of at most 500 characters that a person may be shown."""
    text = _UNPRINTABLE.sub(" ", encodable(text)).strip()
    if len(text) > PROBLEM_MESSAGE_LENGTH:
        text = text[: PROBLEM_MESSAGE_LENGTH - 1] + "…"
    return text


def parse_json(body: bytes) -> Any:
    """Parse a JSON document; a byte order mark before it is skipped.

    Raises:
        MalformedRequest: it is not JSON, not in UTF-8, or nests too deeply.
    """
    if not body.strip():
        raise MalformedRequest("The request has no body; a JSON object is expected.")
    body = json_bytes(body)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            body.decode()
        except UnicodeDecodeError as undecodable:
            raise MalformedRequest(
                f"The body is not valid JSON: byte 0x{body[undecodable.start]:02X} at offset "
                f"{undecodable.start} is not UTF-8."
            ) from None
        raise MalformedRequest(
            f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    # Few documents have so many brackets; only those are examined.
    if body.count(b"[") + body.count(b"{") > MAX_JSON_DEPTH:
        _check_depth(document)
    return document


def _check_depth(document: Any) -> None:
    for _ in range(_LEVELS_AROUND):
        document = [document]
    try:
        orjson.dumps(document)
    except TypeError:
        raise MalformedRequest(
            f"The body nests deeper than {MAX_JSON_DEPTH} levels of objects and lists."
        ) from None


def problems(messages: Any, where: str = "") -> Iterable[str]:
    """Flatten marshmallow's messages into `path: what is wrong`, every bad field at once."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            if key == "_schema":
                path = where
            elif isinstance(key, int):
                path = f"{where}[{key}]"
            else:
                path = f"{where}.{key}" if where else str(key)
            yield from problems(inner, path)
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            text = str(message).rstrip(".")
            text = text[:1].lower() + text[1:]
            yield f"{where}: {text}" if where else text


def load(schema: PreparedSchema[Any], document: Any, what: str) -> dict[str, Any]:
    """Check a parsed body against its wire schema.

    Raises:
        InvalidRequest: naming every field that is wrong.
    """
    if not isinstance(document, dict):
        raise InvalidRequest(f"The {what} must be a JSON object.")
    try:
        return schema.load(document)
    except ValidationError as error:
        raise InvalidRequest(
            sentence(f"The {what} is not valid: {'; '.join(problems(error.messages))}.")
        ) from None


class WireSchema(Schema):
    """A schema of the protocol: what it does not know, it ignores."""

    class Meta:
        """Marshmallow's options."""

        unknown = EXCLUDE
        register = False


class EngineValues(fields.Field[list[dict[str, Any]]]):
    """A list of EngineValues, or null for none; loads to the list as it was sent."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            return _checked_list(value, _check_value, 0)
        except _Misfit as misfit:
            raise misfit.error("") from None


class _Misfit(Exception):
    """What is wrong; on its way out it learns where, which nobody needs to know before."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what, self.where = what, ""

    def within(self, where: str) -> "_Misfit":
        """The same, seen from further out."""
        self.where = where + self.where
        return self

    def error(self, where: str) -> ValidationError:
        """For people."""
        return ValidationError(f"{where}{self.where} {self.what}".lstrip())


def _checked_list(value: Any, check: Callable[[Any, int], None], depth: int) -> list[Any]:
    """Check each element of a list that may be null, up to the first that is wrong."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Misfit("must be a list")
    if depth > MAX_OBJECT_DEPTH:
        raise ValidationError(f"objects nest deeper than {MAX_OBJECT_DEPTH} levels")
    for index, element in enumerate(value):
        try:
            check(element, depth)
        except _Misfit as misfit:
            raise misfit.within(f"[{index}]") from None
    return value


def _check_value(value: Any, depth: int) -> None:
    """An EngineValue, or a property of an object: both have the same four fields."""
    if not isinstance(value, dict):
        raise _Misfit("must be an object")
    name = value.get("developerName")
    if not isinstance(name, str) or not name:
        raise _Misfit("developerName must be a text that is not empty")
    try:
        kind = value.get("contentType")
        if kind is not None and (not isinstance(kind, str) or kind.lower() not in _CONTENT_TYPES):
            raise _Misfit("contentType is none that the protocol knows")
        content = value.get("contentValue")
        if content is not None and not isinstance(content, str):
            raise _Misfit("contentValue must be a text or null")
        if value.get("objectData") is not None:
            _check_inner(value, "objectData", _check_object, depth)
    except _Misfit as misfit:
        raise misfit.within(f" ({name[:80]})") from None


def checked_object(value: Any, where: str) -> None:
    """Check an MObject.

    Raises:
        ValidationError: naming what is wrong in it.
    """
    try:
        _check_object(value, 0)
    except _Misfit as misfit:
        raise misfit.error(where) from None


def _check_object(value: Any, depth: int) -> None:
    if not isinstance(value, dict):
        raise _Misfit("must be an object")
    if value.get("properties") is not None:
        _check_inner(value, "properties", _check_value, depth + 1)


def _check_inner(
    value: Mapping[str, Any], name: str, check: Callable[[Any, int], None], depth: int
) -> None:
    try:
        _checked_list(value[name], check, depth)
    except _Misfit as misfit:
        raise misfit.within(f" {name}") from None
