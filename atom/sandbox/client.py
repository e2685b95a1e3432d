"""A client of the sandbox's API: start a flow and watch it."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from atom.flow.transport import Reply, Transport, TransportError
from atom.sandbox.flows import Event, FlowStatus
from atom.sandbox.platform import SandboxError

_POLL_SECONDS = 10


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

    def install(self, service_url: str) -> dict[str, Any]:
        """The service's metadata, as the platform sees it; raises SandboxError."""
        asked = {"url": service_url, "authorization": self._authorization}
        return dict(self._post("/sandbox/services", asked))

    def start(self, service_url: str, action: str, inputs: Mapping[str, Any]) -> str:
        """Start a flow of one message action; returns its id. Raises SandboxError."""
        asked = {
            "serviceUrl": service_url,
            "action": action,
            "inputs": dict(inputs),
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
                    f"The flow still waits after {timeout_seconds:g} s; the execution goes on."
                )

    def status(self, flow_id: str) -> FlowStatus:
        """Where the flow stands."""
        url = f"{self._url}/sandbox/flows/{flow_id}"
        return FlowStatus(self._read(lambda: self._transport.get(url, {}))["status"])

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
