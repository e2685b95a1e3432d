"""The wait of `atom up` for its roles."""

from types import SimpleNamespace

import pytest

from atom.cli import up
from atom.settings import Settings


class Store:
    """A store in which the queues announce themselves one after the other."""

    def __init__(self, host, order):
        self._host, self._order = host, list(order)
        self.looks = 0

    def present(self, queue):
        self.looks += 1
        is_present = queue in self._order[: self.looks // 100]
        return [f"{queue}-1@{self._host}"] if is_present else []


@pytest.fixture
def clock(monkeypatch):
    """A clock that is a second further at each look, without any real waiting."""
    now = [0.0]

    def monotonic():
        now[0] += 1
        return now[0]

    monkeypatch.setattr(up.time, "monotonic", monotonic)
    monkeypatch.setattr(up.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(up, "_answers", lambda transport, url: True)


def test_slow_roles_are_waited_for_and_named(clock, monkeypatch, capsys):
    monkeypatch.setattr(up.socket, "gethostname", lambda: "host")
    supervisor = SimpleNamespace(stopping=False, check_alive=lambda: None)
    store = Store("host", ["processes", "callbacks", "recovery"])
    queues = {"processes", "callbacks", "recovery"}
    assert up._wait_until_ready(Settings(), store, supervisor, queues)
    reports = capsys.readouterr().err.splitlines()
    assert len(reports) >= 2
    assert all("still waiting for: " in report for report in reports)
    assert reports[-1].endswith("still waiting for: recovery")


def test_signal_ends_the_wait(clock):
    supervisor = SimpleNamespace(stopping=False)

    def stop():
        supervisor.stopping = True

    supervisor.check_alive = stop
    assert not up._wait_until_ready(Settings(), Store("other", []), supervisor, {"processes"})
