"""Who may use the platform's API, and what it says to those who ask for something else."""

import pytest
import requests

from tests.support.console import settled
from tests.support.platform_client import (
    a_client,
    change,
    found,
    listeners,
    refused,
    start,
    where,
)
from tests.support.waiting import until


def test_nobody_calls_without_being_known(atom, console, api, operator):
    answer = requests.post(f"{api}/ExecutionRecord/query", json={})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.json()["message"].startswith("Send the name and token of a credential")
    wrong = a_client(console, "robot", "wrong")
    said = refused(401, wrong.execution_record.query_execution_record)
    assert said == "There is no such user, or the token is wrong or revoked."
    for_the_platform = a_client(console, "BOOMI_TOKEN.robot", operator)
    assert for_the_platform.execution_record.query_execution_record().result is not None


def test_a_credential_that_is_revoked_is_no_use(atom, console, leaving):
    client = a_client(console, "leaving", leaving)
    client.process.query_process()
    atom.cli("credentials", "revoke", "leaving")
    until(lambda: is_refused(client), "the credential to be gone")


def is_refused(client):
    try:
        client.process.query_process()
    except Exception as error:
        return error.status == 401
    return False


def test_a_viewer_looks_and_does_nothing(atom, console, viewer):
    execution = settled(atom, atom.run("Echo", {"Text": "x"}))
    watcher = a_client(console, "watcher", viewer)
    (record,) = found(watcher, where("executionId", "EQUALS", execution.id))
    assert record.status == "COMPLETE"
    assert watcher.execution_record.get_execution_record(execution.id).status == "COMPLETE"
    assert "Trial.Echo" in listeners(watcher)
    for call in (
        lambda: start(watcher, "Trial.Nothing"),
        lambda: watcher.cancel_execution.cancel_execution(execution.id),
        lambda: change(watcher, "pause_all"),
    ):
        said = refused(403, call)
        assert said == "Looking is all that a viewer may do; an operator may do this."
    assert atom.store.paused() == {}
    assert "this Atom serves" in refused(404, watcher.environment.query_environment)


def test_who_is_wrong_too_often_waits(atom, operator):
    console = atom.start_console("console-under-attack")
    guessing, right = a_client(console, "robot", "wrong"), a_client(console, "robot", operator)
    for _ in range(10):
        refused(401, guessing.execution_record.query_execution_record)
    said = refused(429, guessing.execution_record.query_execution_record)
    assert said.startswith("Too many logins failed with this name or from this address.")
    # There is one count for both ways in.
    page = requests.Session()
    field = page.get(f"{console}/login").text.partition('name="form" value="')[2]
    form = {"name": "robot", "form": field.partition('"')[0]}
    assert page.post(f"{console}/login", {**form, "token": "wrong"}).status_code == 429
    # And a valid token is accepted all the same.
    assert right.execution_record.query_execution_record().result is not None
    assert page.post(f"{console}/login", {**form, "token": operator}).status_code == 200
    atom.end("console-under-attack")


def test_a_session_of_the_console_counts_for_nothing_here(console, api, operator):
    session = requests.Session()
    field = session.get(f"{console}/login").text.partition('name="form" value="')[2]
    form = {"name": "robot", "token": operator, "form": field.partition('"')[0]}
    assert session.post(f"{console}/login", form).status_code == 200
    assert session.get(f"{console}/executions").status_code == 200
    assert session.post(f"{api}/changeListenerStatus", json={}).status_code == 401
    assert session.get(f"{api}/Atom/flow-atom").status_code == 401
    assert "Set-Cookie" not in session.get(f"{api}/Atom/flow-atom").headers
    # And what the API takes, the console still wants a form for.
    auth = ("robot", operator)
    answer = requests.post(f"{console}/executions", {"text": "x"}, auth=auth)
    assert answer.status_code == 403


def test_a_page_of_another_site_is_refused(api, operator):
    headers = {"Origin": "https://elsewhere.example"}
    answer = requests.post(f"{api}/cancelExecution/1", headers=headers, auth=("robot", operator))
    assert (answer.status_code, answer.json()["@type"]) == (403, "Error")


# --- what is not served


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("POST", "/Environment/query", 404, "serves ExecutionRecord, ExecutionArtifacts,"),
        ("GET", "/cancelExecution/1", 405, "GET is not possible at /"),
    ],
)
def test_what_is_not_served_is_said(api, operator, method, path, status, says):
    answer = requests.request(method, f"{api}{path}", auth=("robot", operator))
    assert (answer.status_code, answer.json()["@type"]) == (status, "Error")
    assert says in answer.json()["message"]


@pytest.mark.parametrize(
    ("headers", "body", "status", "says"),
    [
        ({"Content-Type": "application/xml"}, "<QueryConfig/>", 415, "reads JSON only"),
        ({"Accept": "application/xml"}, "{}", 406, "answers in JSON only"),
        ({}, "{", 400, "The body is not valid JSON: "),
        ({}, "[]", 400, "The body is not a JSON object."),
        ({}, '{"Filter": {}}', 400, "“Filter” is not understood here; it reads QueryFilter, Quer"),
        ({}, '{"QueryFilter": []}', 400, "A QueryFilter holds an object “expression”."),
        ({}, "[" * 5000, 400, "The body is not valid JSON: "),
    ],
)
def test_what_cannot_be_read_is_said(api, operator, headers, body, status, says):
    answer = requests.post(
        f"{api}/ExecutionRecord/query", body, headers=headers, auth=("robot", operator)
    )
    assert answer.status_code == status
    assert says in answer.json()["message"]
