"""Header fields of every answer of the listener, for browsers and caches."""

from collections.abc import Mapping
from typing import Final

from flask import Flask, Response

FIELDS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
# Answers hold documents of flows and processes: for the caller, and for no cache.
CACHE_CONTROL: Final = "no-store"


def install(app: Flask) -> None:
    """Add them, whoever made the answer."""

    @app.after_request
    def add(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", CACHE_CONTROL)
        response.headers.update(FIELDS)
        return response
