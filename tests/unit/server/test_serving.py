"""Requests over real sockets, however they arrive."""

import socket
import ssl
import threading
import time

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.http_server import PATIENT, is_closed, read_reply, serving
from tests.support.waiting import until

BODY = b'{"name": "value"}'


@pytest.fixture
def served(app):
    with serving(app) as served:
        yield served


def post(path, body=BODY, *fields):
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(path, *chunks, trailer=b""):
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    sizes = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + sizes + b"0\r\n" + trailer + b"\r\n"


def test_requests_follow_each_other_on_a_connection(served):
    with served.connect() as sock:
        for number in range(20):
            body = b"%d" % number
            sock.sendall(post("/echo", body))
            reply = read_reply(sock)
            assert (reply.status, reply.body) == (200, body)
            assert reply.header("Connection") == "keep-alive"


def test_pipelined_requests_are_answered_in_order(served):
    sent = [post("/echo", b"%d" % number) for number in range(50)]
    sent[10:10] = [chunked("/echo", b"a", b"bc"), b"GET /open HTTP/1.1\r\nHost: x\r\n\r\n"]
    expected = [b"%d" % number for number in range(50)]
    expected[10:10] = [b"abc", b"ok"]
    rest = bytearray()
    with served.connect() as sock:
        sock.sendall(b"".join(sent))
        assert [read_reply(sock, rest).body for _ in sent] == expected


def test_unread_body_is_not_taken_for_a_request(served):
    with served.connect() as sock:
        sock.sendall(post("/open", b"GET /broken HTTP/1.1\r\n\r\n") + post("/echo", b"next"))
        rest = bytearray()
        assert read_reply(sock, rest).body == b"ok"
        assert read_reply(sock, rest).body == b"next"


@pytest.mark.parametrize("size", [65_536, 1_048_576, 5_000_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_large_body_is_read_whole(served, size, is_chunked):
    body = b"x" * size
    pieces = [body[at : at + 100_000] for at in range(0, size, 100_000)]
    with served.connect() as sock:
        for _ in range(2):  # the connection can be used again
            sock.sendall(chunked("/count", *pieces) if is_chunked else post("/count", body))
            assert read_reply(sock).body == b"%d" % size


def test_connection_ends_when_the_client_wants_so(served):
    with served.connect() as sock:
        sock.sendall(post("/echo", BODY, "Connection: close"))
        reply = read_reply(sock)
        assert reply.body == BODY
        assert reply.header("Connection") == "close"
        assert is_closed(sock)


def test_client_that_sends_no_more_is_answered(served):
    with served.connect() as sock:
        sock.sendall(post("/echo"))
        sock.shutdown(socket.SHUT_WR)
        assert read_reply(sock).body == BODY


def test_body_is_asked_for_with_100_continue(served, app):
    with served.connect() as sock:
        sock.sendall(post("/echo", BODY, "Expect: 100-continue")[: -len(BODY)])
        assert read_reply(sock).status == 100
        sock.sendall(BODY)
        assert read_reply(sock).body == BODY


def test_refused_request_is_not_asked_for_its_body(served):
    with served.connect() as sock:
        sock.sendall(post("/refused", BODY, "Expect: 100-continue")[: -len(BODY)])
        reply = read_reply(sock)
        assert reply.status == 401
        assert reply.header("Connection") == "close"


@pytest.mark.parametrize("size", [100, 50_000, 50_000_000])
def test_refusal_does_not_wait_for_the_body(served, size):
    with served.connect() as sock:
        sock.sendall(post("/refused", b"x" * size)[: -size // 2])
        assert read_reply(sock).status == 401
        # The client can still read it after sending more.
        sock.sendall(b"y" * 10_000)


@pytest.mark.parametrize("size", [3_000_000, 30_000_000])
def test_refusal_reaches_a_client_that_sends_everything_first(served, size):
    with served.connect() as sock:
        sock.sendall(post("/refused", b"x" * size))
        assert read_reply(sock).status == 401


def test_exception_of_the_application_costs_no_thread(served):
    for _ in range(PATIENT.threads * 3):
        with served.connect() as sock:
            sock.sendall(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_reply(sock).status == 500
    with served.connect() as sock:
        sock.sendall(post("/echo"))
        assert read_reply(sock).body == BODY


REQUESTS = [
    (post("/echo"), 200, BODY),
    (chunked("/echo", b'{"name"', b': "value"}'), 200, BODY),
    (chunked("/echo", BODY, trailer=b"Digest: x\r\n"), 200, BODY),
    (b"\r\n" + post("/echo"), 200, BODY),
    (post("/refused"), 401, b"no"),
    (b"GET /open HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"ok"),
    (b"GET http://evil/open HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n", 200, b"ok"),
]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(REQUESTS),
    st.lists(st.tuples(st.integers(1, 200), st.sampled_from([0, 0, 0.001, 0.01])), max_size=6),
)
def test_any_split_of_a_request_gives_the_same_answer(served, request_, pieces):
    sent, status, body = request_
    with served.connect() as sock:
        for size, pause in pieces:
            sock.sendall(sent[:size])
            sent = sent[size:]
            time.sleep(pause)
        sock.sendall(sent)
        reply = read_reply(sock)
        assert (reply.status, reply.body) == (status, body)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def contexts(authority):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_serves_small_and_large_messages(app, contexts, version):
    server, client = contexts
    client.minimum_version = client.maximum_version = version
    body = b"x" * 3_000_000
    with (
        serving(app, tls=server) as served,
        client.wrap_socket(served.connect(), server_hostname="localhost") as sock,
    ):
        rest = bytearray()
        for _ in range(3):
            sock.sendall(post("/echo"))
            assert read_reply(sock, rest).body == BODY
            sock.sendall(post("/count", body))
            assert read_reply(sock, rest).body == b"3000000"
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert len(read_reply(sock, rest).body) == 8 * 1_048_576
        sock.sendall(post("/refused", body[:200_000]))
        assert read_reply(sock, rest).status == 401


def test_tls_refusal_does_not_wait_for_the_body(app, contexts):
    server, client = contexts
    with (
        serving(app, tls=server) as served,
        client.wrap_socket(served.connect(), server_hostname="localhost") as sock,
    ):
        sock.sendall(post("/refused", b"x" * 10_000)[:-5_000])
        assert read_reply(sock).status == 401


def test_plain_http_to_a_tls_port_is_closed(app, contexts):
    with serving(app, tls=contexts[0]) as served, served.connect() as sock:
        sock.sendall(post("/echo"))
        assert is_closed(sock)


@pytest.mark.parametrize("end", ["close", "keep-alive"])
def test_server_closes_while_a_thread_returns_its_connection(app, end):
    with serving(app) as served, served.connect() as sock:
        loop, returned = served._loop, threading.Event()
        run_calls, return_connection = loop._run_calls, loop._threads._done

        def run_calls_after_the_return():
            if loop._is_closed:
                app.gate.set()
                assert returned.wait(60)
            run_calls()

        def return_and_report(connection, outcome):
            return_connection(connection, outcome)
            returned.set()

        loop._run_calls, loop._threads._done = run_calls_after_the_return, return_and_report
        sock.sendall(f"GET /wait HTTP/1.1\r\nHost: x\r\nConnection: {end}\r\n\r\n".encode())
        until(lambda: app.calls, "the request to be answered")
        served.close()
        assert read_reply(sock).body == b"ok"
        assert is_closed(sock)
