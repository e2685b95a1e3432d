"""The HTTP client, against real sockets."""

import contextlib
import socket
import threading

import pytest

from atom.flow.transport import Transport, TransportError


@pytest.fixture
def answering():
    """Start a server that gives each connection one canned answer; None closes without one."""
    servers = []

    def start(answer: bytes | None) -> tuple[str, list[bytes]]:
        seen: list[bytes] = []
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                # Who has read enough leaves in the middle.
                with connection, contextlib.suppress(OSError):
                    seen.append(connection.recv(65536))
                    if answer is not None:
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/x", seen

    yield start
    for server in servers:
        server.close()


def reply(status: str, body: bytes = b"", *more: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


@pytest.fixture
def transport():
    transport = Transport(connect_timeout=2, read_timeout=0.5)
    yield transport
    transport.close()


def test_a_post_carries_its_headers_and_body(answering, transport):
    url, seen = answering(reply("200 OK", b'"SUCCESS"'))
    answer = transport.post_json(url, b"{}", {"ManyWhoTenant": "t"})
    assert (answer.status, answer.body) == (200, b'"SUCCESS"')
    assert b"ManyWhoTenant: t" in seen[0]
    assert b"Content-Type: application/json" in seen[0]


def test_a_redirect_is_an_answer_like_any_other(answering, transport):
    elsewhere, visited = answering(reply("200 OK"))
    url, _ = answering(reply("302 Found", b"", b"Location: " + elsewhere.encode()))
    assert transport.post_json(url, b"{}", {}).status == 302
    assert visited == []


def test_proxy_variables_are_not_for_us(answering, transport, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    url, _ = answering(reply("200 OK"))
    assert transport.get(url, {}).status == 200


def test_no_connection(transport):
    with pytest.raises(TransportError, match=r"^no connection$"):
        transport.get("http://127.0.0.1:1/", {})


def test_no_answer_in_time(transport):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(TransportError, match="no answer in time"),
    ):
        transport.get(f"http://127.0.0.1:{silent.getsockname()[1]}/", {})


def test_a_connection_that_breaks(answering, transport):
    url, seen = answering(None)
    with pytest.raises(TransportError, match="broke"):
        transport.post_json(url, b"{}", {})
    assert len(seen) == 1, "whether to repeat it is not the transport's decision"


def test_an_endless_answer_is_cut(answering, transport):
    url, _ = answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (9 * 1024 * 1024))
    assert len(transport.get(url, {}).body) == 8 * 1024 * 1024


def test_a_header_that_would_break_the_request_is_refused(answering, transport):
    url, seen = answering(reply("200 OK"))
    with pytest.raises(TransportError):
        transport.get(url, {"ManyWhoTenant": "a\r\nEvil: 1"})
    assert not any(seen), "at most a connection without a byte"
