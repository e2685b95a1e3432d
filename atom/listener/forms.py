"""HTML forms as JSON objects."""

import io
from typing import Any, Final
from urllib.parse import parse_qsl

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from atom.errors import MalformedRequest, RequestTooLarge, UnsupportedMedia
from atom.listener.body import text_body

_URLENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_MOST_FIELDS: Final = 1000


def is_form() -> bool:
    """Return whether the body of the request is a form."""
    return request.mimetype in (_URLENCODED, _MULTIPART)


def form_document() -> dict[str, str | list[str]]:
    """Return the fields of a form: name → text, or a list if the name occurs several times.

    Raises:
        UnsupportedMedia: the form has a file, another charset or another content coding.
        MalformedRequest: it is not a form in UTF-8.
        RequestTooLarge, RequestEntityTooLarge: it is longer than the limit.
    """
    body = text_body()
    read = _urlencoded if request.mimetype == _URLENCODED else _multipart
    try:
        fields = read(body)
    except ValueError:
        raise MalformedRequest(
            f"The body is not valid {request.mimetype} in UTF-8, or has more than {_MOST_FIELDS} "
            "fields."
        ) from None
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    return {name: texts if len(texts) > 1 else texts[0] for name, texts in values.items()}


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    text = body.decode()
    return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)


def _multipart(body: bytes) -> list[tuple[str, str]]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise UnsupportedMedia("An event cannot have a file.")

    parser = FormDataParser(
        stream_factory=refuse,
        max_form_memory_size=None,
        max_form_parts=_MOST_FIELDS,
        silent=False,
    )
    try:
        _, form, _ = parser.parse(io.BytesIO(body), _MULTIPART, len(body), request.mimetype_params)
    except RequestEntityTooLarge:
        raise RequestTooLarge(f"The form has more than {_MOST_FIELDS} fields.") from None
    return list(form.items(multi=True))
