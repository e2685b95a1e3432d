"""The Redis of an Atom dies for good, and Sentinel names another: what was accepted ends."""

from collections.abc import Iterator

import pytest

from atom.names import CALLBACKS, PROCESSES, RECOVERY
from atom.sandbox import FlowStatus
from atom.settings import Settings
from atom.store import RedisStore
from tests.support import waits
from tests.support.roles import SERVICES, TestAtom
from tests.support.sentinel import Sentinels
from tests.support.waiting import until


@pytest.fixture
def atom(tmp_path) -> Iterator[TestAtom]:
    """Store and broker are what Sentinel says."""
    atom = TestAtom(tmp_path, service=f"{SERVICES},tests.support.waits", ATOM_REPUBLISH_SECONDS="3")
    with Sentinels(tmp_path, atom.redis) as atom.sentinels:
        atom.store.close()
        atom.store = RedisStore(Settings(redis_url=atom.sentinels.url))
        atom.environment["ATOM_REDIS_URL"] = atom.sentinels.url
        try:
            atom.start_all()
            yield atom
        finally:
            atom.close()


def assert_resumed_once(flow):
    assert flow.wait_over(120) is FlowStatus.DONE, flow.events
    assert [call.moves for call in flow.calls.values()] == [1]


@pytest.mark.timeout(400)
def test_what_was_accepted_ends_after_a_failover(atom, tmp_path):
    assert_resumed_once(atom.run("Echo", {"Text": "x"}))
    running = atom.run("Until told", {"Directory": str(tmp_path)}, service="Waits")
    until(lambda: len(waits.lines(tmp_path)) == 2, "its second step", 60)
    waiting = [atom.run("Progress") for _ in range(6)]
    atom.sentinels.fail_over()
    (tmp_path / "go").touch()
    for flow in [running, *waiting]:
        assert_resumed_once(flow)
    atom.sentinels.kill_one()
    atom.wait_for_listener(atom.url)
    assert_resumed_once(atom.run("Echo", {"Text": "x"}))
    ended = {name: each.poll() for name, each in atom.processes.items() if each.poll() is not None}
    assert ended == {}
    # New connections find it, too, although the first Sentinel is dead.
    atom.start("another", "worker", f"--queues={PROCESSES},{CALLBACKS}", "--concurrency=1")
    until(lambda: len(atom.store.present(PROCESSES)) == 2, "another worker", 60)
    assert atom.store.present(RECOVERY)
