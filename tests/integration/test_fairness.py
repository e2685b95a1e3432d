"""A flood of one tenant, and what max_concurrency promises, with real workers."""

import orjson
import pytest
from redis import Redis

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
    """Start a listener, and one worker for processes."""
    atom.start("listener", "listener")
    atom.start("worker", "worker", f"--queues={PROCESSES}", f"--concurrency={concurrency}")
    atom.start("recovery", "recovery")
    for queue in (PROCESSES, RECOVERY):
        until(lambda queue=queue: atom.store.present(queue), f"a worker for {queue}", 60)
    atom.wait_for_listener(atom.url, "/health")


def gate(directory, name):
    return directory / f"gate of {name}"


def prepared(atom, directory, tenant, name, action):
    """Return a flow of that tenant and its call."""
    inputs = {
        "File": str(directory / "started"),
        "Gate": str(gate(directory, name)),
        "Name": name,
    }
    flow = atom.platform.prepare(f"{atom.url}/fs/Places", [(action, inputs)])
    (call,) = flow.calls.values()
    flow.tenant_id = call.request["tenantId"] = tenant
    return flow, call


def ask(atom, directory, tenant, name, action):
    """Send a request of that tenant, which is accepted."""
    assert atom.platform.ask(*prepared(atom, directory, tenant, name, action))


@pytest.mark.parametrize(
    ("action", "concurrency"), [("Note", 1), ("Note", 2), ("Note alone", 2), ("Note alone", 1)]
)
def test_a_flood_of_one_tenant_does_not_keep_another_waiting(atom, tmp_path, action, concurrency):
    """Executions end one by one, so that the order of the starts does not depend on the machine."""
    del atom.environment["ATOM_REPUBLISH_SECONDS"]  # no message is published twice
    start(atom, concurrency)
    for number in range(FLOOD):
        ask(atom, tmp_path, MANY, f"many {number}", action)
    ask(atom, tmp_path, ONE, "one", action)
    running = 1 if action == "Note alone" else concurrency
    if running < concurrency:  # the free slot takes all other messages, and none of them may run
        until(
            lambda: atom.store.overview().held_back == {f"Places.{action}": FLOOD},
            "all others to wait for the one that runs",
            60,
        )
    else:
        with Redis.from_url(atom.redis.url) as broker:
            until(lambda: broker.llen(PROCESSES) == 2, "a message of each tenant in the queue", 60)
    log = tmp_path / "started"

    def started():
        return log.read_text().splitlines() if log.exists() else []

    for ended in range(FLOOD + 1):
        expected = min(ended + running, FLOOD + 1)
        until(lambda expected=expected: len(started()) >= expected, f"start {expected}", 60)
        assert len(started()) == expected
        gate(tmp_path, started()[ended]).touch()
    # Before it are those that ran and, of its tenant's window, the one that was published.
    assert started().index("one") <= concurrency + 1


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
