"""What recovery does with far more than it can publish: little, and nothing twice."""

import threading
from collections import Counter
from dataclasses import replace

import orjson
import pytest
import redis

from atom import names
from atom.catalog import load_catalog
from atom.cli.embedded_redis import EmbeddedRedis
from atom.execution.recovery import Recovery
from atom.names import PROCESSES
from atom.publisher import Publisher
from atom.settings import Settings
from atom.store import RedisStore, redis_recovery
from atom.store.files import file_store
from tests.support.executions import new_execution

MANY = 100_000
AT_ONCE = 500
WRITTEN_AT_ONCE = 5000


@pytest.fixture
def own_redis(tmp_path):
    """Its own, for what is written here is much."""
    with EmbeddedRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def settings(own_redis):
    return replace(
        Settings(),
        redis_url=own_redis.url,
        services=("tests.support.services",),
        republish_seconds=0,
        max_pending=2 * MANY,
    )


@pytest.fixture(autouse=True)
def long_put_offs(monkeypatch):
    """No time passes but where a test says so: it must not matter how fast the machine is."""
    for kind in list(redis_recovery._PUT_OFF_SECONDS):
        monkeypatch.setitem(redis_recovery._PUT_OFF_SECONDS, kind, 86_400.0)


@pytest.fixture
def raw(settings):
    with redis.Redis.from_url(settings.redis_url) as client:
        yield client


class CountingStore(RedisStore):
    """Knows how many ids it handed out."""

    taken = 0

    def _take(self, key, kind, limit):
        found = super()._take(key, kind, limit)
        self.taken += len(found)
        return found

    def take_scheduled(self, limit):
        found = super().take_scheduled(limit)
        self.taken += len(found)
        return found


@pytest.fixture
def store(settings):
    store = CountingStore(settings)
    yield store
    store.close()


def recovery_over(settings, store):
    return Recovery(
        load_catalog(settings.services), store, Publisher(settings.broker), file_store(settings)
    )


def accept_many(store, count):
    """Accept so many, each of a tenant of its own, by the script that accepts each; their ids."""
    ids = []
    while len(ids) < count:
        with store._redis.pipeline(transaction=False) as pipeline:
            real, accept = store._scripts.accept, _InPipeline(store._scripts.accept, pipeline)
            store._scripts.accept = accept
            try:
                for _ in range(min(WRITTEN_AT_ONCE, count - len(ids))):
                    own = f"tenant {len(ids)}"
                    new = new_execution(service="Trial", action="Echo", tenant_id=own)
                    store.accept(new)
                    ids.append(new.id)
            finally:
                store._scripts.accept = real
            assert all(verdict == b"new" and is_out for (verdict, is_out), *_ in pipeline.execute())
    return ids


class _InPipeline:
    """The accept script, whose answer comes later."""

    def __init__(self, script, pipeline):
        self._script, self._pipeline = script, pipeline

    def __call__(self, keys, arguments):
        in_time = (*arguments, 0, 2**53)
        self._script._script(keys=list(keys), args=in_time, client=self._pipeline)
        return b"stored", b""


def publish_many(settings, raw, ids):
    """A message for each, made from a real one."""
    Publisher(settings.broker).publish("Trial.Echo", ids[0], PROCESSES)
    (message,) = raw.lrange(PROCESSES, 0, -1)
    raw.delete(PROCESSES)
    for start in range(0, len(ids), WRITTEN_AT_ONCE):
        part = ids[start : start + WRITTEN_AT_ONCE]
        copies = [message.replace(ids[0].encode(), each.encode()) for each in part]
        raw.lpush(PROCESSES, *copies)


def published(raw):
    """How often each id is in the queue."""
    return Counter(orjson.loads(each)["headers"]["id"] for each in raw.lrange(PROCESSES, 0, -1))


def let_time_pass(raw, *indexes):
    """What was put off is due once more."""
    for index in indexes or (names.ACCEPTED,):
        raw.zunionstore(index, {index: 0})


@pytest.mark.timeout(300)
def test_a_backlog_is_not_published_again_and_again(settings, store, raw):
    recovery = recovery_over(settings, store)
    ids = accept_many(store, MANY)
    publish_many(settings, raw, ids)
    assert raw.zcard(names.ACCEPTED) == raw.llen(PROCESSES) == MANY

    for _ in range(20):
        store.taken = 0
        assert recovery.tick() == {}
        assert store.taken == AT_ONCE
        let_time_pass(raw)
    assert raw.llen(PROCESSES) == MANY

    raw.delete(PROCESSES)  # every message is lost
    for _ in range(5):
        store.taken = 0
        recovery.tick()
        assert store.taken == AT_ONCE
        assert raw.llen(PROCESSES) == AT_ONCE
        let_time_pass(raw)
    assert set(published(raw).values()) == {1}

    raw.rpop(PROCESSES, 120)  # so many have begun
    assert recovery.tick() == {"unstarted published again": 120}
    assert raw.llen(PROCESSES) == AT_ONCE
    assert raw.zcard(names.ACCEPTED) == MANY


def test_the_whole_backlog_is_published_in_the_end(settings, store, raw):
    recovery = recovery_over(settings, store)
    ids = accept_many(store, 1800)
    seen = Counter()
    for _ in range(4):
        recovery.tick()
        seen += published(raw)
        raw.delete(PROCESSES)
    assert seen == Counter(ids)


# --- several recovery processes


def unstarted(store, count):
    return accept_many(store, count)


def lost(store, count):
    """Claimed by workers of whom nothing was heard since."""
    ids = accept_many(store, count)
    for each in ids:
        store.release(store.claim(each, "gone", "1"))
    return ids


def handed_back(store, count):
    ids = accept_many(store, count)
    for each in ids:
        store.hand_back(store.claim(each, "ending", "1"))
    return ids


@pytest.mark.parametrize("kind", [unstarted, lost, handed_back])
def test_two_recovery_processes_publish_each_once(settings, raw, store, kind):
    ids = kind(store, 2000)
    barrier = threading.Barrier(2)
    ended = []

    def look():
        own = CountingStore(settings)
        recovery = recovery_over(settings, own)
        barrier.wait()
        taken = -1
        while own.taken != taken:  # until there is nothing left to take
            taken = own.taken
            recovery.tick()
        own.close()
        ended.append(own.taken)

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    seen = published(raw)
    assert len(ended) == 2
    assert set(seen.values()) == {1}
    assert set(seen) <= set(ids)
    if kind is not unstarted:
        assert set(seen) == set(ids)
    else:  # the rest waits until the queue is short; each of the two leaves room for the other
        assert AT_ONCE <= len(seen) <= 2 * AT_ONCE
    assert sum(ended) >= len(ids)
