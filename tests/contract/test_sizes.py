"""Values that are larger than Redis takes: refused before they are sent, by whoever has to know."""

from collections.abc import Iterator

import pytest
import redis

from atom.cli.embedded_redis import EmbeddedRedis
from atom.errors import StoreUnavailable, ValueTooLarge
from atom.records import State, Step
from atom.store import RedisStore
from atom.store.encryption import new_key
from tests.contract.conftest import short_times
from tests.contract.test_ending_and_restarting import RESPONSE, running
from tests.support.children import child, join_of
from tests.support.dying import Parts, starter
from tests.support.executions import new_execution
from tests.support.permissions import grant

LIMIT = 2_097_152
BIG = b"x" * (LIMIT + 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedRedis]:
    """A Redis whose limit is low."""
    with EmbeddedRedis(tmp_path_factory.mktemp("small")) as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("proto-max-bulk-len", str(LIMIT))
        yield server


@pytest.fixture
def raw(server) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def settings(server):
    """Of a user who may not read the configuration of Redis."""
    return short_times(grant(server.url))


@pytest.fixture
def store(settings, raw) -> Iterator[RedisStore]:
    store = RedisStore(settings)
    yield store
    store.close()


WRITES = {
    "accept": lambda store, claim: store.accept(new_execution(request=BIG)),
    "finish": lambda store, claim: store.finish(claim, State.COMPLETED, BIG, ""),
    "private": lambda store, claim: store.finish(claim, State.COMPLETED, b"{}", "", BIG),
    "error": lambda store, claim: store.finish(claim, State.FAILED, b"{}", BIG.decode()),
    "step": lambda store, claim: store.record_step(claim, 1, Step("s", BIG.decode())),
    "progress": lambda store, claim: store.progress(claim, BIG.decode(), None),
    "signal": lambda store, claim: store.signal(claim.id, "go", BIG.decode(), None),
    "cancel": lambda store, claim: store.cancel(claim.id, BIG, ""),
    "child": lambda store, claim: store.spawn(
        claim, {0: child(claim.id, store.open_join(claim, join_of(1)).nonce, 0, request=BIG)}
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_value_over_the_limit_is_not_sent(store, raw, write):
    claim = running(store)
    store.open_join(claim, join_of(1))
    keys, sent = set(raw.keys()), raw.info("stats")["total_net_input_bytes"]
    with pytest.raises(ValueTooLarge, match=r"larger than Redis takes \(proto-max-bulk-len\)"):
        WRITES[write](store, claim)
    assert raw.info("stats")["total_net_input_bytes"] - sent < 100_000
    assert set(raw.keys()) == keys
    store.finish(claim, State.COMPLETED, RESPONSE, "")  # it is held still, and can be ended


@pytest.mark.parametrize("size", [1_048_576, 1_048_577, LIMIT])
def test_a_value_at_the_limit_is_stored(store, size):
    new = new_execution(request=b"x" * size)
    store.accept(new)
    assert store.claim(new.id, "w", "1").request == new.request


def test_what_encryption_adds_counts(settings, raw):
    store = RedisStore(short_times(settings.redis_url, secret_key=(new_key(),)))
    with pytest.raises(ValueTooLarge):
        store.accept(new_execution(request=b"x" * LIMIT))
    store.accept(new_execution(request=b"x" * (LIMIT // 2)))
    store.close()


def test_a_limit_that_is_changed_counts_at_once(store, raw):
    new = new_execution(request=BIG)
    with pytest.raises(ValueTooLarge):
        store.accept(new)
    raw.config_set("proto-max-bulk-len", str(2 * LIMIT))
    try:
        store.accept(new)
    finally:
        raw.config_set("proto-max-bulk-len", str(LIMIT))


def test_without_redis_nobody_knows(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        store = RedisStore(short_times(server.url))
        store.ping()
    with pytest.raises(StoreUnavailable):
        store.accept(new_execution(request=BIG))
    store.close()


@pytest.fixture
def parts(settings, raw) -> Iterator[Parts]:
    parts = Parts(settings)
    yield parts
    parts.bare_store.close()


def document(text: str) -> dict[str, object]:
    value = {"developerName": "File", "contentType": "ContentString", "contentValue": text}
    return {
        "token": "t",
        "tenantId": "11111111-1111-4111-8111-111111111111",
        "callbackUri": "https://flow.boomi.com/api/run/1/response",
        "inputs": [value],
    }


def test_a_request_over_the_limit_is_answered_with_413(parts, raw):
    answer = parts.app.test_client().post("/fs/Witness/actions/Work", json=document("x" * LIMIT))
    assert answer.status_code == 413
    assert "nothing was started" in answer.json["message"]
    assert not raw.exists("atom:history")


def test_so_is_one_of_the_platform_api(parts):
    with pytest.raises(Exception, match="nothing was started") as refused:
        starter(parts).start("Witness.Work", "tenant", {"File": "x" * LIMIT}, {})
    assert getattr(refused.value, "status", None) == 413


def test_an_event_over_the_limit_is_answered_with_413(settings, store, raw):
    parts = Parts(short_times(settings.redis_url, max_step_bytes=2 * LIMIT))
    claim = running(store)
    url = f"/signals/{claim.id}/go?token={store.signal_token(claim, 'go')}"
    answer = parts.app.test_client().post(url, json="x" * LIMIT)
    assert answer.status_code == 413, answer.json
    assert store.signal_event(claim, "go") is None
    parts.bare_store.close()
