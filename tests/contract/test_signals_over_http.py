"""Signals as callers outside send them: what is taken reaches the process, and all else is told."""

from dataclasses import replace

import pytest

from atom.execution.steps import encode
from atom.suspension import Wait, WaitKind
from tests.contract.test_ending_and_restarting import running
from tests.support.dying import Parts

MOST = 1_000


@pytest.fixture
def client(settings, raw):
    parts = Parts(replace(settings, max_step_bytes=MOST))
    yield parts.app.test_client()
    parts.bare_store.close()


@pytest.fixture
def waiting(store):
    """An execution that waits for an approval, and where that is given."""
    claim = running(store)
    token = store.signal_token(claim, "approval")
    store.suspend(claim, Wait(position=1, name="approval", kind=WaitKind.SIGNAL, until=None))
    return claim, f"/signals/{claim.id}/approval?token={token}"


@pytest.mark.parametrize("content", ['"' * 400, "é" * 600, "\\" * 300])
def test_an_event_that_is_taken_can_be_recorded(client, store, waiting, content):
    claim, url = waiting
    status = client.post(url, json=content).status_code
    event = store.signal_event(claim, "approval")
    assert (status, event) == (413, None) or len(encode(event).encode()) <= MOST


def test_an_event_may_be_as_large_as_a_step(client, waiting):
    assert client.post(waiting[1], json="x" * (MOST - 10)).status_code == 202


def test_an_event_that_nests_too_deeply(client, store, waiting):
    claim, url = waiting
    deep = b"[" * 400 + b"]" * 400
    answer = client.post(url, data=deep, content_type="application/json")
    assert answer.status_code == 400
    assert "too deeply" in answer.json["message"]
    assert store.signal_event(claim, "approval") is None


def test_an_event_without_a_content_type_is_not_dropped(client, store, waiting):
    claim, url = waiting
    assert client.post(url, data=b'{"by": "Ada"}').status_code == 415
    assert store.signal_event(claim, "approval") is None
    assert client.post(url).status_code == 202
    assert store.signal_event(claim, "approval") == "null"
