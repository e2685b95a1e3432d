"""A worker that lacks a key: it leaves what it cannot read to others, and says so in one line."""

import logging
from dataclasses import replace

import orjson
import pytest

from atom import names
from atom.errors import Unreadable
from atom.records import State, Step
from atom.store import RedisStore
from atom.store.encryption import new_key
from tests.contract.conftest import short_times
from tests.support.dying import Parts
from tests.support.executions import new_execution

OLD, NEW = new_key(), new_key()


@pytest.fixture
def settings(embedded_redis):
    return short_times(embedded_redis.url, secret_key=(NEW,))


@pytest.fixture
def runner(settings, raw):
    parts = Parts(settings)
    parts.keeper.start()
    yield parts.runner
    parts.keeper.hand_back()


def accepted(store, tmp_path):
    """One of the witness's, which writes a line for each step that runs."""
    file = tmp_path / "lines"
    request = {
        "tenantId": "tenant",
        "callbackUri": "https://flow.boomi.com/api/run/1/response",
        "inputs": [
            {"developerName": "File", "contentType": "ContentString", "contentValue": str(file)}
        ],
    }
    new = new_execution(service="Witness", action="Work", request=orjson.dumps(request))
    store.accept(new)
    return new.id, file


def test_a_request_that_cannot_be_read(settings, runner, store, tmp_path):
    other = RedisStore(replace(settings, secret_key=(OLD,)))
    execution_id, file = accepted(other, tmp_path)
    with pytest.raises(Unreadable):
        runner.run(execution_id, "1")
    assert other.get(execution_id).state is State.ACCEPTED
    assert not file.exists()
    other.close()


def test_steps_that_cannot_be_read(settings, runner, store, raw, tmp_path, caplog):
    other = RedisStore(replace(settings, secret_key=(OLD, NEW)))
    execution_id, file = accepted(store, tmp_path)
    claim = other.claim(execution_id, "other", "1")
    other.record_step(claim, 1, Step("one", '"of the other"'))
    other.hand_back(claim)
    with caplog.at_level(logging.ERROR):
        assert runner.run(execution_id, "1") == "unreadable"
    (line,) = caplog.records
    assert f"execution {execution_id}" in line.getMessage()
    assert "ATOM_SECRET_KEY" in line.getMessage()
    assert not file.exists(), "the process has not begun"
    found = store.get(execution_id)
    assert (found.state, found.tries, found.losses, found.error) == (State.ACCEPTED, 0, 0, None)
    assert runner.run(execution_id, "1") == "nothing to do", "not at once"
    raw.hset(names.execution_key(execution_id), "not_before", 1)
    claim = other.claim(execution_id, "other", "1")
    assert other.steps(claim) == {1: Step("one", '"of the other"')}
    other.close()
