"""Delivering callbacks: what is recorded of each try, and what is not lost where a try breaks."""

import io
import logging
import socket
from dataclasses import replace
from unittest.mock import ANY

import orjson
import pytest
import redis
from structlog.contextvars import bound_contextvars

from atom.errors import StoreUnavailable
from atom.execution import delivery as delivery_module
from atom.logs import configure_logging
from atom.names import execution_key
from atom.publisher import Publisher
from atom.records import CallbackState, State
from atom.store import RedisStore
from atom.store.encryption import new_key
from tests.support.executions import new_execution
from tests.support.hostile_peer import HostilePeer, Script
from tests.unit.execution.conftest import TOKEN, USER


@pytest.fixture
def due_now(settings):
    """As if the time for the next try had come."""
    with redis.Redis.from_url(settings.redis_url) as client:
        yield lambda execution_id, **fields: client.hset(
            execution_key(execution_id), mapping={"callback_due_at": 1, **fields}
        )


@pytest.fixture
def printed():
    """What the log of a role says."""
    root, ours = logging.getLogger(), logging.getLogger("atom")
    others, level = root.handlers[:], root.level
    configure_logging("INFO", "text")
    handler, _ = root.handlers
    root.handlers[:] = others
    handler.setStream(io.StringIO())
    ours.addHandler(handler)
    yield lambda: handler.stream.getvalue()
    ours.removeHandler(handler)
    root.setLevel(level)


def last_try(store, execution_id):
    execution = store.get(execution_id)
    return execution.callback_state, execution.callback_attempts[-1]


def test_the_flow_gets_the_outcome_and_who_runs_it(store, flow, make_deliverer, finished):
    execution_id = finished()
    assert make_deliverer().deliver(execution_id) == "delivered"
    ((path, headers, body),) = flow.requests
    assert path == "/api/run/1/response"
    assert orjson.loads(body) == {"token": ANY, "invokeType": "FORWARD"}
    assert TOKEN.encode() in body
    assert (headers["ManyWhoTenant"], headers["Authorization"]) == ("tenant", USER)
    state, tried = last_try(store, execution_id)
    assert (state, tried.kind) == (CallbackState.DELIVERED, "outcome")
    assert (tried.status, tried.answer) == (200, "SUCCESS")
    assert make_deliverer().deliver(execution_id) == "nothing to do"


def test_a_repeated_answer_does_not_deliver_the_next_callback(store, make_deliverer, finished):
    success = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"SUCCESS"'
    first_hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    def script(_body, number):
        if number:
            return Script(answer=[first_hint], is_kept=False)
        return Script(answer=[first_hint, success], late=[first_hint, success])

    peer = HostilePeer(script)
    deliverer = make_deliverer()
    try:
        taken = finished(peer.url)
        assert deliverer.deliver(taken) == "delivered"
        not_taken = finished(peer.url)
        assert deliverer.deliver(not_taken) == "retry"
    finally:
        peer.close()
    assert last_try(store, taken)[0] == CallbackState.DELIVERED
    state, tried = last_try(store, not_taken)
    assert (state, tried.status) == (CallbackState.DUE, None)


@pytest.mark.parametrize(
    ("answer", "is_kept"), [("SUCCESS", False), ("TOKEN_COMPLETED", False), ("WAIT", True)]
)
def test_what_was_taken_without_a_move_can_be_replayed(
    store, flow, make_deliverer, finished, answer, is_kept
):
    execution_id = finished()
    flow.answers(orjson.dumps(answer))
    assert make_deliverer().deliver(execution_id) == "delivered"
    assert store.replay(execution_id).is_due is is_kept


def test_busy_and_trouble_come_again(store, due_now, flow, make_deliverer, finished):
    execution_id = finished()
    deliverer = make_deliverer()
    for body, status in ((b"BUSY", "200 OK"), (b"", "503 Away"), (b"", "429 Slowly")):
        flow.answers(body, status=status)
        assert deliverer.deliver(execution_id) == "retry"
        assert deliverer.deliver(execution_id) == "nothing to do"  # it is not due yet
        due_now(execution_id)
    flow.answers(b'"SUCCESS"')
    assert deliverer.deliver(execution_id) == "delivered"
    tries = [each.summary for each in store.get(execution_id).callback_attempts]
    assert tries == ["200 BUSY", "503", "429", "200 SUCCESS"]


def test_who_is_woken_for_one_sends_them_all(store, flow, make_deliverer, finished):
    ids = [finished() for _ in range(20)]
    assert make_deliverer().deliver(ids[3]) == "delivered 20"
    assert {store.get(each).callback_state for each in ids} == {CallbackState.DELIVERED}
    assert len(flow.requests) == 20


def test_where_one_is_not_enough_another_one_is_woken(
    store, settings, flow, make_deliverer, finished
):
    for _ in range(3):
        finished()
    publisher = Publisher(settings.broker)
    make_deliverer().deliver(finished())
    # By who found several due, and did not know yet how quickly they go.
    assert publisher.waiting("callbacks") == 1


def test_after_a_while_the_rest_is_for_the_next_one(
    store, settings, make_deliverer, finished, monkeypatch
):
    monkeypatch.setattr(delivery_module, "_LONGEST_SECONDS", -1.0)
    first, second = finished(), finished()
    assert make_deliverer().deliver(first) == "delivered"
    assert store.get(second).callback_state is CallbackState.DUE
    assert Publisher(settings.broker).waiting("callbacks") == 1
    assert make_deliverer().deliver(first) == "delivered"  # the second
    assert store.get(second).callback_state is CallbackState.DELIVERED


def test_one_that_cannot_be_read_is_told_of_by_its_own_id(
    store, settings, make_deliverer, finished, printed
):
    other = RedisStore(replace(settings, secret_key=(new_key(),)))
    sealed = new_execution(token=TOKEN)
    other.accept(sealed)
    other.finish(other.claim(sealed.id, "w", "1"), State.COMPLETED, b"{}", "")
    other.close()
    woken = finished()
    with bound_contextvars(execution_id=woken):
        assert make_deliverer().deliver(woken) == "delivered 1, unreadable 1"
    (line,) = (each for each in printed().splitlines() if "has the key" in each)
    assert f"execution_id={sealed.id}" in line
    assert woken not in line


def test_past_the_deadline_it_is_parked(store, due_now, flow, make_deliverer, finished):
    execution_id = finished()
    flow.answers(b"", status="503 Away")
    due_now(execution_id, callback_due_since=1)
    assert make_deliverer().deliver(execution_id) == "parked"
    assert last_try(store, execution_id)[0] is CallbackState.PARKED


def test_a_name_that_leads_inside_is_parked(store, flow, make_deliverer, finished, monkeypatch):
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", flow.port))]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **named: (
            inside if host == "flow.example.org" else real(host, *more, **named)
        ),
    )
    execution_id = finished(f"https://flow.example.org:{flow.port}/api/run/1/response")
    assert make_deliverer(["flow.example.org"]).deliver(execution_id) == "parked"
    state, tried = last_try(store, execution_id)
    assert state is CallbackState.PARKED
    assert tried.status is None
    assert tried.answer == (
        "the host name leads to an address that is not allowed: 127.0.0.1 (loopback)"
    )
    assert flow.visits == []


def test_a_host_that_is_not_allowed_any_more_is_parked(store, flow, make_deliverer, finished):
    execution_id = finished()
    assert make_deliverer(["flow.example.org"]).deliver(execution_id) == "parked"
    assert "ATOM_CALLBACK_HOSTS" in last_try(store, execution_id)[1].answer
    assert flow.visits == []
    assert store.replay(execution_id).is_due
    assert make_deliverer().deliver(execution_id) == "delivered"


def test_an_unknown_name_may_be_known_later(store, make_deliverer, finished, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    execution_id = finished("https://flow.example.org/api/run/1/response")
    with monkeypatch.context() as patched:
        deliverer = make_deliverer(["flow.example.org"])
        # Redis is reached by its address, over connections that are open already.
        store.ping()
        patched.setattr(socket, "getaddrinfo", unknown)
        assert deliverer.deliver(execution_id) == "retry"
    state, tried = last_try(store, execution_id)
    assert (state, tried.answer) == (CallbackState.DUE, "the host name is not known")


def test_an_answer_that_echoes_the_request_leaks_nothing(
    store, flow, make_deliverer, finished, printed
):
    execution_id = finished()

    def echo(wfile):
        token = orjson.loads(flow.requests[-1][2])["token"]
        wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        wfile.write(f"you said {token.upper()} as {USER}".encode())

    flow.answer = echo
    assert make_deliverer().deliver(execution_id) == "retry"
    said = printed() + repr(store.get(execution_id))
    assert "you said" in said
    assert "canary" not in said.lower()


def test_a_fault_of_ours_is_told_and_tried_again(
    store, due_now, flow, make_deliverer, finished, printed, monkeypatch
):
    execution_id = finished()

    def broken(response, token):
        raise RuntimeError(f"about {token}")

    with monkeypatch.context() as patched:
        patched.setattr(delivery_module, "unsealed", broken)
        assert make_deliverer().deliver(execution_id) == "retry"
    said = printed()
    assert f"execution_id={execution_id}" in said
    assert "Traceback" in said
    assert "in broken" in said
    assert "canary" not in said
    state, tried = last_try(store, execution_id)
    assert state is CallbackState.DUE
    assert (tried.status, tried.answer) == (
        None,
        "nothing came of it: RuntimeError here, see the log",
    )
    due_now(execution_id)
    assert make_deliverer().deliver(execution_id) == "delivered"
    assert len(flow.requests) == 1


def test_faults_of_ours_open_no_circuit(
    store, due_now, flow, make_deliverer, finished, monkeypatch
):
    ids = [finished() for _ in range(8)]
    deliverer = make_deliverer()
    with monkeypatch.context() as patched:
        patched.setattr(delivery_module, "unsealed", None)
        assert deliverer.deliver(ids[0]) == "retry 8"
    for each in ids:
        due_now(each)
        assert deliverer.deliver(each) == "delivered"


class ForgetfulStore:
    """A store that is away whenever a delivery is to be recorded, for so many times."""

    def __init__(self, store, times):
        self._store, self.times = store, times

    def __getattr__(self, name):
        return getattr(self._store, name)

    def record_delivery(self, *arguments, **options):
        if self.times:
            self.times -= 1
            raise StoreUnavailable("Redis does not answer")
        return self._store.record_delivery(*arguments, **options)


def test_an_answer_is_recorded_as_soon_as_the_store_is_back(store, flow, make_deliverer, finished):
    execution_id = finished()
    forgetful = ForgetfulStore(store, 2)
    assert make_deliverer(store=forgetful).deliver(execution_id) == "delivered"
    assert last_try(store, execution_id)[0] is CallbackState.DELIVERED
    assert len(flow.requests) == 1


def test_where_the_store_stays_away_the_hold_ends_by_itself(
    store, due_now, flow, make_deliverer, finished, monkeypatch, printed
):
    monkeypatch.setattr(delivery_module, "_RECORD_AGAIN_SECONDS", (0.0, 0.0, 0.0))
    execution_id = finished()
    forgetful = ForgetfulStore(store, 4)
    with pytest.raises(StoreUnavailable):
        make_deliverer(store=forgetful).deliver(execution_id)
    assert f"execution_id={execution_id}" in (said := printed())
    assert "200 SUCCESS" in said
    assert store.get(execution_id).callback_state is CallbackState.DELIVERING
    assert make_deliverer().deliver(execution_id) == "nothing to do"
    due_now(execution_id)
    flow.answers(b'"TOKEN_COMPLETED"')
    assert make_deliverer().deliver(execution_id) == "delivered"
    assert len(flow.requests) == 2
