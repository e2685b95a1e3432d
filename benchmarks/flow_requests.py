"""The requests a flow would send, built before the clock starts, and what must come back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import uuid4

import orjson

_PATH: Final = "/fs/Bench/actions/"
_TENANT: Final = "6b3f2d0e-58c1-4f7a-9f43-0c1f6f7d2a10"

_SIMPLE: Final = {
    "Name": ("ContentString", "Ada Lovelace"),
    "Amount": ("ContentNumber", "129.90"),
    "Express": ("ContentBoolean", "true"),
    "Due": ("ContentDateTime", "2026-03-01T10:00:00.0000000+00:00"),
}
_LINES: Final = ({"Sku": "LAMP-1", "Quantity": "2"}, {"Sku": "CABLE-9", "Quantity": "3"})

_TEXT: Final = 'The lamp came "as new", with a scratch – see the picture of 3 March.\n'

EXPECTED_OUTPUTS: Final[Mapping[str, Any]] = {
    "Name": "Ada Lovelace",
    "Amount": "129.90",
    "Express": "true",
    "Due": "2026-03-01T10:00:00.000Z",
    "Pieces": "5",
    "Lines": list(_LINES),
}


class FlowRequest(NamedTuple):
    """One flow's step, as bytes to write."""

    token: str
    content: bytes


def flow_requests(
    count: int,
    listener_port: int,
    callback_port: int,
    action: str = "Echo",
    more_bytes: int = 0,
    *,
    tenant: str = _TENANT,
) -> list[FlowRequest]:
    """Requests of as many different flows: each has a token and a state of its own.

    About so many bytes more than they need are half in more lines and half in one long text, which
    is for `Digest`.
    """
    more = _more_inputs(more_bytes) if more_bytes else []
    return [_flow_request(listener_port, callback_port, action, more, tenant) for _ in range(count)]


def plain_outputs(outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Names and texts of EngineValues, to compare with EXPECTED_OUTPUTS."""
    return {each["developerName"]: _plain(each) for each in outputs}


def _plain(value: Mapping[str, Any]) -> Any:
    objects = value.get("objectData")
    if objects is None:
        return value.get("contentValue")
    return [plain_outputs(each["properties"]) for each in objects]


def _flow_request(
    listener_port: int,
    callback_port: int,
    action: str,
    more: Sequence[dict[str, Any]],
    tenant: str,
) -> FlowRequest:
    token, state_id = str(uuid4()), str(uuid4())
    body = orjson.dumps(_service_request(token, state_id, callback_port, more, tenant))
    head = (
        f"POST {_PATH}{action} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{listener_port}\r\n"
        "Content-Type: application/json\r\n"
        f"ManyWhoTenant: {tenant}\r\n"
        f"ManyWhoState: {state_id}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return FlowRequest(token, head.encode() + body)


def _service_request(
    token: str, state_id: str, callback_port: int, more: Sequence[dict[str, Any]], tenant: str
) -> dict[str, Any]:
    return {
        "token": token,
        "tenantId": tenant,
        "stateId": state_id,
        "callbackUri": f"http://127.0.0.1:{callback_port}/api/run/1/response",
        "executionMode": None,
        "culture": {"id": None, "language": "EN", "country": "US", "variant": None},
        "configurationValues": [],
        "authorization": {"globalAuthenticationType": "PUBLIC"},
        "annotations": {},
        "attributes": {},
        "inputs": [
            *(_value(name, kind, text) for name, (kind, text) in _SIMPLE.items()),
            *(more or [_lines(_LINES)]),
        ],
        "outcomes": [],
    }


def _more_inputs(size: int) -> list[dict[str, Any]]:
    """The lines and as many of their like, and a text, each about half of that size."""
    copies = size // 2 // len(orjson.dumps([_line(line) for line in _LINES]))
    text = _TEXT * (size // 2 // len(_TEXT) + 1)
    return [_lines(_LINES * (1 + copies)), _value("Note", "ContentString", text[: size // 2])]


def _lines(lines: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {
        "developerName": "Lines",
        "contentType": "ContentList",
        "contentValue": None,
        "objectData": [_line(line) for line in lines],
    }


def _line(line: Mapping[str, str]) -> dict[str, Any]:
    return {
        "developerName": "Echo REQUEST - Lines",
        "properties": [
            _value("Sku", "ContentString", line["Sku"]),
            _value("Quantity", "ContentNumber", line["Quantity"]),
        ],
    }


def _value(name: str, content_type: str, text: str) -> dict[str, Any]:
    return {"developerName": name, "contentType": content_type, "contentValue": text}
