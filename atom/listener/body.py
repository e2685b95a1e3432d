"""Reading a request's body."""

from flask import request

from atom.errors import UnsupportedMedia


def json_body() -> bytes:
    """The body of a JSON request.

    Raises:
        UnsupportedMedia: it is declared as something else.
        RequestEntityTooLarge: it is longer than the limit.
    """
    kind = request.mimetype
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise UnsupportedMedia(
            f"The body must be sent as application/json, not {kind or 'without a content type'}."
        )
    body = request.get_data(cache=False)
    if request.content_length is None:
        # A chunked body is cut at the limit without a word; reading on tells.
        request.stream.read(1)
    return body
