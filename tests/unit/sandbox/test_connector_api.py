"""The sandbox's own API for those who try a service: what it remembers, and what it shows."""

import pytest

from atom.sandbox import SandboxError
from atom.sandbox.client import SandboxClient


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
