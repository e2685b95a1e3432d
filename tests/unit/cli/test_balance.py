"""Connections of the listener: shared among its processes, kept by the thread that answered."""

import queue
import socket
from itertools import count
from types import SimpleNamespace

import pytest

from atom.cli import balance
from atom.cli.balance import Worker

LATER = count(1_000, 1_000)


@pytest.fixture
def clock(monkeypatch):
    """A time of our own; nobody wrote a count at it yet."""
    clock = SimpleNamespace(now=balance.time.monotonic() + next(LATER))
    monkeypatch.setattr(balance, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def worker(age, connections, most=1000):
    made = Worker.__new__(Worker)
    made.age, made.nr_conns, made.worker_connections = age, connections, most
    return made


def accepts(each):
    """As gunicorn asks at each turn of its loop."""
    return each.nr_conns < each.worker_connections


def test_a_single_process_takes_what_it_may(clock):
    assert accepts(worker(1, 999))
    assert not accepts(worker(1, 1000))


def test_who_has_more_leaves_them_to_who_has_fewer(clock):
    busy, idle = worker(1, 5), worker(2, 0)
    assert accepts(idle)
    assert not accepts(busy)
    idle.nr_conns = 2
    assert accepts(idle)
    assert accepts(busy)


def test_of_many_a_quarter_more_is_nothing(clock):
    assert accepts(worker(1, 100))
    assert accepts(worker(2, 124))
    assert not accepts(worker(2, 125))


def test_the_dead_are_waited_for_by_nobody(clock):
    busy, dead = worker(1, 5), worker(2, 0)
    assert accepts(dead)
    assert not accepts(busy)
    clock.now += 3.5
    assert accepts(busy)


def test_a_thread_goes_on_with_its_connection_only_while_nobody_else_needs_it():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = worker(1, 1)
        made.alive, made.tpool = True, SimpleNamespace(_work_queue=queue.SimpleQueue())
        connection = SimpleNamespace(sock=ours, is_http2=False)
        assert not made._has_next(connection)  # nothing has come
        theirs.send(b"G")
        assert made._has_next(connection)
        made.tpool._work_queue.put("another request")
        assert not made._has_next(connection)
        made.tpool._work_queue.get()
        made.alive = False
        assert not made._has_next(connection)
