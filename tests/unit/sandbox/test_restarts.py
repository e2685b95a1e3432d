"""The sandbox over a restart: flows and states stay, and the file holds no secrets."""

import socket
import stat
import threading
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atom.errors import StartupError
from atom.flow.run_api import FlowClient
from atom.protocol.message_actions import forward, wait
from atom.protocol.values import ContentType, engine_value
from atom.sandbox import FlowStatus, Platform, SandboxServer
from atom.sandbox.database import SandboxDatabase
from atom.sandbox.run_api import FLOWS

HELLO, APPROVAL, VAULT = (flow.id for flow in FLOWS)
CANARY = "Basic Y2FuYXJ5OmNhbmFyeQ=="


class Sandbox:
    """A platform over a file, made anew at each restart as by a process that was killed."""

    def __init__(self, path):
        self._path, self._databases = path, []
        self.restart()

    def restart(self):
        database = SandboxDatabase(self._path)
        self._databases.append(database)
        self.platform = Platform(database=database)

    def close(self):
        for database in self._databases:
            database.close()

    def post(self, response):
        answer = self.platform.take_callback(response["tenantId"], orjson.dumps(response))
        return answer.invoke_type or answer.status


@pytest.fixture
def kept(tmp_path):
    with closing(Sandbox(tmp_path / "deep" / "flows.sqlite3")) as kept:
        yield kept


def faulted(token, tenant):
    return forward(token, tenant, []) | {"rootFaults": {"No": "Not today."}}


CALLBACKS = {
    "progress": lambda token, tenant: wait(token, tenant, "half"),
    "outputs": lambda token, tenant: forward(token, tenant, []),
    "faults": faulted,
    "stranger": lambda token, tenant: forward(token, "somebody else", []),
    "restart": None,
}


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.sampled_from(sorted(CALLBACKS)), max_size=8))
def test_a_restart_changes_no_answer(service, tmp_path_factory, steps):
    kept = Sandbox(tmp_path_factory.mktemp("kept") / "flows")
    plain = Platform()
    flows = {sandbox: sandbox.run(service.url, "Do it", {}) for sandbox in (kept.platform, plain)}
    flow_id, expected = flows[kept.platform].id, flows[plain]
    for step in steps:
        if step == "restart":
            kept.restart()
            continue
        (token,) = kept.platform.flow(flow_id).calls
        tenant = kept.platform.flow(flow_id).tenant_id
        (other,) = expected.calls
        body = orjson.dumps(CALLBACKS[step](other, expected.tenant_id))
        response = CALLBACKS[step](token, tenant)
        right = plain.take_callback(orjson.loads(body)["tenantId"], body)
        assert kept.post(response) == right.invoke_type
    flow = kept.platform.flow(flow_id)
    kept.close()
    assert flow.status is expected.status
    assert [event.kind for event in flow.events] == [event.kind for event in expected.events]
    assert [event.number for event in flow.events] == list(range(1, len(flow.events) + 1))
    assert [call.moves for call in flow.calls.values()] == [
        call.moves for call in expected.calls.values()
    ]


def test_a_request_under_way_at_the_end_is_resumed_by_its_callback(service, kept):
    is_asked, may_answer = threading.Event(), threading.Event()

    def hold(asked):
        is_asked.set()
        may_answer.wait(10)

    service.before_answer = hold
    flow = kept.platform.prepare(service.url, [("Do it", {})])
    thread = threading.Thread(target=kept.platform.send, args=(flow,))
    thread.start()
    assert is_asked.wait(10)
    kept.restart()
    (token,) = flow.calls
    assert kept.platform.flow(flow.id).status is FlowStatus.WAITING
    assert kept.post(forward(token, flow.tenant_id, [])) == "SUCCESS"
    assert kept.platform.flow(flow.id).status is FlowStatus.DONE
    may_answer.set()
    thread.join()


def test_a_failed_flow_stays_failed(service, kept):
    service.answer = lambda asked: (500, {"message": "no"})
    flow = kept.platform.run(service.url, "Do it", {})
    kept.restart()
    assert kept.platform.flow(flow.id).status is FlowStatus.FAILED


def test_flows_keep_their_order_and_times(service, kept):
    flows = [kept.platform.run(service.url, "Do it", {}) for _ in range(3)]
    kept.restart()
    found = kept.platform.flows()
    assert [flow.id for flow in found] == [flow.id for flow in flows][::-1]
    assert [flow.began_at for flow in found] == [flow.began_at for flow in flows][::-1]
    (token,) = found[0].calls
    kept.post(wait(token, found[0].tenant_id, "half"))
    times = [event.at for event in found[0].events]
    assert times == sorted(times)


def test_the_oldest_flow_is_forgotten_in_the_file_too(service, tmp_path):
    with closing(SandboxDatabase(tmp_path / "flows")) as database:
        platform = Platform(kept_flows=2, database=database)
        flows = [platform.run(service.url, "Do it", {}) for _ in range(3)]
        assert [flow.id for flow in database.flows()] == [flow.id for flow in flows[1:]]


def test_the_file_is_private_and_holds_no_secret(service, tmp_path):
    path = tmp_path / ".atom" / "sandbox" / "flows.sqlite3"
    with SandboxServer(database=path) as sandbox:
        sandbox.platform.install(service.url, authorization=CANARY)
        sandbox.platform.remember(service.url, CANARY)
        sandbox.platform.configure(service.url, {"Key": "canary-value", "Region": "canary"})
        service.answer = lambda asked: (
            200,
            forward(asked["token"], asked["tenantId"], [secret("canary-output")]),
        )
        flow = sandbox.platform.run(service.url, "Do it", {}, authorization=CANARY)
        assert "canary-output" in str(flow.events)
        with flow.changed:
            flow.note("requested", "t", inputs=[secret("canary-input")])
        client = FlowClient(sandbox.url, "tenant", "ada", "lovelace")
        client.run(VAULT, inputs={"Name": "Ada"})
        client.close()
        files = list(path.parent.iterdir())
        assert len(files) >= 2  # of SQLite, beside the file itself
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        content = b"".join(file.read_bytes() for file in files)
        for text in (b"canary", b"Y2FuYXJ5", b"lovelace"):
            assert text not in content


def secret(value):
    return engine_value("Pin", ContentType.PASSWORD, content_value=value)


def test_states_of_flows_that_were_started_outlive_a_restart(tmp_path):
    path = tmp_path / "flows"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with SandboxServer(port=port, database=path) as sandbox:
        client = FlowClient(sandbox.url, "tenant", "ada", "lovelace")
        waiting = client.run(APPROVAL, wait=False)
        vault = client.run(VAULT, inputs={"Name": "Ada"}, wait=False)
    with SandboxServer(port=port, database=path):
        assert client.join(waiting.state_id, wait=True).outputs == {"Approved": True}
        assert client.join(vault.state_id).outputs == {"Greeting": "Hello, Ada!"}
    client.close()


def open_files(directory):
    """Return the files of a directory that this process has open."""
    links = Path("/proc/self/fd").iterdir()
    return [path for link in links if str(path := link.resolve()).startswith(str(directory))]


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "flows"
    path.write_bytes(b"\xff" * 4096)
    with pytest.raises(StartupError, match=str(path)) as failure:
        SandboxServer(database=path)
    assert open_files(tmp_path) == [], failure  # the traceback keeps what was not closed


def test_a_sandbox_that_cannot_listen_closes_its_database(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartupError, match=str(port)) as failure:
            SandboxServer(port=port, database=tmp_path / "flows")
    assert open_files(tmp_path) == [], failure
