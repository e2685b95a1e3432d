"""The work that both peers do by hand for a flow: plain functions of the request's JSON."""

import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def wait_answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the ServiceResponse that makes the flow wait."""
    return {
        "token": request["token"],
        "tenantId": request["tenantId"],
        "invokeType": "WAIT",
        "waitMessage": "Working on it",
        "outputs": [],
    }


def forward_answer(request: dict[str, Any], action: str) -> dict[str, Any]:
    """Return the ServiceResponse that resumes the flow.

    Its outputs are those of `echo` or `stamp` of `benchmarks.services`.
    """
    started = time.perf_counter()
    given = {value["developerName"]: value for value in request["inputs"]}
    lines = [
        {value["developerName"]: value["contentValue"] for value in line["properties"]}
        for line in given["Lines"]["objectData"]
    ]
    amount = Decimal(given["Amount"]["contentValue"])
    express = given["Express"]["contentValue"].lower() == "true"
    due = datetime.fromisoformat(given["Due"]["contentValue"]).astimezone(UTC)
    pieces = sum(int(line["Quantity"]) for line in lines)
    outputs = [
        _value("Name", "ContentString", given["Name"]["contentValue"]),
        _value("Amount", "ContentNumber", str(amount)),
        _value("Express", "ContentBoolean", "true" if express else "false"),
        _value("Due", "ContentDateTime", due.strftime("%Y-%m-%dT%H:%M:%S.000Z")),
        _value("Pieces", "ContentNumber", str(pieces)),
        _list_value("Lines", "Echo RESPONSE - Lines", lines),
    ]
    if action == "Stamp":
        outputs.append(_value("Started", "ContentString", repr(started)))
    return {
        "token": request["token"],
        "tenantId": request["tenantId"],
        "invokeType": "FORWARD",
        "outputs": outputs,
        "rootFaults": {},
        "valueFaults": [],
    }


def thing(id: str) -> dict[str, str]:
    """Return the object that a round trip asks for."""
    return {"ID": id, "Name": "Lamp", "Price": "12.50"}


def _value(name: str, content_type: str, content: str | None) -> dict[str, Any]:
    """Return a simple EngineValue."""
    return {
        "developerName": name,
        "contentType": content_type,
        "contentValue": content,
        "objectData": None,
        "typeElementDeveloperName": None,
    }


def _list_value(name: str, type_name: str, lines: list[dict[str, str]]) -> dict[str, Any]:
    """Return an EngineValue that holds a list of order lines."""
    objects = [
        {
            "internalId": str(uuid.uuid4()),
            "externalId": str(uuid.uuid4()),
            "developerName": type_name,
            "order": order,
            "properties": [
                _value("Sku", "ContentString", line["Sku"]),
                _value("Quantity", "ContentNumber", line["Quantity"]),
            ],
        }
        for order, line in enumerate(lines)
    ]
    return {
        **_value(name, "ContentList", None),
        "objectData": objects,
        "typeElementDeveloperName": type_name,
    }
