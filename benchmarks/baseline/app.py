"""The baseline: a Flow Service as one would write it in an hour with Flask, Celery and requests.

It keeps nothing but Celery's messages: no validation, no record of what was accepted, no second
try, no recovery. The whole request travels through the broker. Run it with

    gunicorn -w 2 benchmarks.baseline.app:app
    celery -A benchmarks.baseline.app:celery worker -c 2 -E

and the broker's URL in BASELINE_BROKER_URL. Two tasks more are measures of their own: what a bare
Celery round trip costs, and what a message does whose task does nothing.
"""

import os
import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests
from celery import Celery
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

app = Flask(__name__)
celery = Celery(
    "baseline",
    broker=os.environ["BASELINE_BROKER_URL"],
    backend=os.environ["BASELINE_BROKER_URL"],
)
session = requests.Session()


@app.post("/fs/<service>/actions/<action>")
def accept(service: str, action: str) -> ResponseReturnValue:
    """Hand the request to Celery and answer WAIT."""
    payload = request.get_json()
    run_process.delay(payload, action)
    return jsonify(
        token=payload["token"],
        tenantId=payload["tenantId"],
        invokeType="WAIT",
        waitMessage="Working on it",
        outputs=[],
    )


@celery.task(ignore_result=True)
def run_process(payload: dict[str, Any], action: str) -> None:
    """Do what `echo` or `stamp` of `benchmarks.services` does, with the JSON in hand."""
    started = time.perf_counter()
    given = {value["developerName"]: value for value in payload["inputs"]}
    lines = [
        {each["developerName"]: each["contentValue"] for each in line["properties"]}
        for line in given["Lines"]["objectData"]
    ]
    amount = Decimal(given["Amount"]["contentValue"])
    express = given["Express"]["contentValue"].lower() == "true"
    due = datetime.fromisoformat(given["Due"]["contentValue"]).astimezone(UTC)
    pieces = sum(int(line["Quantity"]) for line in lines)
    outputs = [
        value("Name", "ContentString", given["Name"]["contentValue"]),
        value("Amount", "ContentNumber", str(amount)),
        value("Express", "ContentBoolean", "true" if express else "false"),
        value("Due", "ContentDateTime", due.strftime("%Y-%m-%dT%H:%M:%S.000Z")),
        value("Pieces", "ContentNumber", str(pieces)),
        list_value("Lines", "Echo RESPONSE - Lines", lines),
    ]
    if action == "Stamp":
        outputs.append(value("Started", "ContentString", repr(started)))
    post_callback.delay(
        payload["callbackUri"],
        payload["tenantId"],
        {
            "token": payload["token"],
            "tenantId": payload["tenantId"],
            "invokeType": "FORWARD",
            "outputs": outputs,
            "rootFaults": {},
            "valueFaults": [],
        },
    )


@celery.task(ignore_result=True)
def post_callback(uri: str, tenant_id: str, response: dict[str, Any]) -> None:
    """Resume the flow."""
    answer = session.post(uri, json=response, headers={"ManyWhoTenant": tenant_id}, timeout=20)
    answer.raise_for_status()


@celery.task
def get_thing(id: str) -> dict[str, str]:
    """Answer its caller, who waits."""
    return {"ID": id, "Name": "Lamp", "Price": "12.50"}


@celery.task(ignore_result=True)
def noop() -> None:
    """Do nothing."""


def value(name: str, content_type: str, content: str | None) -> dict[str, Any]:
    """A simple EngineValue."""
    return {
        "developerName": name,
        "contentType": content_type,
        "contentValue": content,
        "objectData": None,
        "typeElementDeveloperName": None,
    }


def list_value(name: str, type_name: str, lines: list[dict[str, str]]) -> dict[str, Any]:
    """An EngineValue that holds a list of order lines."""
    objects = [
        {
            "internalId": str(uuid.uuid4()),
            "externalId": str(uuid.uuid4()),
            "developerName": type_name,
            "order": order,
            "properties": [
                value("Sku", "ContentString", line["Sku"]),
                value("Quantity", "ContentNumber", line["Quantity"]),
            ],
        }
        for order, line in enumerate(lines)
    ]
    return {
        **value(name, "ContentList", None),
        "objectData": objects,
        "typeElementDeveloperName": type_name,
    }
