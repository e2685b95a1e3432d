"""The sandbox's own API for those who try a service: what it remembers, and what it shows."""

import pytest
from flask import abort

from atom.sandbox import SandboxError
from atom.sandbox.client import SandboxClient
from tests.support.waiting import until


@pytest.fixture
def client(sandbox):
    client = SandboxClient(sandbox.url, authorization="Basic Y2FuYXJ5OmNhbmFyeQ==")
    yield client
    client.close()


def test_a_service_that_does_not_answer_is_not_installed(client):
    with pytest.raises(SandboxError, match=r"127\.0\.0\.1:9"):
        client.install("http://127.0.0.1:9/fs/Nothing")
    assert client.connections() == []


def test_what_is_no_operation_is_refused(client, service):
    client.install(service.url)
    assert "query, save or delete" in client.data(service.url, "Type", "explode").problem
    for parts in ({}, {"records": "none"}, {"records": [{"id": None}]}):
        assert "“records” is a list" in client.data(service.url, "Type", "save", **parts).problem


def test_service_that_asks_for_a_credential_says_where_to_give_it(service, sandbox):
    service.before_metadata = lambda headers: abort(401)
    client = SandboxClient(sandbox.url)
    with pytest.raises(SandboxError, match=r"on the console's page, or in ATOM_CREDENTIAL\.$"):
        client.install(service.url)
    client.close()


def test_a_credential_is_remembered_used_and_never_shown(client, service, sandbox):
    client.install(service.url)
    (installed,) = client.connections()
    assert installed["url"] == service.url
    assert installed["hasCredential"] is True
    assert "Y2FuYXJ5" not in str(installed)
    plain = SandboxClient(sandbox.url)
    exchange = plain.data(service.url, "Type", "query")
    sent = exchange.messages[0]
    assert sent["headers"]["Authorization"] == "••••"
    assert "Y2FuYXJ5" not in str(exchange)
    plain.close()


def test_configuration_is_set_with_the_remembered_credential(client, service, sandbox):
    refusals = []

    def check(headers):
        if headers.get("Authorization") != "Basic Y2FuYXJ5OmNhbmFyeQ==":
            refusals.append(headers)

    service.before_metadata = check
    client.install(service.url)
    plain = SandboxClient(sandbox.url)
    plain.install(service.url, {"Region": "north"})
    plain.install(service.url, {"Key": "canary"})
    plain.install(service.url)
    assert refusals == []
    (installed,) = plain.connections()
    assert installed["configured"] == ["Key", "Region"]
    plain.install(service.url, {"Region": ""})
    (installed,) = plain.connections()
    assert installed["configured"] == ["Key"]
    with pytest.raises(SandboxError, match="no configuration value “Regoin”; there are: Region, K"):
        plain.install(service.url, {"Regoin": "north"})
    plain.close()


def test_values_of_a_flow_take_precedence(client, service):
    client.install(service.url, {"Region": "north", "Key": "canary"})
    flow = client.start(service.url, "Do it", {}, {"Region": "south", "Key": None})
    until(lambda: service.requests, "the request")
    values = service.requests[0]["configurationValues"]
    assert {each["developerName"]: each["contentValue"] for each in values} == {
        "Region": "south",
        "Key": None,
    }
    assert {each["developerName"]: each["contentType"] for each in values}["Key"] == (
        "ContentPassword"
    )
    assert client.flow(flow)["id"] == flow
    with pytest.raises(SandboxError, match="The service has no configuration value “Nope”"):
        client.start(service.url, "Do it", {}, {"Nope": "1"})
    with pytest.raises(SandboxError, match="“Region” is a simple value"):
        client.start(service.url, "Do it", {}, {"Region": {"a": 1}})
