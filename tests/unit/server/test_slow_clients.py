"""Slow clients are cut off in time and keep nobody else from being answered."""

import socket
import ssl
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest
import trustme

from atom.server.limits import Limits
from atom.server.traffic import Reason
from tests.support.http_server import PATIENT, QUICK, is_closed, read_reply, serving
from tests.support.waiting import until

MANY = 60  # many times the threads
OPEN = b"GET /open HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nX"
HALF_BODY = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"
HALF_CHUNK = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
LARGE = b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n"


@pytest.fixture
def clients():
    with ExitStack() as stack:
        yield stack


def crowd(clients, served, sent, number=MANY):
    sockets = [clients.enter_context(served.connect()) for _ in range(number)]
    for sock in sockets:
        sock.sendall(sent)
    return sockets


def check_others_are_answered(served):
    for _ in range(10):
        with served.connect() as sock:
            sock.sendall(OPEN)
            assert read_reply(sock).body == b"ok"


@pytest.mark.parametrize(
    "sent",
    [b"", HALF_HEAD, HALF_BODY, HALF_CHUNK, LARGE + b"x" * 100, LARGE + b"x" * 2_000_000],
    ids=["nothing", "half head", "half body", "half chunk", "large body", "larger body"],
)
def test_clients_that_send_a_part_hold_no_thread(app, clients, sent):
    with serving(app, PATIENT) as served:
        sockets = crowd(clients, served, sent)
        check_others_are_answered(served)
        assert not any(is_closed(sock, 0.01) for sock in sockets[:3])


def test_begun_tls_handshakes_hold_no_thread(app, clients):
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    hello = b"\x16\x03\x01\x02\x00\x01\x00"
    with serving(app, PATIENT, tls=server) as served:
        crowd(clients, served, hello)
        crowd(clients, served, b"")
        for _ in range(10):
            with client.wrap_socket(served.connect(), server_hostname="localhost") as sock:
                sock.sendall(OPEN)
                assert read_reply(sock).body == b"ok"
    with serving(app, QUICK, tls=server) as served:
        sockets = crowd(clients, served, hello)
        assert all(is_closed(sock) for sock in sockets)
        until(lambda: served.traffic.closed()[Reason.HANDSHAKE] == MANY, "they are counted")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (HALF_HEAD, Reason.HEAD),
        (HALF_BODY, Reason.BODY),
        (HALF_CHUNK, Reason.BODY),
        (LARGE + b"x" * 100, Reason.BODY),
    ],
)
def test_client_that_stops_is_answered_408(app, clients, sent, reason):
    with serving(app, QUICK) as served:
        for sock in crowd(clients, served, sent):
            reply = read_reply(sock)
            assert reply.status == 408
            assert reply.header("Connection") == "close"
            assert is_closed(sock)
        until(lambda: served.traffic.closed()[reason] == MANY, "they are counted")


def test_large_body_that_stops_is_answered_408(app, clients):
    limits = replace(QUICK, threads=8)
    with serving(app, limits) as served:
        for sock in crowd(clients, served, LARGE + b"x" * 2_000_000, limits.upload_threads):
            assert read_reply(sock).status == 408
        until(lambda: served.traffic.closed()[Reason.BODY] == 4, "they are counted")


def test_large_bodies_beyond_the_threads_for_them_are_answered_503(app, clients):
    limits = replace(PATIENT, body_seconds=0.5)
    with serving(app, limits) as served:
        steady = [clients.enter_context(served.connect()) for _ in range(limits.upload_threads)]
        for sock in steady:
            sock.sendall(LARGE + b"x" * 1_500_000)
        until(lambda: len(app.calls) == 2 * len(steady), "threads read them")
        with served.connect() as excess:
            excess.sendall(LARGE + b"x" * 1_500_000)
            for _ in range(30):
                for sock in steady:
                    sock.sendall(b"x" * 20_000)
                time.sleep(0.05)
            assert read_reply(excess).status == 503
        for sock in steady:
            sock.sendall(b"x" * 1_900_000)
            assert read_reply(sock).body == b"4000000"


@pytest.mark.parametrize("byte_seconds", [0.05])
@pytest.mark.parametrize("start", [b"", HALF_HEAD, HALF_BODY], ids=["request", "head", "body"])
def test_dripping_client_is_cut_off(app, start, byte_seconds):
    with serving(app, QUICK) as served, served.connect() as sock:
        sock.sendall(start)
        sock.settimeout(byte_seconds)
        reply = None
        began = time.monotonic()
        while reply is None and time.monotonic() < began + 30:
            sock.sendall(b"x")
            try:
                reply = read_reply(sock)
            except TimeoutError:
                continue
        assert reply.status == 408


def test_slow_clients_that_progress_are_served(app, clients):
    """More of them than threads, at the same time."""
    size, pieces = 300_000, 30
    head = f"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
    with serving(app, replace(PATIENT, threads=2)) as served:
        sockets = crowd(clients, served, head, 40)
        for _ in range(pieces):
            for sock in sockets:
                sock.sendall(b"x" * (size // pieces))
            time.sleep(0.02)
        for sock in sockets:
            assert read_reply(sock).body == b"%d" % size


def test_slow_upload_that_progresses_is_served(app):
    """It takes several times as long as its client may pause."""
    size, pieces = 3_000_000, 40
    head = f"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
    limits = replace(PATIENT, body_seconds=2)
    with serving(app, limits) as served, served.connect() as sock:
        sock.sendall(head)
        for _ in range(pieces):
            sock.sendall(b"x" * (size // pieces))
            time.sleep(0.1)
        assert read_reply(sock).body == b"%d" % size


def test_idle_connection_is_closed_and_counted(app, clients):
    with serving(app, QUICK) as served:
        sockets = crowd(clients, served, OPEN)
        for sock in sockets:
            assert read_reply(sock).body == b"ok"
        assert all(is_closed(sock) for sock in sockets)
        until(lambda: served.traffic.closed()[Reason.IDLE] == MANY, "they are counted")
        assert served.traffic.details()["cut_off_per_minute"] == "0"


def test_new_connections_displace_the_oldest_unfinished_ones(app, clients):
    limits = replace(PATIENT, connections=20)
    with serving(app, limits) as served:
        oldest = crowd(clients, served, HALF_HEAD, 20)
        newest = crowd(clients, served, HALF_HEAD, 10)
        check_others_are_answered(served)
        assert all(is_closed(sock) for sock in oldest[:10])
        assert not is_closed(newest[-1], 0.05)
        newest[-1].sendall(b": y\r\nContent-Length: 2\r\n\r\n{}")
        assert read_reply(newest[-1]).body == b"{}"
        until(lambda: served.traffic.closed()[Reason.PRESSURE] >= 10, "they are counted")


def test_idle_connections_are_displaced_first(app, clients):
    limits = replace(PATIENT, connections=4)
    with serving(app, limits) as served:
        (unfinished,) = crowd(clients, served, HALF_HEAD, 1)
        idle = []
        for number in (1, 2, 3):
            idle += crowd(clients, served, OPEN, 1)
            assert read_reply(idle[-1]).body == b"ok"
            until(lambda number=number: served.traffic.stages()["idle"] == number, "it is idle")
        (late,) = crowd(clients, served, OPEN, 1)
        assert read_reply(late).body == b"ok"
        assert is_closed(idle[0])
        unfinished.sendall(b": y\r\nContent-Length: 2\r\n\r\n{}")
        assert read_reply(unfinished).body == b"{}"


def test_requests_in_threads_are_never_displaced(app, clients):
    limits = Limits(threads=2, connections=2, head_seconds=60)
    with serving(app, limits) as served:
        waiting = crowd(clients, served, b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", 2)
        until(lambda: len(app.calls) == 2, "they are in threads")
        (late,) = crowd(clients, served, OPEN, 1)
        assert not is_closed(late, 0.1)
        app.gate.set()
        for sock in (*waiting, late):
            assert read_reply(sock).body == b"ok"


def test_client_that_does_not_read_its_answer_is_cut_off(app, clients):
    with serving(app, QUICK) as served:
        sockets = crowd(clients, served, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", 3)
        until(lambda: served.traffic.closed()[Reason.ANSWER] == len(sockets), "they are counted")
        check_others_are_answered(served)


def test_client_that_reads_no_answer_to_many_requests_holds_no_thread(app, clients):
    with serving(app, PATIENT) as served:
        for _ in range(MANY):
            sock = clients.enter_context(served.connect())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(0.05)
            try:
                for _ in range(30):
                    sock.sendall(OPEN * 1000)
            except TimeoutError:
                pass
        check_others_are_answered(served)


def test_counts_show_stages_and_threads(app, clients):
    with serving(app, PATIENT) as served:
        crowd(clients, served, HALF_HEAD, 3)
        crowd(clients, served, HALF_BODY, 2)
        until(lambda: app.calls == ["/echo", "/echo"], "the application has seen the heads")
        crowd(clients, served, b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", PATIENT.threads + 1)
        expected = {"head": 3, "body": 2, "answering": PATIENT.threads + 1}
        until(
            lambda: expected.items() <= served.traffic.stages().items(), "all are counted in stages"
        )
        assert served.traffic.threads() == (PATIENT.threads, PATIENT.threads)
        until(
            lambda: float(served.traffic.details()["thread_wait_seconds"]) > 0.5,
            "a request waits for a thread",
        )
