"""Executions that are in the history database."""

from types import SimpleNamespace

import pytest

from atom.catalog import Catalog
from atom.console import Users
from atom.platform_api import create_app
from atom.publisher import Publisher
from atom.records import State


class MovedStore:
    """Redis has nothing any more; the database has what it is given."""

    def __init__(self, **executions):
        self.executions = executions

    def envelope(self, execution_id):
        return None

    def get(self, execution_id):
        return self.executions.get(execution_id)


@pytest.fixture
def store():
    return MovedStore(ended=SimpleNamespace(state=State.COMPLETED))


@pytest.fixture
def client(store):
    users, publisher = Users(list, is_on_loopback=True), Publisher("redis://127.0.0.1:1/0")
    return create_app(Catalog([]), store, publisher, users, 1000).test_client()


def test_what_was_moved_has_ended_already(client):
    reply = client.post("/acme/cancelExecution/ended")
    assert (reply.status_code, reply.json["message"]) == (
        409,
        "ended: it has ended already (completed).",
    )
    assert client.post("/acme/cancelExecution/nobody").status_code == 404
