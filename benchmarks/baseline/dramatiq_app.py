"""A second peer: the baseline with dramatiq in place of Celery.

As the baseline, it keeps nothing but its messages; dramatiq's own retries stay on. Run it with

    gunicorn -k gthread -w 2 --threads 8 --keep-alive 75 benchmarks.baseline.dramatiq_app:app
    dramatiq benchmarks.baseline.dramatiq_app --processes 2 --threads 8

and the broker's URL in BASELINE_BROKER_URL. The actor `get_thing` measures a bare round trip.
"""

import os
from typing import Any

import dramatiq
import requests
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from benchmarks.baseline.work import forward_answer, thing, wait_answer

app = Flask(__name__)
broker = RedisBroker(url=os.environ["BASELINE_BROKER_URL"])
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["BASELINE_BROKER_URL"])))
dramatiq.set_broker(broker)
session = requests.Session()


@app.post("/fs/<service>/actions/<action>")
def accept(service: str, action: str) -> ResponseReturnValue:
    """Hand the request to dramatiq and answer WAIT."""
    payload = request.get_json()
    run_process.send(payload, action)
    return jsonify(wait_answer(payload))


@dramatiq.actor
def run_process(payload: dict[str, Any], action: str) -> None:
    """Run the process and hand its response to the actor that posts it."""
    answer = forward_answer(payload, action)
    post_callback.send(payload["callbackUri"], payload["tenantId"], answer)


@dramatiq.actor
def post_callback(uri: str, tenant_id: str, response: dict[str, Any]) -> None:
    """Resume the flow."""
    answer = session.post(uri, json=response, headers={"ManyWhoTenant": tenant_id}, timeout=20)
    answer.raise_for_status()


@dramatiq.actor(store_results=True)
def get_thing(id: str) -> dict[str, str]:
    """Answer its caller, who waits."""
    return thing(id)
