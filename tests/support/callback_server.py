"""Where callbacks go in tests that are not about flows: a server whose every answer is told."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.server.answer(self.wfile)
        self.close_connection = self.server.closes

    def log_message(self, *_):
        """Say nothing."""


class CallbackServer(ThreadingTCPServer):
    """Notes every connection, the name TLS was asked for, and every request."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, certificate=None, host="127.0.0.1", port=0, closes=True):
        super().__init__((host, port), _Handler)
        self.certificate, self.closes = certificate, closes
        self.visits, self.names, self.requests = [], [], []
        self.ended = threading.Event()
        self.answers(b'"SUCCESS"')
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        """End it."""
        self.ended.set()
        self.shutdown()
        self.server_close()

    @property
    def port(self):
        return self.server_address[1]

    @property
    def url(self):
        """Where callbacks go, without TLS."""
        return f"http://127.0.0.1:{self.port}/api/run/1/response"

    def answers(self, body, *more, status="200 OK"):
        if self.closes:
            more = (*more, b"Connection: close")
        lines = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *more, b"", body]
        self.answer = lambda wfile: wfile.write(b"\r\n".join(lines))

    def get_request(self):
        connection, address = super().get_request()
        self.visits.append(address)
        return connection, address

    def finish_request(self, request, client_address):
        if self.certificate is None:
            super().finish_request(request, client_address)
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate.configure_cert(context)
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        with context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request, client_address):
        """A client that leaves in the middle is what some tests are about."""
