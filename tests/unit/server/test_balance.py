"""New connections are shared among the processes of a server."""

from itertools import count
from types import SimpleNamespace

import pytest

from atom.server import balance
from atom.server.balance import Balance

LATER = count(1_000, 1_000)


@pytest.fixture
def clock(monkeypatch):
    """A clock of the test; no count is as recent as its time."""
    clock = SimpleNamespace(now=balance.time.monotonic() + next(LATER))
    monkeypatch.setattr(balance, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.mark.usefixtures("clock")
def test_single_process_accepts_all():
    assert Balance(1).accepts(999)


@pytest.mark.usefixtures("clock")
def test_process_leaves_connections_to_one_with_fewer():
    busy, idle = Balance(1), Balance(2)
    assert busy.accepts(5)
    assert idle.accepts(0)
    assert not busy.accepts(5)
    assert idle.accepts(2)
    assert busy.accepts(5)


@pytest.mark.usefixtures("clock")
def test_difference_of_a_quarter_is_allowed():
    first, second = Balance(1), Balance(2)
    first.accepts(100)
    assert second.accepts(124)
    assert not second.accepts(125)


def test_dead_process_is_ignored(clock):
    busy, dead = Balance(1), Balance(2)
    dead.accepts(0)
    assert not busy.accepts(5)
    clock.now += 3.5
    assert busy.accepts(5)
