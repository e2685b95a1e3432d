"""Executions whose writes Redis refuses: they fail with a sentence, and their slot is free."""

import threading
import time
from collections.abc import Iterator

import pytest
import redis

from atom import Fault, FlowService, Profile, fields
from atom.cli.embedded_redis import EmbeddedRedis
from atom.errors import StoreForbidden
from atom.execution import lease
from atom.records import State
from tests.contract.conftest import short_times
from tests.support.permissions import USER, grant
from tests.support.running import Worker
from tests.support.waiting import until

LIMIT = 2_097_152
BIG = "x" * (LIMIT + 1)

large = FlowService("Large", summary="Processes with large values", version="1")
during = {"end": lambda: None}  # what happens to Redis while a process runs


class Text(Profile):
    text = fields.String(data_key="Text")


def item_of(item, execution):
    return len(item)


def item_returning(item, execution):
    return BIG


@large.message_action("Response", response=Text)
def response(request, execution):
    return {"text": BIG}


@large.message_action("Fault", response=Text)
def fault(request, execution):
    raise Fault(BIG)


@large.message_action("Error", response=Text)
def error(request, execution):
    raise ValueError(BIG)


@large.message_action("Step", response=Text)
def step(request, execution):
    execution.step("big", lambda: BIG)


@large.message_action("Map", response=Text)
def map_(request, execution):
    execution.map("big", item_of, [BIG])


@large.message_action("Item", response=Text)
def item(request, execution):
    execution.map("big", item_returning, [1])


@large.message_action("Progress", response=Text)
def progress(request, execution):
    execution.progress(BIG)
    return {"text": "done"}


@large.message_action("During", response=Text)
def while_it_runs(request, execution):
    during["process"]()
    try:
        execution.step("small", lambda: 1)
    finally:
        during["end"]()
    return {"text": "done"}


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("small")) as server:
        yield server


@pytest.fixture
def raw(server) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        client.config_set("proto-max-bulk-len", str(LIMIT))
        yield client


@pytest.fixture
def worker(server, raw, monkeypatch) -> Iterator[Worker]:
    monkeypatch.setattr(lease, "_FORBIDDEN_SECONDS", 0.2)
    monkeypatch.setitem(during, "end", lambda: None)
    worker = Worker(short_times(grant(server.url)), large, max_step_bytes=2 * LIMIT)
    yield worker
    grant(server.url)
    worker.keeper.hand_back()
    worker.store.close()


@pytest.mark.parametrize("action", ["Response", "Step", "Map", "Item"])
def test_a_value_over_the_limit_fails_the_execution_at_once(worker, raw, action):
    found = worker.run(worker.accept(action))
    assert found.state is State.FAILED
    assert found.attempts == 1
    (child,) = worker.store.children(found.id) if action == "Item" else [found]
    assert "larger than Redis takes" in worker.store.get(child.id).error
    delivery = worker.store.claim_delivery(found.id)
    assert b"could not be completed; look for execution" in delivery.response
    assert len(delivery.response) < 10_000
    assert not raw.zcard("atom:leases")


@pytest.mark.parametrize("action", ["Fault", "Error"])
def test_a_text_over_the_limit_ends_the_execution(worker, raw, action):
    found = worker.run(worker.accept(action))
    assert found.state.is_final
    assert not raw.zcard("atom:leases")
    assert worker.store.claim_delivery(found.id) is not None


def test_progress_over_the_limit_is_dropped(worker):
    found = worker.run(worker.accept("Progress"))
    assert (found.state, found.progress) == (State.COMPLETED, None)


def deny(server, *rules):
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", USER, *rules)


def test_a_write_that_is_not_permitted_fails_the_execution(worker, server):
    during["process"] = lambda: deny(server, "-evalsha")
    during["end"] = lambda: deny(server, "+evalsha")
    found = worker.run(worker.accept("During"))
    assert found.state is State.FAILED
    assert "does not permit" in found.error


def test_an_end_that_is_not_permitted_frees_the_slot(worker, server, raw):
    execution_id = worker.accept("During")
    during["process"] = lambda: deny(server, "-evalsha")
    began = time.monotonic()
    with pytest.raises(StoreForbidden, match="does not permit"):
        worker.run(execution_id)
    assert time.monotonic() - began < 30  # and not until its deadline
    grant(server.url)
    during["process"] = lambda: None
    until(lambda: worker.run(execution_id).state is State.COMPLETED, "its lease to run out")
    assert worker.store.get(execution_id).losses == 1


def test_a_permission_that_comes_back_goes_unnoticed(worker, server, monkeypatch):
    monkeypatch.setattr(lease, "_FORBIDDEN_SECONDS", 60)

    def deny_for_a_while():
        deny(server, "-evalsha")
        threading.Timer(0.3, deny, [server, "+evalsha"]).start()

    during["process"] = deny_for_a_while
    found = worker.run(worker.accept("During"))
    assert (found.state, found.attempts) == (State.COMPLETED, 1)
