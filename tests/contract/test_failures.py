"""Which errors of a real Redis pass, which an operator has to end, and which are permanent."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from atom.cli.embedded_redis import EmbeddedRedis
from atom.errors import AtomError, StoreForbidden, StoreRefused, StoreUnavailable
from atom.store.connection import connect, guarded

WRITE = "return redis.call('SET', 'k', ARGV[1])"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("failing")) as server:
        yield server


@pytest.fixture
def admin(server) -> Iterator[redis.Redis]:
    """A client with every permission; the server is as new after each test."""
    client = connect(server.url)
    client.flushall()
    yield client
    client.replicaof("NO", "ONE")
    client.config_set("maxmemory", "0")
    client.config_set("min-replicas-to-write", "0")
    client.config_set("proto-max-bulk-len", "512mb")
    client.close()


@contextmanager
def user(server: EmbeddedRedis, *rights: str, password: str = "pw") -> Iterator[redis.Redis]:
    """A client of a user with these rights."""
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">pw", *rights)
    host = server.url.removeprefix("redis://")
    client = connect(f"redis://limited:{password}@{host}")
    try:
        yield client
    finally:
        client.close()


def error_of(call: Callable[[], object], url: str = "redis://:secret@redis/0") -> AtomError:
    """Return what a failing call raises outside of the store."""
    with pytest.raises(AtomError) as raised, guarded(url):
        call()
    assert "secret" not in str(raised.value)
    return raised.value


def in_pipeline(client: redis.Redis) -> None:
    """Write in a pipeline, for which the driver words its errors differently."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.get("k")
        pipeline.set("k", "v")
        pipeline.execute()


WRITES = pytest.mark.parametrize(
    "write",
    [lambda c: c.set("k", "v"), lambda c: c.eval(WRITE, 0, "v"), in_pipeline],
    ids=["command", "script", "pipeline"],
)


@WRITES
def test_too_few_replicas_pass(admin, write):
    admin.config_set("min-replicas-to-write", "1")
    assert type(error_of(lambda: write(admin))) is StoreUnavailable


@WRITES
def test_a_replica_passes(admin, server, write):
    admin.replicaof("127.0.0.1", "1")
    assert type(error_of(lambda: write(admin))) is StoreUnavailable


@WRITES
def test_full_memory_passes(admin, write):
    admin.config_set("maxmemory", "1")
    assert type(error_of(lambda: write(admin))) is StoreUnavailable


def test_a_busy_script_passes(admin, server):
    admin.config_set("busy-reply-threshold", "50")
    ended: list[AtomError] = []
    endless = connect(server.url)
    thread = threading.Thread(
        target=lambda: ended.append(error_of(lambda: endless.eval("while true do end", 0)))
    )
    thread.start()
    with redis.Redis.from_url(server.url) as other:
        for _ in range(1000):
            try:
                other.ping()
            except redis.ResponseError as busy:
                found = busy
                break
        assert type(error_of(lambda: other.set("k", "v"))) is StoreUnavailable
        assert str(found).startswith("BUSY")
        other.script_kill()
    thread.join()
    endless.close()
    assert [type(each) for each in ended] == [StoreUnavailable]


def test_a_server_that_is_away_passes(tmp_path):
    with EmbeddedRedis(tmp_path) as server:
        client = connect(server.url)
        client.ping()
    assert type(error_of(client.ping)) is StoreUnavailable
    client.close()


def test_a_reply_that_does_not_come_passes(admin, server):
    impatient = connect(server.url, 0.1, retries=False)
    assert type(error_of(lambda: impatient.blpop("empty", timeout=5))) is StoreUnavailable
    impatient.close()


@pytest.mark.parametrize("rights", ["~* +@all -set", "~other:* +@all"], ids=["command", "key"])
@WRITES
def test_a_missing_permission_is_for_an_operator(admin, server, rights, write):
    with user(server, *rights.split()) as client:
        error = error_of(lambda: write(client))
    assert type(error) is StoreForbidden
    assert "docs/operating.md" in str(error)


def test_scripts_that_are_not_allowed_are_for_an_operator(admin, server):
    with user(server, "~*", "+@all", "-@scripting") as client:
        assert type(error_of(lambda: client.eval(WRITE, 0, "v"))) is StoreForbidden


def test_a_wrong_password_is_for_an_operator(admin, server):
    with user(server, "~*", "+@all", password="another") as client:
        assert type(error_of(client.ping)) is StoreForbidden


def test_a_command_that_the_server_lacks_is_for_an_operator(admin):
    assert type(error_of(lambda: admin.execute_command("RENAMED"))) is StoreForbidden
    in_script = "return redis.call('RENAMED')"
    assert type(error_of(lambda: admin.eval(in_script, 0))) is StoreForbidden


@pytest.mark.parametrize(
    "script",
    [
        "return nil + 1",
        "return (",
        "return redis.call('SADD', 'k', unpack({}, 1, 9000))",
        "return redis.call('LPUSH', 'text', 1)",
        "return redis.call('SET', 'k')",
    ],
)
def test_a_script_that_fails_is_permanent(admin, script):
    admin.set("text", "v")
    assert type(error_of(lambda: admin.eval(script, 0))) is StoreRefused


def test_a_key_of_another_type_is_permanent(admin):
    admin.set("text", "v")
    assert type(error_of(lambda: admin.lpush("text", "v"))) is StoreRefused


def test_a_value_that_the_driver_cannot_send_is_permanent(admin):
    assert type(error_of(lambda: admin.set("k", object()))) is StoreRefused


def test_script_that_a_restart_removed_from_a_pipeline_is_passing(admin):
    """The driver looks for the scripts of a pipeline before it sends the pipeline."""
    script = admin.register_script(WRITE)
    with admin.pipeline(transaction=False) as pipeline:
        script(args=["x"], client=pipeline)
        pipeline.load_scripts()
        pipeline.scripts.clear()
        admin.script_flush()
        error = error_of(pipeline.execute)
    assert type(error) is StoreUnavailable
    assert "NOSCRIPT" in str(error)
