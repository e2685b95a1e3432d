"""A flood of one tenant, and what max_concurrency promises, with real workers."""

import orjson
import pytest

from atom.names import PROCESSES, RECOVERY
from tests.support.places import ENVIRONMENT, Ordeal
from tests.support.roles import TestAtom
from tests.support.waiting import until

FLOOD = 30
MANY, ONE = "12e6f0a9-8b67-4d6b-a9fb-6b5a7c1f0b01", "5b0f4b6e-5a3e-4b6c-9f0e-2a4f4c7d9e02"


@pytest.fixture
def atom(tmp_path):
    atom = TestAtom(tmp_path, "tests.support.places", **ENVIRONMENT)
    yield atom
    atom.close()


def start(atom, concurrency):
    """A listener, and one worker for processes."""
    atom.start("listener", "listener")
    atom.start("worker", "worker", f"--queues={PROCESSES}", f"--concurrency={concurrency}")
    atom.start("recovery", "recovery")
    for queue in (PROCESSES, RECOVERY):
        until(lambda queue=queue: atom.store.present(queue), f"a worker for {queue}", 60)
    atom.wait_for_listener(atom.url, "/health")


def prepared(atom, directory, tenant, name, action):
    """A flow of that tenant."""
    inputs = {
        "File": str(directory / "noted"),
        "Gate": str(directory / "gate"),
        "Name": name,
    }
    flow = atom.platform.prepare(f"{atom.url}/fs/Places", [(action, inputs)])
    (call,) = flow.calls.values()
    flow.tenant_id = call.request["tenantId"] = tenant
    return flow, call


def ask(atom, directory, tenant, name, action):
    """Ask as such a flow, and have it taken."""
    assert atom.platform.ask(*prepared(atom, directory, tenant, name, action))


@pytest.mark.parametrize(
    ("action", "concurrency"), [("Note", 1), ("Note", 2), ("Note alone", 2), ("Note alone", 1)]
)
def test_a_flood_of_one_tenant_does_not_keep_another_waiting(atom, tmp_path, action, concurrency):
    start(atom, concurrency)
    for number in range(FLOOD):
        ask(atom, tmp_path, MANY, f"many {number}", action)
    ask(atom, tmp_path, ONE, "one", action)
    noted = tmp_path / "noted"
    assert not noted.exists()  # what runs waits at the gate
    (tmp_path / "gate").touch()
    until(
        lambda: noted.exists() and len(noted.read_text().splitlines()) == FLOOD + 1,
        "all of them to run",
        120,
    )
    # Before it are those that ran, the one of its tenant that was out, and, where a line is
    # to be joined, the next one of that.
    assert noted.read_text().splitlines().index("one") <= concurrency + 2


def test_a_tenant_that_asks_too_often_gets_429(atom, tmp_path):
    atom.environment["ATOM_TENANT_REQUESTS_PER_SECOND"] = "0.001"
    atom.start("listener", "listener")
    atom.wait_for_listener(atom.url, "/health")
    ask(atom, tmp_path, MANY, "taken", "Note")
    flow, call = prepared(atom, tmp_path, MANY, "refused", "Note")
    assert not atom.platform.ask(flow, call)
    (failed,) = flow.events_of("failed")
    assert failed.details["status"] == 429
    assert "ATOM_TENANT_REQUESTS_PER_SECOND" in failed.details["message"]
    (reply,) = atom.platform.resend(flow)
    assert reply.status == 429
    assert 900 < int(reply.headers["Retry-After"]) <= 1000
    assert orjson.loads(reply.body)["kind"] == "service"
    ask(atom, tmp_path, ONE, "of another", "Note")
    assert len(atom.store.find(10).executions) == 2


@pytest.mark.timeout(300)
def test_max_concurrency_holds_whatever_dies(atom, tmp_path):
    ordeal = Ordeal(atom, tmp_path, starts=400)
    ordeal.run()
    assert ordeal.exceeded == 0
    assert ordeal.starts >= 400
    assert ordeal.kills
