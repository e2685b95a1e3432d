"""Connections to Redis, and the errors that leave this package when it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from atom.redaction import masked_url
from atom.store.failures import translated
from atom.store.pool import FreshPool, FreshSentinelPool
from atom.urls import is_watched, watched_redis

_CONNECT_SECONDS: Final = 3.0
REPLY_SECONDS: Final = 10.0
# As many as there are threads that ask at once: the driver refuses the 101st unless it is told so.
_MOST_CONNECTIONS: Final = 2**31


def connect(url: str, reply_seconds: float = REPLY_SECONDS, *, retries: bool = True) -> Any:
    """A pool of connections; safe to share between threads, and to use after a fork.

    A command whose connection turns out to be closed is sent once more over a new one: each can be
    repeated, since Redis may have had it. Without retries it is not, and takes no longer than
    connecting and its reply may.

    Any: the driver's types leave open whether replies are decoded; ours are bytes.

    Raises:
        StoreUnavailable: the URL is none.
    """
    retry = Retry(NoBackoff(), int(retries), supported_errors=(redis.ConnectionError,))
    options = {
        "max_connections": _MOST_CONNECTIONS,
        "socket_connect_timeout": min(_CONNECT_SECONDS, reply_seconds),
        "socket_timeout": reply_seconds,
        "retry": retry,
    }
    with guarded(url):
        if is_watched(url):
            return redis.Redis.from_pool(_sentinel_pool(url, options))
        return redis.Redis.from_pool(FreshPool.from_url(url, **options))


def _sentinel_pool(url: str, options: dict[str, Any]) -> Any:
    watched = watched_redis(url)
    # Neither is typed by the driver.
    make_sentinel: Any = redis.Sentinel
    make_pool: Any = FreshSentinelPool
    return make_pool(
        watched.master_name,
        make_sentinel(watched.sentinels, sentinel_kwargs=watched.sentinel_options),
        ssl=watched.tls is not None,
        **(watched.tls or {}),
        db=watched.database,
        username=watched.username,
        password=watched.password,
        **options,
    )


def server_time(client: Any) -> datetime:
    """Return the time by the clock of Redis, the one clock for all hosts."""
    seconds, microseconds = client.time()
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


@contextmanager
def guarded(url: str) -> Iterator[None]:
    """Translate every error of the driver, so that none leaves this package.

    Raises:
        StoreUnavailable, StoreForbidden, StoreRefused: in its place; see `failures`.
    """
    try:
        yield
    except redis.RedisError as error:
        raise translated(error, masked_url(url)) from error
