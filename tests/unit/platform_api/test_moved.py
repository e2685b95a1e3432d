"""Executions that are in the history database, and what is said while that is away."""

from types import SimpleNamespace

import pytest

from atom.catalog import Catalog
from atom.console import Users
from atom.errors import HistoryUnavailable
from atom.history import Page
from atom.platform_api import create_app
from atom.publisher import Publisher
from atom.records import State


class MovedStore:
    """Redis has nothing any more; the database has what it is given, or is away."""

    def __init__(self, **executions):
        self.executions = executions
        self.is_away = False

    def envelope(self, execution_id):
        return None

    def get(self, execution_id):
        if self.is_away:
            raise HistoryUnavailable("The history database at sqlite:///x does not answer.")
        return self.executions.get(execution_id)

    def find(self, limit, wanted, *, older_than):
        return Page([], problem="It does not answer." if self.is_away else "")


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


def test_while_the_history_is_away_nobody_is_told_that_there_is_nothing(client, store):
    assert client.post("/acme/ExecutionRecord/query", json={}).json["numberOfResults"] == 0
    store.is_away = True
    for reply in (
        client.post("/acme/ExecutionRecord/query", json={}),
        client.get("/acme/ExecutionRecord/async/ended"),
        client.post("/acme/cancelExecution/ended"),
    ):
        assert reply.status_code == 503
        assert reply.json["message"] == "The history database does not answer; try again."
        assert reply.headers["Retry-After"] == "5"
