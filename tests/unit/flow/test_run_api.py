"""The Flow Client over real HTTP, against the sandbox and against platforms that misbehave."""

import socket
import threading
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from atom import FlowClient
from atom.errors import (
    FlowClientError,
    FlowFaulted,
    FlowRefused,
    FlowTimedOut,
    FlowUnreachable,
)
from atom.sandbox import RunnableFlow, SandboxServer

PASSWORD = "canary-password"


@pytest.fixture(scope="module")
def sandbox():
    with SandboxServer() as server:
        yield server


@pytest.fixture
def client(sandbox):
    sandbox.run_api.requests.clear()
    with FlowClient(sandbox.url, "tenant") as client:
        yield client


def test_a_flow_runs_to_its_end(sandbox, client):
    flow = sandbox.run_api.add(RunnableFlow(name="Nothing", run=lambda inputs: {}))
    run = client.run(flow.id)
    assert run.is_done
    assert run.outputs == {}
    assert run.state_id in run.join_url
    assert sandbox.run_api.requests == ["start", "move"]


def test_values_of_every_kind_go_in_and_come_out(sandbox, client):
    flow = sandbox.run_api.add(RunnableFlow(name="Echo"))
    inputs = {
        "Text": "Grüße",
        "Number": Decimal("12345678901234567890.5"),
        "Whole": 3,
        "Flag": True,
        "Moment": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "Nothing": None,
        "Object": {"Inner": {"Deep": "x"}},
        "List": [{"A": 1}, {"A": 2}],
        "Empty": [],
    }
    assert client.run(flow.id, inputs=inputs).outputs == inputs


@pytest.mark.parametrize("value", [["a"], object(), {"x": b"bytes"}, float("nan")])
def test_a_value_that_no_flow_takes(client, value):
    with pytest.raises(FlowClientError, match="The input"):
        client.run("any", inputs={"x": value})


def test_a_flow_that_waits_is_followed(sandbox, client):
    flow = sandbox.run_api.add(RunnableFlow(name="Waits", waits=2))
    run = client.run(flow.id, inputs={"A": "b"})
    assert run.outputs == {"A": "b"}
    assert sandbox.run_api.requests == ["start", "move", "join", "join"]


def test_or_not_followed_and_joined_later(sandbox, client):
    flow = sandbox.run_api.add(RunnableFlow(name="Waits", waits=2))
    run = client.run(flow.id, wait=False)
    assert run.is_waiting
    assert run.wait_message == "Waiting (0 of 2)"
    assert client.join(run.state_id).is_waiting
    done = client.join(run.state_id, wait=True)
    assert (done.is_done, done.state_id) == (True, run.state_id)


def test_past_the_timeout_it_still_waits(sandbox, client):
    flow = sandbox.run_api.add(RunnableFlow(name="For ever", waits=10**9))
    with pytest.raises(FlowTimedOut) as caught:
        client.run(flow.id, timeout_seconds=2)
    assert caught.value.state_id in str(caught.value)
    assert caught.value.join_url.startswith(sandbox.url)


def test_a_protected_flow(sandbox):
    flow = sandbox.run_api.add(RunnableFlow(name="Vault", waits=1, user=("ada", PASSWORD)))
    with FlowClient(sandbox.url, "tenant", "ada", PASSWORD) as client:
        assert PASSWORD not in repr(client)
        assert client.run(flow.id).is_done
        started = client.run(flow.id, wait=False)
        assert client.join(started.state_id).is_done
    with FlowClient(sandbox.url, "tenant", "ada", "wrong") as client:
        with pytest.raises(FlowRefused, match="wrong") as caught:
            client.run(flow.id)
        assert caught.value.status == 401
    with (
        FlowClient(sandbox.url, "tenant") as client,
        pytest.raises(FlowRefused, match="no username and password"),
    ):
        client.run(flow.id)


def test_an_unknown_flow_and_a_missing_input(sandbox, client):
    with pytest.raises(FlowRefused, match="There is no flow nix") as caught:
        client.run("nix")
    assert caught.value.status == 404
    flow = sandbox.run_api.add(RunnableFlow(name="Needs", needs=("Name",)))
    with pytest.raises(FlowRefused, match="needs the input Name"):
        client.run(flow.id)
    with pytest.raises(FlowRefused, match="There is no state nix"):
        client.join("nix")


def test_faults_are_raised_or_returned(sandbox, client):
    flow = sandbox.run_api.add(RunnableFlow(name="No", faults={"Closed": "We are closed."}))
    with pytest.raises(FlowFaulted, match="We are closed") as caught:
        client.run(flow.id)
    assert caught.value.faults == (("Closed", "We are closed."),)
    run = client.run(flow.id, return_application_errors=True)
    assert run.root_faults == {"Closed": "We are closed."}
    refused = client.run("nix", return_application_errors=True)
    assert (refused.status_code, refused.error) == (404, "There is no flow nix")


@pytest.mark.parametrize(
    "url",
    ["http://flow.boomi.com", "ftp://x", "flow.boomi.com", "", "https://", "https://u:p@flow.x"],
)
def test_a_url_that_requests_may_not_go_to(url):
    with pytest.raises(FlowClientError, match="https"):
        FlowClient(url, "tenant")


# --- a platform that misbehaves


class Misbehaving:
    """Answers each request with the next of its behaviours, the last one for ever."""

    def __init__(self, *behaviours):
        self.seen = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                at = min(len(outer.seen), len(behaviours) - 1)
                outer.seen.append(self.command)
                status, document, headers = behaviours[at]
                if status is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                body = orjson.dumps(document)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


DROPPED = (None, None, {})
DONE = (200, {"stateId": "s", "invokeType": "DONE", "statusCode": "200"}, {})
STARTED = (200, {"stateId": "s", "stateToken": "t", "statusCode": "200"}, {})


def test_what_may_have_moved_a_flow_is_not_sent_twice():
    with Misbehaving(STARTED, DROPPED) as platform, FlowClient(platform.url, "t") as client:
        with pytest.raises(FlowUnreachable, match="broke before an answer came"):
            client.run("f")
        assert platform.seen == ["POST", "POST"]


@pytest.mark.parametrize("trouble", [DROPPED, (503, {}, {}), (500, "x", {}), (429, {}, {})])
def test_asking_is_repeated(trouble):
    with Misbehaving(trouble, trouble, DONE) as platform:
        with FlowClient(platform.url, "t") as client:
            assert client.join("s").is_done
        assert platform.seen == ["GET"] * 3


def test_asking_is_not_repeated_for_ever():
    with (
        Misbehaving((503, {"message": "Overloaded."}, {})) as platform,
        FlowClient(platform.url, "t") as client,
        pytest.raises(FlowRefused, match=r"\(503\): Overloaded\."),
    ):
        client.join("s", timeout_seconds=2)


def test_what_was_refused_for_the_rate_is_sent_again():
    with Misbehaving((429, {}, {}), STARTED, (429, {}, {}), DONE) as platform:
        with FlowClient(platform.url, "t") as client:
            assert client.run("f").is_done
        assert platform.seen == ["POST"] * 4


def test_nobody_there():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        FlowClient(f"http://127.0.0.1:{port}", "t") as client,
        pytest.raises(FlowUnreachable, match="no connection"),
    ):
        client.run("f")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((302, {}, {"Location": "https://elsewhere.example"}), "redirect"),
        ((200, [], {}), "no JSON object"),
        ((400, "Plain words", {}), "Plain words"),
        ((400, None, {}), "does not say why"),
        (
            (
                200,
                {"statusCode": "401", "authorizationContext": {"authenticationType": "OAUTH2"}},
                {},
            ),
            "asks for OAUTH2",
        ),
    ],
)
def test_an_answer_that_is_none(answer, says):
    with (
        Misbehaving(answer) as platform,
        FlowClient(platform.url, "t") as client,
        pytest.raises(FlowRefused, match=says),
    ):
        client.run("f")
