"""The baseline: a Flow Service as one would write it in an hour with Flask, Celery and requests.

It keeps nothing but Celery's messages: no validation, no record of what was accepted, no second
try, no recovery. The whole request travels through the broker. Run it with

    gunicorn -k gthread -w 2 --threads 8 --keep-alive 75 benchmarks.baseline.app:app
    celery -A benchmarks.baseline.app:celery worker -c 2 -E

and the broker's URL in BASELINE_BROKER_URL. Two tasks more are measures of their own: what a bare
Celery round trip costs, and what a message does whose task does nothing.
"""

import os
from typing import Any

import requests
from celery import Celery
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from benchmarks.baseline.work import forward_answer, thing, wait_answer

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
    return jsonify(wait_answer(payload))


@celery.task(ignore_result=True)
def run_process(payload: dict[str, Any], action: str) -> None:
    """Run the process and hand its response to the task that posts it."""
    answer = forward_answer(payload, action)
    post_callback.delay(payload["callbackUri"], payload["tenantId"], answer)


@celery.task(ignore_result=True)
def post_callback(uri: str, tenant_id: str, response: dict[str, Any]) -> None:
    """Resume the flow."""
    answer = session.post(uri, json=response, headers={"ManyWhoTenant": tenant_id}, timeout=20)
    answer.raise_for_status()


@celery.task
def get_thing(id: str) -> dict[str, str]:
    """Answer its caller, who waits."""
    return thing(id)


@celery.task(ignore_result=True)
def noop() -> None:
    """Do nothing."""
