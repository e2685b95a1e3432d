"""Flows from outside: over the published ports, as a platform and a person would."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any
from uuid import uuid4

from tests.containers.docker import until


def ask(url: str, document: Any = None, **headers: str) -> tuple[int, bytes]:
    """One request; status and body."""
    body = None if document is None else json.dumps(document).encode()
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def basic(name: str, password: str) -> str:
    """An Authorization."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


class Sandbox:
    """The flow platform's stand-in, through its published port."""

    def __init__(self, url: str, authorization: str) -> None:
        self._url, self._authorization = url, authorization

    def start(self, action: str, **inputs: Any) -> str:
        """Start a flow; its id."""
        asked = {
            "serviceUrl": "http://listener:8077/fs/Trial",
            "action": action,
            "inputs": inputs,
            "authorization": self._authorization,
        }
        status, body = ask(f"{self._url}/sandbox/flows", asked)
        assert status == 202, body
        return str(json.loads(body)["flowId"])

    def events(self, flow_id: str) -> dict[str, Any]:
        """What happened to a flow so far."""
        status, body = ask(f"{self._url}/sandbox/flows/{flow_id}")
        assert status == 200, body
        return dict(json.loads(body))

    def resumed(self, flow_id: str) -> dict[str, Any]:
        """Wait until a flow resumed, which it must once; with what."""

        def over() -> Any:
            document = self.events(flow_id)
            return document if document["status"] not in ("running", "waiting") else None

        document = until(over, f"the end of flow {flow_id}")
        found = [each for each in document["events"] if each["kind"] == "resumed"]
        assert len(found) == 1, document
        return dict(found[0]["details"])


def request_with(token: str) -> dict[str, Any]:
    """A ServiceRequest with a token of our own."""
    return {
        "token": token,
        "tenantId": str(uuid4()),
        "stateId": str(uuid4()),
        "callbackUri": "http://sandbox:8079/api/run/1/response",
        "inputs": [
            _input("Text", "ContentString", "canary-of-a-document"),
            _input("Password", "ContentPassword", "canary-of-a-password"),
        ],
    }


def _input(name: str, kind: str, text: str) -> dict[str, Any]:
    return {"developerName": name, "contentType": kind, "contentValue": text}
