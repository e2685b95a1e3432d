"""A tiny Flow Service of the tests' own, and a sandbox that calls it."""

import threading

import orjson
import pytest
from flask import Flask, Response, request
from werkzeug.serving import make_server

from atom.flow.transport import Transport
from atom.protocol.message_actions import wait
from atom.protocol.metadata import ActionDescription, TypeDescription, describe_service
from atom.protocol.objects import Entry
from atom.protocol.values import ContentType
from atom.sandbox import SandboxServer

LINE = (Entry("Sku", ContentType.STRING), Entry("Quantity", ContentType.NUMBER))
CONFIGURATION = (Entry("Region", ContentType.STRING), Entry("Key", ContentType.PASSWORD))
INPUTS = (
    Entry("Name", ContentType.STRING),
    Entry("Big", ContentType.NUMBER),
    Entry("Yes", ContentType.BOOLEAN),
    Entry("One", ContentType.OBJECT, type_name="Line", entries=LINE),
    Entry("Lines", ContentType.LIST, type_name="Line", entries=LINE),
)


class FlowService:
    """A Flow Service that records its requests and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[dict] = []
        self.before_metadata = lambda headers: None
        self.before_answer = lambda asked: None
        self.answer = lambda asked: (200, wait(asked["token"], asked["tenantId"], "Wait…"))
        app = Flask("service")

        @app.post("/fs/Trial/metadata")
        def metadata():
            self.before_metadata(request.headers)
            return describe_service(
                [ActionDescription("Do it", "", INPUTS, ())],
                [TypeDescription("Line", "", LINE)],
                CONFIGURATION,
            )

        @app.post("/fs/Trial/actions/<name>")
        def action(name):
            asked = {**orjson.loads(request.data), "_headers": dict(request.headers)}
            self.requests.append(asked)
            self.before_answer(asked)
            status, body = self.answer(asked)
            return Response(orjson.dumps(body), status, mimetype="application/json")

        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}/fs/Trial"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def service():
    service = FlowService()
    yield service
    service.close()


@pytest.fixture
def sandbox():
    with SandboxServer() as sandbox:
        yield sandbox


@pytest.fixture
def post(sandbox):
    transport = Transport()

    def send(response, tenant=None):
        url = f"{sandbox.url}/api/run/1/response"
        headers = {"ManyWhoTenant": tenant or response.get("tenantId", "")}
        reply = transport.post_json(url, orjson.dumps(response), headers)
        return reply.status, orjson.loads(reply.body)

    yield send
    transport.close()
