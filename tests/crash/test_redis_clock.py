"""The clock of Redis is set back or forward under a whole Atom, and nothing waits for it."""

from collections.abc import Iterator

import pytest
from redis import Redis

from atom.names import CLOCK, PROCESSES
from atom.sandbox import Answer, FlowStatus
from tests.support import redis_clock, waits
from tests.support.operating import command, resumed
from tests.support.roles import ROOT, SERVICES, TestAtom
from tests.support.waiting import until

HOUR = 3600


@pytest.fixture
def atom(tmp_path) -> Iterator[TestAtom]:
    """An Atom whose roles read a clock of Redis that a test can set."""
    atom = TestAtom(
        tmp_path,
        service=f"{SERVICES},tests.support.waits",
        PYTHONPATH=f"{ROOT / 'tests' / 'support' / 'skewed'}:{ROOT}",
        TESTS_REDIS_CLOCK="1",
        ATOM_REPUBLISH_SECONDS="3",
    )
    try:
        atom.start_all()
        with Redis.from_url(atom.redis.url) as client:
            until(lambda: client.exists(CLOCK), "recovery to have seen the clock", 60)
        yield atom
    finally:
        atom.close()


def set_clock(atom, seconds):
    with Redis.from_url(atom.redis.url) as client:
        redis_clock.set_clock(client, seconds)


def test_lost_work_goes_on_after_a_step_back(atom, tmp_path):
    running = atom.run("Until told", {"Directory": str(tmp_path)}, service="Waits")
    until(lambda: len(waits.lines(tmp_path)) == 2, "its second step", 60)
    asked = {"Seconds": 5, "File": str(tmp_path / "asleep")}
    asleep = atom.run("Sleeps", asked, service="Lasting")
    atom.platform.script(*[Answer("BUSY")] * 3)
    busy = atom.run("Echo", {"Text": "x"})
    until(lambda: busy.events_of("callback"), "the first BUSY", 60)
    atom.kill("worker")
    set_clock(atom, -HOUR)
    fresh = atom.run("Nothing")
    (tmp_path / "go").touch()
    atom.start("another", "worker", f"--queues={PROCESSES}", "--concurrency=2")
    assert resumed(running)[0] == {"Text": "attempt 2"}
    for flow in (asleep, busy, fresh):
        resumed(flow)
    assert b"The clock of Redis was set back by 3" in atom.log("recovery")
    assert "The clock of Redis was set back by 3" in command(atom, "status", code=1)


def test_live_lease_outlives_a_step_forward(atom, tmp_path):
    running = atom.run("Until told", {"Directory": str(tmp_path)}, service="Waits")
    until(lambda: len(waits.lines(tmp_path)) == 2, "its second step", 60)
    set_clock(atom, HOUR // 6)  # less than its timeout
    until(lambda: b"set forward by 600 s" in atom.log("recovery"), "recovery to notice", 60)
    assert atom.run("Nothing").wait_over(120) is FlowStatus.DONE
    (tmp_path / "go").touch()
    assert resumed(running)[0] == {"Text": "attempt 1"}
    assert "set forward by 600 s" in command(atom, "status", code=1)
