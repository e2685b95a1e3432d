"""What the `boomi` client starts in a whole Atom, and cancels."""

import os
import subprocess
import sys

import orjson
import pytest
import requests
from boomi.models import (
    ExecutionRequestProcessProperties,
    ProcessProperty,
    ProcessPropertyValue,
)
from redis import Redis

from atom.records import CallbackState
from tests.docs.pages import files_of_the_pages
from tests.support.platform_client import (
    ACCOUNT,
    a_client,
    ended,
    refused,
    start,
)
from tests.support.ports import free_port
from tests.support.redis_content import content_of
from tests.support.waiting import until


def outputs(atom, execution_id):
    answer = atom.store.get(execution_id).response
    return {each["developerName"]: each["contentValue"] for each in answer["outputs"]}


# --- starting


def test_an_execution_is_started_and_its_outcome_goes_to_the_history(atom, api, client, operator):
    request = {"Text": "started", "Number": "12.50", "Flag": "true", "Line": '{"Sku": "a"}'}
    said = refused(400, start, client, "Trial.Echo", request)
    assert "Line.Quantity" in said
    request["Line"] = '{"Sku": "a", "Quantity": 2}'
    request["Lines"] = '[{"Sku": "b", "Quantity": 3}]'
    execution_id = start(client, "Trial.Echo", request)
    record = ended(client, execution_id)
    assert (record.execution_id, record.status) == (execution_id, "COMPLETE")
    assert (record.execution_type, record.process_id) == ("exec_manual", "Trial.Echo")
    execution = atom.store.get(execution_id)
    assert (execution.tenant_id, execution.callback_state) == (ACCOUNT, CallbackState.NONE)
    sent = outputs(atom, execution_id)
    assert (sent["Text"], sent["Number"], sent["Flag"]) == ("started", "12.50", "true")
    assert '"b"' in orjson.dumps(execution.response).decode()
    answer = client.execution_request.create_execution_request(
        {"process_id": "Trial.Nothing", "atom_id": "flow-atom"}
    )
    assert answer.record_url == f"{api}/ExecutionRecord/async/{answer.request_id}"
    until(
        lambda: requests.get(answer.record_url, auth=("robot", operator)).status_code == 200,
        "its record",
    )


def test_progress_and_faults_of_what_nobody_waits_for_go_to_the_history_alone(atom, client):
    told, said_no = start(client, "Trial.Progress"), start(client, "Trial.No")
    assert ended(client, told).status == "COMPLETE"
    record = ended(client, said_no)
    assert (record.status, record.message) == ("ERROR", "We are closed on Sundays.")
    for each in (told, said_no):
        execution = atom.store.get(each)
        assert (execution.callback_state, execution.callback_attempts) == (CallbackState.NONE, ())
    assert atom.store.get(told).progress == "message 4"
    again = atom.cli("executions", "retry", told, "--from-start")
    assert "to the history alone" in again


def test_secrets_and_configuration_reach_the_process_and_nothing_else(atom, client):
    values = [
        ProcessPropertyValue(key="Api Key", value="canary-api-key"),
        ProcessPropertyValue(key="Discount", value="1.5"),
    ]
    properties = ExecutionRequestProcessProperties(
        [ProcessProperty(values, component_id="Configured")]
    )
    told = start(client, "Configured.Tell", process_properties=properties)
    kept = start(client, "Shop.Keep", {"Password": "canary-password", "Cipher": "canary-cipher"})
    assert {ended(client, each).status for each in (told, kept)} == {"COMPLETE"}
    sent = outputs(atom, told)
    assert sent == {"Discount": "1.5", "Key is known": "true", "Tenant": ACCOUNT}
    with Redis.from_url(atom.redis.url) as redis:
        written = content_of(redis) + atom.logs()
    for canary in (b"canary-api-key", b"canary-password", b"canary-cipher"):
        assert canary not in written
    said = refused(400, start, client, "Configured.Tell")
    assert "Api Key" in said
    of_another = ExecutionRequestProcessProperties([ProcessProperty(values, component_id="Shop")])
    said = refused(400, start, client, "Configured.Tell", process_properties=of_another)
    assert said.startswith("The componentId of a ProcessProperty is the process's service, “Config")


def test_the_older_way_answers_nothing(atom, api, operator):
    body = {
        "processName": "Trial.Echo",
        "atomId": "flow-atom",
        "ProcessProperties": {
            "@type": "ProcessProperties",
            "ProcessProperty": [{"@type": "", "Name": "Text", "Value": "older"}],
        },
    }
    answer = requests.post(f"{api}/executeProcess", json=body, auth=("robot", operator))
    assert (answer.status_code, answer.content) == (200, b"")

    def done():
        newest = atom.store.find(5).executions
        return [each for each in newest if outputs_of(each).get("Text") == "older"]

    def outputs_of(each):
        whole = atom.store.get(each.id)
        return outputs(atom, each.id) if whole.response else {}

    until(done, "the execution to end")


@pytest.mark.parametrize(
    ("status", "process_id", "properties", "more", "says"),
    [
        (404, "Trial.Unknown", {}, {}, "There is no process “Trial.Unknown” here; Process/query"),
        (400, "Shop.Item.get", {}, {}, "“Shop.Item.get” answers its caller in the request itself"),
        (400, "Trial.Echo", {"Text": "x"}, {"atom_id": "b"}, "There is no Atom “b” here; this one"),
        (400, "", {}, {}, "Name the process to run in “processId”, and no other beside it."),
        (400, "Trial.No", {}, {"process_name": "Trial.Echo"}, "Name the process to run in “proce"),
        (400, "Trial.Echo", {}, {}, "Text"),
        (400, "Trial.Echo", {"Text": "x", "Number": "many"}, {}, "Number"),
        (400, "Trial.Echo", {"Text": "x", "Line": "{"}, {}, "“Line” is not valid JSON: "),
        (
            400,
            "Trial.Echo",
            {"Text": "x", "Lines": "{}"},
            {},
            "“Lines” is a list of objects.",
        ),
        (400, "Trial.No", {"Text": "x"}, {}, "“Trial.No” has no input “Text”; there are: none."),
        (
            400,
            "Trial.Echo",
            {"Text": "x", "Line": '{"Color": "red"}'},
            {},
            "“Line” has no property “Color”; there are: Sku, Quantity.",
        ),
    ],
)
def test_what_cannot_be_started_is_said(client, status, process_id, properties, more, says):
    assert says in refused(status, start, client, process_id, properties, **more)


def test_without_a_broker_it_is_started_a_little_later(atom, operator):
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    console = atom.start_console("console-without-broker", ATOM_BROKER_URL=nowhere)
    client = a_client(console, "robot", operator)
    assert ended(client, start(client, "Trial.Nothing")).status == "COMPLETE"
    assert b"not published (recovery will)" in atom.log("console-without-broker")
    atom.end("console-without-broker")


# --- cancelling


def test_what_runs_is_cancelled_once(atom, client, tmp_path):
    file = tmp_path / "told"
    execution_id = start(client, "Stubborn.Until cancelled", {"File": str(file)})

    def status():
        record = client.execution_record.get_execution_record(execution_id)
        return record and record.status

    until(lambda: status() == "INPROCESS", "the process to run")
    client.cancel_execution.cancel_execution(execution_id)
    assert ended(client, execution_id).status == "ABORTED"
    until(file.exists, "the process to be told")
    said = refused(409, client.cancel_execution.cancel_execution, execution_id)
    assert said == f"{execution_id}: it has ended already (cancelled)."
    said = refused(404, client.cancel_execution.cancel_execution, "nobody")
    assert said == "There is no execution nobody (or it outlived its retention)."
    said = refused(404, client.execution_record.get_execution_record, "nobody")
    assert said == "There is no execution nobody (or it outlived its retention)."


def test_the_script_of_the_docs_runs_and_shows(console, operator, tmp_path):
    script = tmp_path / "watch_atom.py"
    script.write_text(files_of_the_pages()[script.name])

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-W", "error", script, *arguments],
            env={
                **os.environ,
                "BOOMI_SERVER": console,
                "BOOMI_USER": "robot",
                "BOOMI_SECRET": operator,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert run("Trial.Echo", "Text=hello")[0].startswith("COMPLETE ")
    first, *errors = run("Trial.No")
    assert first.startswith("ERROR ")
    assert errors[0].endswith(" Trial.No We are closed on Sundays.")
