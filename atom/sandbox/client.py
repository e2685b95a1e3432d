"""A client of the sandbox's API: start a flow and watch it."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from atom.durations import duration
from atom.flow.transport import Reply, Transport, TransportError
from atom.sandbox.flows import Event, FlowStatus
from atom.sandbox.problems import SandboxError

_POLL_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a service was asked for by a connector, and what came of it."""

    answer: Any
    problem: str  # why it was refused; empty where it was not
    messages: list[dict[str, Any]]  # both ways, as `Message`


class SandboxClient:
    """Talks to a sandbox at its URL."""

    def __init__(self, url: str, *, authorization: str | None = None) -> None:
        """Make one; the authorization is what its flows send to the service."""
        self._url = url.rstrip("/")
        self._authorization = authorization
        self._transport = Transport(read_timeout=_POLL_SECONDS + 20)

    def close(self) -> None:
        """Close its connections."""
        self._transport.close()

    def install(
        self, service_url: str, configuration: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The service's metadata, as the platform sees it; raises SandboxError.

        The sandbox remembers the authorization for what is asked of that service without one.
        """
        asked = {
            "url": service_url,
            "authorization": self._authorization,
            "configuration": configuration,
        }
        return dict(self._post("/sandbox/services", asked))

    def connections(self) -> list[dict[str, Any]]:
        """What is installed there; see `Platform.connections`."""
        return list(self._get("/sandbox/services"))

    def data(self, service_url: str, type_name: str, operation: str, **parts: Any) -> Exchange:
        """Query (`listFilter`), save (`records`) or delete (`ids`); raises SandboxError."""
        asked = {"serviceUrl": service_url, "type": type_name, "operation": operation, **parts}
        return Exchange(**self._post("/sandbox/data", asked))

    def files(self, service_url: str, path: str) -> Exchange:
        """List the files of a resource; raises SandboxError."""
        asked = {"serviceUrl": service_url, "path": path}
        return Exchange(**self._post("/sandbox/files", asked))

    def upload(
        self, service_url: str, path: str, name: str, content: bytes, content_type: str
    ) -> Exchange:
        """Upload a file to a resource; raises SandboxError."""
        about = {"serviceUrl": service_url, "path": path, "name": name, "contentType": content_type}
        url = f"{self._url}/sandbox/files/content?{urlencode(about)}"
        return Exchange(**self._read(lambda: self._transport.send("POST", url, content, {})))

    def start(
        self,
        service_url: str,
        action: str,
        inputs: Mapping[str, Any],
        configuration: Mapping[str, Any] | None = None,
    ) -> str:
        """Start a flow of one message action; returns its id. Raises SandboxError.

        Its configuration values take precedence over those of the installed connector.
        """
        asked = {
            "serviceUrl": service_url,
            "action": action,
            "inputs": dict(inputs),
            "configuration": dict(configuration or {}),
            "authorization": self._authorization,
        }
        return str(self._post("/sandbox/flows", asked)["flowId"])

    def watch(self, flow_id: str, timeout_seconds: float) -> Iterator[Event]:
        """The flow's events as they come, until it is over.

        Raises:
            SandboxError: it is not over within the time.
        """
        end = time.monotonic() + timeout_seconds
        seen = 0
        while True:
            wait = max(0.0, min(_POLL_SECONDS, end - time.monotonic()))
            path = f"/sandbox/flows/{flow_id}?after={seen}&wait={wait:.2f}"
            document = self._read(lambda path=path: self._transport.get(self._url + path, {}))
            for each in document["events"]:
                seen = each["number"]
                yield Event(**each)
            if FlowStatus(document["status"]).is_over and not document["events"]:
                return
            if time.monotonic() > end:
                raise SandboxError(
                    f"The flow still waits after {duration(timeout_seconds)}; "
                    "the execution goes on."
                )

    def status(self, flow_id: str) -> FlowStatus:
        """Where the flow stands."""
        return FlowStatus(self.flow(flow_id)["status"])

    def flow(self, flow_id: str) -> dict[str, Any]:
        """The flow as it is now, with all its events; raises SandboxError."""
        return dict(self._get(f"/sandbox/flows/{quote(flow_id, safe='')}"))

    def flows(self) -> list[dict[str, Any]]:
        """Every flow that the sandbox knows, newest first, without events."""
        return list(self._get("/sandbox/flows"))

    def messages(self, flow_id: str) -> list[dict[str, Any]]:
        """The raw messages of a flow, as far as they are kept; see `Message`."""
        return list(self._get(f"/sandbox/flows/{quote(flow_id, safe='')}/messages"))

    def _get(self, path: str) -> Any:
        return self._read(lambda: self._transport.get(self._url + path, {}))

    def _post(self, path: str, document: Mapping[str, Any]) -> Any:
        body = orjson.dumps(document)
        return self._read(lambda: self._transport.post_json(self._url + path, body, {}))

    def _read(self, ask: Any) -> Any:
        try:
            reply: Reply = ask()
        except TransportError as error:
            raise SandboxError(f"The sandbox at {self._url} does not answer: {error}.") from error
        document = orjson.loads(reply.body)
        if reply.status >= 400:
            raise SandboxError(str(document.get("message", f"HTTP {reply.status}")), reply.status)
        return document
