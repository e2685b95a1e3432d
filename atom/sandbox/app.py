"""The sandbox over HTTP: the platform's callback endpoint, and an API for those who watch."""

import contextlib
import socket
import threading
from collections import deque
from dataclasses import asdict
from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from atom.errors import AtomError
from atom.sandbox import connector_api, run_api
from atom.sandbox.documents import answer, asked, asked_text
from atom.sandbox.flows import Flow
from atom.sandbox.messages import Messages
from atom.sandbox.platform import CALLBACK_PATH, Platform
from atom.sandbox.problems import SandboxError
from atom.sandbox.run_api import RunApi

_LONGEST_WAIT_SECONDS: Final = 30.0
# Of so many flows the raw messages are kept; of older ones only what happened.
_RECORDED_FLOWS: Final = 200


def create_app(platform: Platform, flows_to_run: RunApi) -> Flask:
    """Build the app over a platform and the flows that can be run on it."""
    app = Flask("atom.sandbox", static_folder=None)
    run_api.install(app, flows_to_run)
    connector_api.install(app, platform)
    _install_flows(app, platform)

    @app.post(CALLBACK_PATH)
    def callback() -> Response:
        given = platform.take_callback(
            request.headers.get("ManyWhoTenant"), request.get_data(cache=False)
        )
        if given.drop:
            with contextlib.suppress(OSError):
                request.environ["gunicorn.socket"].shutdown(socket.SHUT_RDWR)
        if given.invoke_type is not None:
            return answer(given.invoke_type, given.status, **given.headers)
        return answer({"message": given.message}, given.status, **given.headers)

    @app.get("/health")
    def health() -> Response:
        return answer({"status": "ok"})

    _install_problems(app)
    return app


def _install_flows(app: Flask, platform: Platform) -> None:
    recorded: deque[Flow] = deque()

    @app.post("/sandbox/flows")
    def run() -> Response:
        document, url = asked(), asked_text("serviceUrl")
        flow = platform.prepare(
            url,
            [(asked_text("action"), document.get("inputs") or {})],
            authorization=document.get("authorization") or platform.authorization(url),
            configuration=document.get("configuration"),
        )
        flow.messages = Messages()
        recorded.append(flow)
        if len(recorded) > _RECORDED_FLOWS:
            recorded.popleft().messages = None
        # In the background, so that a client sees the WAIT as it comes.
        threading.Thread(target=platform.send, args=(flow,), name="sandbox-flow").start()
        return answer({"flowId": flow.id}, 202)

    @app.get("/sandbox/flows")
    def flows() -> Response:
        return answer([flow.document([]) for flow in platform.flows()])

    @app.get("/sandbox/flows/<flow_id>")
    def watch(flow_id: str) -> Response:
        flow = platform.flow(flow_id)
        after = request.args.get("after", 0, type=int)
        wait = request.args.get("wait", 0.0, type=float)
        return answer(flow.document(flow.wait(max(0, after), min(wait, _LONGEST_WAIT_SECONDS))))

    @app.get("/sandbox/flows/<flow_id>/messages")
    def messages(flow_id: str) -> Response:
        return answer([asdict(each) for each in platform.flow(flow_id).messages or ()])


def _install_problems(app: Flask) -> None:
    @app.errorhandler(AtomError)
    def refused(error: AtomError) -> Response:
        status = error.status if isinstance(error, SandboxError) else 400
        return answer({"message": str(error)}, status)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        return answer(
            {"message": f"{error.name}: {request.method} {request.path}"}, error.code or 500
        )
