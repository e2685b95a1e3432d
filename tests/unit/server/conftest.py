"""An application for the server that refuses, reads, waits and answers at length."""

import threading

import pytest

from atom.errors import RequestRefused


class App:
    """A WSGI application.

    /open answers at once, /refused refuses without reading, /echo repeats the body, /count returns
    its length, /wait answers when `gate` is set, /large answers with 8 MiB.
    """

    def __init__(self):
        self.gate = threading.Event()
        self.calls = []

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        self.calls.append(path)
        status, body = "200 OK", b"ok"
        try:
            if path == "/refused":
                status, body = "401 Unauthorized", b"no"
            elif path == "/echo":
                body = environ["wsgi.input"].read()
            elif path == "/count":
                body = str(self._count(environ["wsgi.input"])).encode()
            elif path == "/wait":
                self.gate.wait(60)
            elif path == "/large":
                body = b"x" * 8 * 1_048_576
            elif path == "/broken":
                raise SystemExit("not of a thread's business")
        except RequestRefused as error:
            status, body = f"{error.status} Refused", str(error).encode()
        start_response(status, [("Content-Length", str(len(body)))])
        return [body]

    @staticmethod
    def _count(stream):
        size = 0
        while data := stream.read(65536):
            size += len(data)
        return size


@pytest.fixture
def app():
    app = App()
    yield app
    app.gate.set()
