"""A write for a caller who has stopped waiting: done before, or never."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from atom.cli.embedded_redis import EmbeddedRedis
from atom.errors import StoreUnanswered, StoreUnavailable, Unavailable
from atom.settings import Settings
from atom.store import RedisStore, not_accepted
from atom.store.timely import _Reading
from atom.suspension import Signalled
from tests.contract.test_ending_and_restarting import running
from tests.support.executions import new_execution
from tests.support.waiting import until
from tests.support.wire import Wire

SECONDS = 1.8  # for which a caller of these tests waits


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("stalling")) as server:
        yield server


@pytest.fixture
def raw(server) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def wire(server) -> Iterator[Wire]:
    with Wire(server.url) as wire:
        yield wire


@pytest.fixture
def store(wire, raw) -> Iterator[RedisStore]:
    """A store behind the wire, whose clock of Redis is known."""
    store = RedisStore(Settings(redis_url=wire.url), within_seconds=SECONDS)
    store.accept(new_execution())
    yield store
    store.close()


@contextmanager
def stalled(server: EmbeddedRedis) -> Iterator[None]:
    """Have Redis stand still."""
    server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


class Accepting:
    """Accepting a request of this token ('' for none)."""

    def __init__(self, store: RedisStore, token: str) -> None:
        self._store, self._new = store, new_execution(token=token)

    def write(self) -> Any:
        return self._store.accept(self._new)

    def is_written(self) -> bool:
        return self._store.get(self._new.id) is not None


class Signalling:
    """Giving a signal, from outside (with its token) or by an operator."""

    def __init__(self, store: RedisStore, *, is_operator: bool) -> None:
        self._store, self._claim = store, running(store)
        token = store.signal_token(self._claim, "approval")
        self._token = None if is_operator else token

    def write(self) -> Any:
        return self._store.signal(self._claim.id, "approval", '"yes"', self._token)

    def is_written(self) -> bool:
        return self._store.signal_event(self._claim, "approval") is not None


@pytest.fixture(params=["message", "data", "signal", "operator"])
def caller(request, store) -> Any:
    """A write on behalf of a caller."""
    makers = {
        "message": lambda: Accepting(store, "token"),
        "data": lambda: Accepting(store, ""),
        "signal": lambda: Signalling(store, is_operator=False),
        "operator": lambda: Signalling(store, is_operator=True),
    }
    return makers[request.param]()


def test_a_write_that_comes_late_is_not_done(store, raw, wire, caller):
    """The network held it back until its caller had gone."""
    wire.hold()
    with pytest.raises(StoreUnavailable):
        caller.write()
    wire.let_flow()
    until(lambda: clients(raw) == 1, "the end of the connections of late commands")
    assert not caller.is_written()


def test_redis_stands_still_while_a_write_is_under_way(server, store, raw, caller):
    with stalled(server), pytest.raises(StoreUnavailable):
        caller.write()
    until(lambda: clients(raw) == 1, "the end of the connections of late commands")
    assert not caller.is_written()
    caller.write()
    assert caller.is_written()


def test_nothing_is_sent_to_a_redis_that_has_been_still_for_longer(server, store, raw):
    time.sleep(1.1)  # the clock of Redis is not known any more
    accepting = Accepting(store, "")
    with stalled(server), pytest.raises(StoreUnavailable) as raised:
        accepting.write()
    assert not isinstance(raised.value, StoreUnanswered)  # so nothing was started, for certain
    assert not accepting.is_written()


@pytest.mark.parametrize("losses", [1, 2, 3])
def test_a_lost_reply_is_asked_for_again(store, raw, wire, losses):
    new = new_execution()
    wire.lose_reply_to(new.id.encode(), losses)
    assert store.accept(new)[:2] == (new.id, True)
    assert wire.losses == losses
    assert raw.zcard("atom:history") == 2


@pytest.mark.parametrize("token", ["token", ""])
def test_a_write_whose_reply_stays_lost_is_not_denied(store, raw, wire, token):
    """It was done before; whoever sends the same again is answered like the first."""
    new = new_execution(token=token)
    wire.lose_reply_to(new.id.encode(), then_down=True)
    with pytest.raises(StoreUnanswered) as raised:
        store.accept(new)
    wire.go_down(is_down=False)
    assert store.get(new.id) is not None
    assert store.accept(new)[:2] == (new.id, False)
    answer = str(not_accepted(new, raised.value))
    assert "nothing was started" not in answer
    assert ("Send the same request again" if token else new.id) in answer


def test_a_write_that_was_not_sent_is_denied(wire, raw):
    store = RedisStore(Settings(redis_url=wire.url), within_seconds=SECONDS)
    wire.go_down()
    with pytest.raises(StoreUnavailable) as raised:
        store.accept(new_execution())
    store.close()
    assert not isinstance(raised.value, StoreUnanswered)
    answer = not_accepted(new_execution(), raised.value)
    assert isinstance(answer, Unavailable)
    assert "nothing was started" in str(answer)


@pytest.mark.parametrize("refusal", ["full", "replica"])
def test_a_write_that_redis_refuses_is_denied(store, raw, refusal):
    if refusal == "full":
        raw.config_set("maxmemory", "1")
    else:
        raw.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreUnavailable) as raised:
            store.accept(new_execution())
    finally:
        raw.config_set("maxmemory", "0")
        raw.replicaof("NO", "ONE")
    assert not isinstance(raised.value, StoreUnanswered)


@pytest.mark.parametrize("step_ms", [-3_600_000, -2_000, 2_000, 3_600_000])
def test_a_clock_that_is_set_is_noticed(store, caller, step_ms):
    """By this much the clock of Redis is off what the store knows of it."""
    readings = store._scripts.accept._timely._readings
    for connection, reading in list(readings.items()):
        readings[connection] = _Reading(reading.server_ms - step_ms, time.monotonic())
    began = time.monotonic()
    caller.write()
    assert time.monotonic() - began < SECONDS
    assert caller.is_written()


def test_a_server_that_takes_over_has_a_clock_of_its_own(store, raw, wire):
    readings = store._scripts.accept._timely._readings
    (connection,) = readings
    readings[connection] = _Reading(0, time.monotonic())
    connection.disconnect()
    connection.connect()
    assert not readings


def test_the_same_signal_may_be_given_again_after_its_time(store, raw, wire):
    """As in a repeat whose first try was done."""
    signalling = Signalling(store, is_operator=True)
    wire.lose_reply_to(b"approval")
    assert signalling.write() is Signalled.KEPT
    assert wire.losses == 1


def test_a_reply_that_comes_in_the_last_moment_counts(server, store, raw):
    new = new_execution()
    timer = threading.Timer(SECONDS / 2, server.process.send_signal, [signal.SIGCONT])
    with stalled(server):
        timer.start()
        assert store.accept(new)[:2] == (new.id, True)
    timer.join()


def clients(raw: redis.Redis) -> int:
    return len(raw.client_list(_type="normal"))
