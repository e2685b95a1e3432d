"""What every answer and every form of the console has to have."""

import secrets
from collections.abc import Mapping
from hmac import compare_digest
from typing import Final

from flask import Flask, Response, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import Forbidden

from atom.endpoints import is_from

_HEADERS: Final = {
    # Scripts of our own files alone, no frame, nothing from elsewhere: whatever text a flow sends
    # stays text.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With “no-referrer” a browser would say of our own forms that they come from nowhere (null).
    "Referrer-Policy": "same-origin",
}
_TOKEN: Final = "form"  # noqa: S105 (the name of it, in the session and in forms)
# Asked for by scripts that know of no token; changes nothing.
_WITHOUT_TOKEN: Final = {"flower.tasks"}


class Sessions(SecureCookieSessionInterface):
    """Flask's signed cookie, for https alone where the console is reached by https."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """As the request came, or as the proxy before us says that it came."""
        return request.is_secure


def install(app: Flask, limits: Mapping[str, int]) -> None:
    """Check every form, and head every answer.

    Args:
        app: the console.
        limits: of the endpoints whose forms hold more than the others', in bytes.
    """
    app.jinja_env.globals["form_token"] = form_token

    @app.before_request
    def limit() -> None:
        largest = limits.get(request.endpoint or "")
        if largest is not None:
            request.max_content_length = request.max_form_memory_size = largest
            request.max_form_parts = None

    @app.before_request
    def check_form() -> None:
        is_from_here = is_from(request.headers.get("Origin"), request.host)
        if request.method == "POST" and not (is_from_here and _has_token()):
            raise Forbidden

    @app.after_request
    def head(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response


def form_token() -> str:
    """What a form has to send back: the session's own secret, which other sites cannot read."""
    token: str = session.setdefault(_TOKEN, secrets.token_urlsafe(24))
    return token


def _has_token() -> bool:
    if request.endpoint in _WITHOUT_TOKEN:
        return True
    expected, sent = session.get(_TOKEN, ""), request.form.get(_TOKEN, "")
    return bool(expected) and compare_digest(expected.encode(), sent.encode())
