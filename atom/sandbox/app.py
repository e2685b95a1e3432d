"""The sandbox over HTTP: the platform's callback endpoint, and an API for those who watch."""

import contextlib
import socket
import threading
from typing import Any

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from atom.errors import AtomError
from atom.sandbox import run_api
from atom.sandbox.platform import CALLBACK_PATH, Platform, SandboxError
from atom.sandbox.run_api import RunApi

_LONGEST_WAIT_SECONDS = 30.0


def create_app(platform: Platform, flows_to_run: RunApi) -> Flask:
    """Build the app over a platform and the flows that can be run on it."""
    app = Flask("atom.sandbox", static_folder=None)
    run_api.install(app, flows_to_run)

    @app.post(CALLBACK_PATH)
    def callback() -> Response:
        answer = platform.take_callback(
            request.headers.get("ManyWhoTenant"), request.get_data(cache=False)
        )
        if answer.drop:
            with contextlib.suppress(OSError):
                request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        if answer.invoke_type is not None:
            return _json(answer.invoke_type, answer.status, **answer.headers)
        return _json({"message": answer.message}, answer.status, **answer.headers)

    @app.post("/sandbox/services")
    def install() -> Response:
        authorization = _document().get("authorization")
        return _json(platform.install(_asked("url"), authorization=authorization))

    @app.post("/sandbox/flows")
    def run() -> Response:
        asked = _document()
        flow = platform.prepare(
            _asked("serviceUrl"),
            [(_asked("action"), asked.get("inputs") or {})],
            authorization=asked.get("authorization"),
        )
        # In the background, so that a client sees the WAIT as it comes.
        threading.Thread(target=platform.send, args=(flow,), name="sandbox-flow").start()
        return _json({"flowId": flow.id}, 202)

    @app.get("/sandbox/flows")
    def flows() -> Response:
        return _json([flow.document([]) for flow in platform.flows()])

    @app.get("/sandbox/flows/<flow_id>")
    def watch(flow_id: str) -> Response:
        flow = platform.flow(flow_id)
        after = request.args.get("after", 0, type=int)
        wait = request.args.get("wait", 0.0, type=float)
        return _json(flow.document(flow.wait(max(0, after), min(wait, _LONGEST_WAIT_SECONDS))))

    @app.get("/health")
    def health() -> Response:
        return _json({"status": "ok"})

    _install_problems(app)
    return app


def _install_problems(app: Flask) -> None:
    @app.errorhandler(AtomError)
    def refused(error: AtomError) -> Response:
        status = error.status if isinstance(error, SandboxError) else 400
        return _json({"message": str(error)}, status)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        return _json(
            {"message": f"{error.name}: {request.method} {request.path}"}, error.code or 500
        )


def _json(document: Any, status: int = 200, **headers: str) -> Response:
    return Response(orjson.dumps(document), status, headers, mimetype="application/json")


def _document() -> dict[str, Any]:
    try:
        document = orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise SandboxError("A JSON object is expected.")
    return document


def _asked(name: str) -> str:
    value = _document().get(name)
    if not isinstance(value, str) or not value:
        raise SandboxError(f"“{name}” must be a text that is not empty.")
    return value
