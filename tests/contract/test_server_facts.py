"""What the Redis server says of itself, and whether it takes a write."""

import signal

import pytest

from atom.cli.embedded_redis import EmbeddedRedis
from atom.errors import StoreUnavailable
from atom.settings import Settings
from atom.store import RedisStore


@pytest.fixture
def own(tmp_path):
    """A server that a test may spoil, a store on it, and a bare client."""
    with EmbeddedRedis(tmp_path) as server:
        store = RedisStore(Settings(redis_url=server.url), within_seconds=5)
        yield store, store._redis
        store.close()


def test_what_it_says_of_itself(own):
    store, raw = own
    facts = store.facts()
    assert facts.version[0].isdigit()
    assert facts.used_bytes > 0
    assert (facts.max_bytes, facts.policy, facts.evicted) == (0, "noeviction", 0)
    assert facts.is_append_only
    assert not facts.is_replica
    assert facts.failed == ()
    assert 0 < facts.clients < facts.max_clients
    raw.config_set("maxmemory", "100mb")
    raw.config_set("maxmemory-policy", "allkeys-lru")
    raw.config_set("appendonly", "no")
    facts = store.facts()
    assert (facts.max_bytes, facts.policy) == (104_857_600, "allkeys-lru")
    assert not facts.is_append_only


def test_it_takes_a_write_and_leaves_nothing_for_good(own):
    store, raw = own
    store.check_writable()
    assert all(0 < raw.ttl(key) <= 60 for key in raw.scan_iter())


def test_a_full_one_takes_none(own):
    store, raw = own
    raw.config_set("maxmemory", "1")
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        store.check_writable()
    store.ping()  # it answers all the same
    raw.config_set("maxmemory", "0")
    store.check_writable()


def test_a_replica_takes_none(own, embedded_redis):
    store, raw = own
    host, port = embedded_redis.url.removeprefix("redis://").removesuffix("/0").split(":")
    raw.replicaof(host, port)
    try:
        with pytest.raises(StoreUnavailable, match="read only"):
            store.check_writable()
        assert store.facts().is_replica
    finally:
        raw.replicaof("NO", "ONE")
    store.check_writable()


def test_who_cannot_wait_is_not_kept_waiting(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        store = RedisStore(Settings(redis_url=server.url), within_seconds=0.2)
        store.ping()
        server.process.send_signal(signal.SIGSTOP)  # it stands still
        try:
            with pytest.raises(StoreUnavailable):
                store.ping()
        finally:
            server.process.send_signal(signal.SIGCONT)
        store.close()
