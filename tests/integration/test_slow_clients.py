"""Slow and malformed clients of a real listener and a real console; others are served meanwhile."""

import socket
import ssl
import sys
from contextlib import ExitStack

import orjson
import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.console import ConsoleAtom
from tests.support.http_server import is_closed, read_reply
from tests.support.operating import command
from tests.support.ports import free_port
from tests.support.scraping import scrape
from tests.support.waiting import until

MANY = 60  # more than the threads of a listener
ECHO = "/fs/Trial/actions/Echo"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
WRONG = "Authorization: Basic d3Jvbmc6d3Jvbmc="
QUICK = {
    "ATOM_REQUEST_HEAD_SECONDS": "1",
    "ATOM_REQUEST_BODY_SECONDS": "1",
    "ATOM_IDLE_SECONDS": "1",
}
PATIENT = {
    "ATOM_REQUEST_HEAD_SECONDS": "300",
    "ATOM_REQUEST_BODY_SECONDS": "300",
    "ATOM_IDLE_SECONDS": "300",
}


def head(path, length, *fields):
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *fields]
    return "\r\n".join([*lines, f"Content-Length: {length}"]).encode() + b"\r\n\r\n"


# As much of a request as its client ever sends.
PARTS = {
    "nothing": b"",
    "half head": b"POST /fs/Trial/actions/Echo HTTP/1.1\r\nHost: x\r\nX",
    "half body": head(ECHO, 500) + b"{",
    "half body of a signal": head("/signals/a/b", 500, "Authorization: Bearer x") + b"{",
    "half large body": head(ECHO, 4_000_000) + b"{" * 2_000_000,
    "half body with a wrong credential": head(ECHO, 4_000_000, WRONG) + b"{" * 100_000,
    "half form": head("/executions/x/cancel", 500) + b"t",
}


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    """A store, and for each test its own listener."""
    atom = ConsoleAtom(tmp_path_factory.mktemp("slow"))
    try:
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def patient(atom):
    with atom.another_listener(**PATIENT) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A listener that asks for credentials."""
    atom = ConsoleAtom(tmp_path_factory.mktemp("guarded"))
    try:
        atom.cli("credentials", "create", "crm")
        with atom.another_listener(**PATIENT) as url:
            yield int(url.rpartition(":")[2])
    finally:
        atom.close()


@pytest.fixture(scope="module")
def patient_console(atom):
    return int(atom.start_console("patient-console", **PATIENT).rpartition(":")[2])


def connect(port):
    return socket.create_connection(("127.0.0.1", port), 60)


def crowd(stack, port, sent):
    sockets = [stack.enter_context(connect(port)) for _ in range(MANY)]
    for sock in sockets:
        sock.sendall(sent)
    return sockets


def ask(port, sent):
    with connect(port) as sock:
        sock.sendall(sent)
        return read_reply(sock)


def a_request(atom):
    document = {
        "token": "t",
        "tenantId": "tenant",
        "callbackUri": f"{atom.sandbox.url}/api/run/1/response",
        "inputs": [{"developerName": "Text", "contentType": "ContentString", "contentValue": "x"}],
    }
    body = orjson.dumps(document)
    return head(ECHO, len(body)) + body


def assert_problem(reply, status):
    problem = orjson.loads(reply.body)
    assert (reply.status, problem["statusCode"], problem["kind"]) == (status, status, "service")
    assert reply.header("X-ManyWho-Service-Problem-Kind") == "service"
    assert reply.header("Content-Type") == "application/json"
    assert reply.header("Cache-Control") == "no-store"
    assert 0 < len(problem["message"]) <= 500
    return problem


@pytest.mark.parametrize("part", PARTS)
def test_listener_answers_others_while_many_clients_send_a_part(atom, patient, part):
    with ExitStack() as stack:
        crowd(stack, patient, PARTS[part])
        for _ in range(5):
            assert ask(patient, HEALTH).status == 200
            assert ask(patient, a_request(atom)).status == 200


@pytest.mark.parametrize("part", PARTS)
def test_console_answers_others_while_many_clients_send_a_part(patient_console, part):
    with ExitStack() as stack:
        crowd(stack, patient_console, PARTS[part])
        for _ in range(5):
            assert ask(patient_console, HEALTH).status == 200


def test_wrong_credential_is_refused_before_the_body(guarded):
    """Whether the rest of the body would arrive or not."""
    with ExitStack() as stack:
        for size in (500, 100_000, 5_000_000):
            for sock in crowd(stack, guarded, head(ECHO, size, WRONG) + b"{"):
                assert_problem(read_reply(sock), 401)
        assert ask(guarded, HEALTH).status == 200


def test_wrong_credential_is_refused_before_100_continue(guarded):
    assert_problem(ask(guarded, head(ECHO, 500, WRONG, "Expect: 100-continue")), 401)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head("/nothing", 500), 404),
        (head("/health", 500), 405),
        (head(ECHO, 500, "Content-Type: text/plain").replace(b"application/json", b"text/x"), 400),
        (head(ECHO, 500).replace(b"application/json", b"text/x"), 415),
        (head(ECHO, 50_000_000), 413),
        (head("/fs/Nix/actions/Echo", 500), 404),
        (head("/signals/a/b", 500), 401),
    ],
)
def test_refusal_does_not_wait_for_the_body(patient, sent, status):
    assert_problem(ask(patient, sent + b"{"), status)


def test_listener_cuts_off_slow_clients_and_shows_it(atom):
    with atom.another_listener(**QUICK) as url, ExitStack() as stack:
        port = int(url.rpartition(":")[2])
        heads = crowd(stack, port, PARTS["half head"])
        bodies = crowd(stack, port, PARTS["half body"])
        silent = crowd(stack, port, b"")
        for sock in heads + bodies:
            assert_problem(read_reply(sock), 408)
            assert is_closed(sock)
        assert all(is_closed(sock) for sock in silent)

        def counted():
            found = scrape(url)
            return {
                reason: found.sum("atom_connections_closed_total", reason=reason)
                for reason in ("head", "body", "idle")
            }

        until(lambda: counted() == {"head": MANY, "body": MANY, "idle": MANY}, "they are counted")
        until(
            lambda: "slow clients" in command(atom, "status", code=1),
            "atom status shows that clients were cut off",
        )
    assert b"Traceback" not in atom.logs()


def test_listener_without_free_file_descriptors_answers(atom):
    """Unfinished connections are closed for new ones, long before their limits."""
    limit = "import os, resource as r, sys; r.setrlimit(r.RLIMIT_NOFILE, (150, 150));"
    run = "os.execv(sys.argv[1], sys.argv[1:])"
    port = free_port()
    atom.start(
        "few",
        "listener",
        on=[sys.executable, "-c", limit + run],
        ATOM_BIND=f"127.0.0.1:{port}",
        ATOM_SHUTDOWN_SECONDS="300",
        **PATIENT,
    )
    atom.wait_for_listener(f"http://127.0.0.1:{port}")
    with ExitStack() as stack:
        for _ in range(8):
            crowd(stack, port, PARTS["half head"])
        for _ in range(5):
            assert ask(port, HEALTH).status == 200
        assert atom.end("few") == 0  # without waiting for them


def test_begun_tls_handshakes_hold_no_thread_of_the_listener(atom, tmp_path):
    authority, port = trustme.CA(), free_port()
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    atom.start(
        "tls",
        "listener",
        ATOM_BIND=f"127.0.0.1:{port}",
        ATOM_TLS_CERT=str(tmp_path / "cert.pem"),
        ATOM_TLS_KEY=str(tmp_path / "key.pem"),
        **PATIENT,
    )

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens, "the listener")
    with ExitStack() as stack:
        crowd(stack, port, b"\x16\x03\x01\x02\x00\x01\x00")
        crowd(stack, port, b"")
        for sent in (HEALTH, a_request(atom)):
            with context.wrap_socket(connect(port), server_hostname="localhost") as sock:
                sock.sendall(sent)
                assert read_reply(sock).status == 200
    assert atom.end("tls") == 0


CHUNKED = (
    b"POST /fs/Trial/actions/Echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
MALFORMED = {
    b"GET /health\r\n\r\n": 400,
    b"GET /health HTTP/9.9\r\n\r\n": 400,
    b"get /health HTTP/1.1\r\n\r\n": 400,
    b"GET /hea\xffth HTTP/1.1\r\n\r\n": 400,
    b"GET /health HTTP/1.1\r\nHost x\r\n\r\n": 400,
    b"GET /health HTTP/1.1\r\nA: b\r\n folded\r\n\r\n": 400,
    b"GET /health HTTP/1.1\nHost: x\n\n": 400,
    b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n": 400,
    b"GET /health HTTP/1.1\r\nHost: x\r\nExpect: cake\r\n\r\n": 417,
    b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n": 414,
    b"GET /" + b"x" * 70_000: 414,
    b"GET /health HTTP/1.1\r\nX: " + b"x" * 9_000 + b"\r\n\r\n": 431,
    b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n": 431,
    b"GET /health HTTP/1.1\r\nX: " + b"x" * 70_000: 431,
    head(ECHO, "-1"): 400,
    head(ECHO, "+5") + b"{}   ": 400,
    head(ECHO, 2, "Content-Length: 3") + b"{}": 400,
    head(ECHO, 5, "Transfer-Encoding: chunked") + b"0\r\n\r\n": 400,
    head(ECHO, 5, "Transfer-Encoding: gzip") + b"{}   ": 400,
    CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n": 400,
    CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n": 400,
    CHUNKED + b"1\r\n{}\r\n0\r\n\r\n": 400,
    CHUNKED + b"2\n{}\r\n0\r\n\r\n": 400,
    CHUNKED + b"2;a=\x00\r\n{}\r\n0\r\n\r\n": 400,
    CHUNKED + b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n": 400,
}


@pytest.mark.parametrize("sent", MALFORMED, ids=lambda sent: repr(sent)[-40:])
def test_malformed_request_is_answered_with_a_problem(patient, sent):
    assert_problem(ask(patient, sent), MALFORMED[sent])


@pytest.mark.parametrize("sent", [PARTS["half head"], PARTS["half body"], CHUNKED + b"5\r\nhel"])
def test_request_that_ends_too_early_is_answered_with_a_problem(patient, sent):
    with connect(patient) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        assert_problem(read_reply(sock), 400)


JSON = b'{"token": "t", "tenantId": "x", "callbackUri": "https://evil.example/x", "inputs": []}'
VALID = [
    head(ECHO, len(JSON)) + JSON,
    CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(JSON), JSON),
    head("/signals/a/b", 2, "Authorization: Bearer x") + b"{}",
    HEALTH,
]
NOISE = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b" ",
    b":",
    b";",
    b"0",
    b"-",
    b"ffffffffffffffffff",
]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(VALID),
    st.lists(
        st.tuples(
            st.integers(0, 300),
            st.integers(0, 3),
            st.one_of(st.sampled_from(NOISE), st.binary(max_size=8)),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_no_request_hangs_or_breaks_the_listener(patient, sent, changes):
    for at, removed, added in changes:
        at = min(at, len(sent))
        sent = sent[:at] + added + sent[at + removed :]
    with connect(patient) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        reply = read_reply(sock)
        if reply is not None:
            assert reply.status < 500 or reply.status == 501, (sent, reply)
            if reply.status >= 400:
                assert_problem(reply, reply.status)


def test_no_traceback_was_needed(atom):
    assert b"Traceback" not in atom.logs()
