"""How connections to the store are shared, and when one is looked at before it is used again."""

import os

import pytest
import redis

from atom.store import pool as pool_module
from atom.store.connection import connect
from atom.store.pool import FreshPool


@pytest.fixture
def pool(embedded_redis):
    with FreshPool.from_url(embedded_redis.url) as pool:
        yield pool


def cut_off_all_clients(url):
    """Close every connection but its own from the server's side."""
    cutter = connect(url)
    try:
        cutter.client_kill_filter(_type="normal", skipme=True)
    finally:
        cutter.close()


def test_each_of_many_threads_has_a_connection(embedded_redis):
    """The driver's own bound of 100 would refuse a worker with more threads than that."""
    client = connect(embedded_redis.url)
    pool = client.connection_pool
    try:
        held = [pool.get_connection() for _ in range(150)]
        assert len(set(map(id, held))) == 150
        for each in held:
            pool.release(each)
    finally:
        client.close()


def test_what_was_given_back_is_handed_out_again(pool):
    connection = pool.get_connection()
    pool.release(connection)
    assert pool.get_connection() is connection
    assert pool.get_connection() is not connection


def test_what_is_closed_meanwhile_goes_unnoticed(embedded_redis):
    client = connect(embedded_redis.url)
    try:
        assert client.ping()
        cut_off_all_clients(embedded_redis.url)
        assert client.ping()
    finally:
        client.close()


def test_what_idled_is_looked_at(pool, embedded_redis, monkeypatch):
    monkeypatch.setattr(pool_module, "_FRESH_SECONDS", 0)
    client = redis.Redis(connection_pool=pool)  # which sends nothing again
    assert client.ping()
    cut_off_all_clients(embedded_redis.url)
    assert client.ping()


def test_a_reply_that_nobody_read_is_no_answer_to_the_next_command(pool):
    """As where a time limit interrupts whoever waits for it."""
    client = redis.Redis(connection_pool=pool)
    connection = pool.get_connection()
    try:
        connection.send_command("ECHO", "mine")
        assert connection.can_read(timeout=5)
        raise InterruptedError
    except InterruptedError:
        pool.release(connection)
    assert client.echo("yours") == b"yours"


def test_a_process_that_was_forked_has_connections_of_its_own(pool, monkeypatch):
    connection = pool.get_connection()
    pool.release(connection)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert pool.get_connection() is not connection


def test_all_are_closed_in_the_end(pool):
    used, unused = pool.get_connection(), pool.get_connection()
    pool.release(unused)
    pool.close()
    assert not used.is_connected
    assert not unused.is_connected
