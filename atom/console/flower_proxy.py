"""Flower under the console's own address: to whom the console lets in, and for looking only."""

from base64 import b64encode
from typing import Final

from flask import Blueprint, Response, request

from atom.console.problems import problem
from atom.flow.transport import Transport, TransportError
from atom.settings import Settings

PATH: Final = "/flower"
_SECONDS: Final = 30.0
_KEPT: Final = ("Content-Type", "Location", "ETag", "Last-Modified")
# Flower's pages have scripts and styles of their own within them.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'; "
    "base-uri 'none'"
)


def create_blueprint(settings: Settings) -> Blueprint:
    """Build the way through to Flower, which has to serve under the same path.

    Flower's own login is made by the console; nobody else has to know it.
    """
    blueprint = Blueprint("flower", __name__, url_prefix=PATH)
    base = f"{settings.flower_url.rstrip('/')}{PATH}"
    transport = Transport(read_timeout=_SECONDS)
    headers = {"Accept-Encoding": "identity"}
    if settings.flower_username:
        pair = f"{settings.flower_username}:{settings.flower_password}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"

    @blueprint.get("", defaults={"path": ""}, strict_slashes=False)
    @blueprint.get("/<path:path>")
    def through(path: str) -> Response:
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        # As the browser wrote it: Flower decodes a task's name by itself.
        return answer("GET", f"{base}/{_raw(path)}{query}")

    @blueprint.post("/tasks/datatable")
    def tasks() -> Response:
        # It lists its tasks by POST, for what it asks is too long for an address; it only reads.
        return answer("POST", f"{base}/tasks/datatable", request.get_data())

    def answer(method: str, url: str, body: bytes = b"") -> Response:
        form = {"Content-Type": request.content_type or ""} if body else {}
        try:
            reply = transport.send(method, url, body, {**headers, **form})
        except TransportError:
            return problem(502, "Flower does not answer. What happened is in the executions.")
        kept = {name: reply.headers[name] for name in _KEPT if name in reply.headers}
        response = Response(reply.body, reply.status, kept)
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    return blueprint


def _raw(path: str) -> str:
    """The path below ours, with its escapes."""
    raw = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or "")
    return raw.partition("?")[0].removeprefix(PATH).lstrip("/") if raw.startswith(PATH) else path
