"""A stand-in for an OpenTelemetry collector: OTLP over HTTP, in protobuf."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ExportTraceServiceRequest.FromString(body)
        self.server.received.append((self.path, body))
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans.extend(scope.spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


class Collector(ThreadingHTTPServer):
    """Keeps every span that it gets."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans, self.received = [], []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def named(self, trace_id):
        """The spans of one trace, by name; those of one name in their order."""
        found = {}
        for span in sorted(self.spans, key=lambda span: span.start_time_unix_nano):
            if span.trace_id.hex() == trace_id:
                found.setdefault(span.name, []).append(span)
        return found

    def close(self):
        self.shutdown()
        self.server_close()
