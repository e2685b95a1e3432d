"""The sandbox answers others while many clients send a part of a request."""

import socket
from contextlib import ExitStack

import pytest

from tests.support.http_server import read_reply

MANY = 100  # more than the sandbox's threads
PARTS = [
    b"",
    b"GET /health HTTP/1.1\r\nX",
    b"POST /sandbox/flows HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{",
]


@pytest.mark.parametrize("part", PARTS)
def test_sandbox_answers_others_while_many_clients_send_a_part(sandbox, part):
    address = ("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(socket.create_connection(address)).sendall(part)
        with socket.create_connection(address, 30) as sock:
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_reply(sock).status == 200


@pytest.mark.parametrize("body", [b"{", b"[" * 300 + b"]" * 300])
def test_malformed_json_is_answered_400(sandbox, body):
    address = ("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
    with socket.create_connection(address, 30) as sock:
        head = f"POST /sandbox/flows HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        sock.sendall(head.encode() + body)
        assert read_reply(sock).status == 400
