"""The stores that have to keep the contract."""

import io
import logging
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
import structlog

from atom.cli.embedded_redis import EmbeddedRedis
from atom.logs import configure_logging
from atom.settings import Settings
from atom.store import RedisStore, open_store
from atom.store.encryption import new_key
from tests.support.permissions import grant

KEY = new_key()


def short_times(redis_url: str, **changes: Any) -> Settings:
    """Settings whose times a test can outwait, and is sure to be ahead of where it has to be."""
    times = {"lease_seconds": 3.0, "republish_seconds": 0.1, "progress_seconds": 1.0}
    return replace(Settings(), redis_url=redis_url, **{**times, **changes})


@pytest.fixture(params=["plain", "encrypted", "with a database"])
def settings(
    embedded_redis: EmbeddedRedis, request: pytest.FixtureRequest, tmp_path: Path
) -> Settings:
    """Short times, so that a test can outwait them; with a key, a history database and neither.

    The store's Redis user has the documented permissions, and no others.
    """
    key = (KEY,) if request.param == "encrypted" else ()
    database = f"sqlite:///{tmp_path / 'history.db'}" if request.param == "with a database" else ""
    return short_times(grant(embedded_redis.url), secret_key=key, history_url=database)


@pytest.fixture
def raw(embedded_redis: EmbeddedRedis) -> Iterator[redis.Redis]:
    """The bare client, to look behind the store; the database is empty at the start."""
    with redis.Redis.from_url(embedded_redis.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(settings: Settings, raw: redis.Redis) -> Iterator[RedisStore]:
    """A store over an empty database."""
    store = open_store(settings)
    yield store
    store.close()


@pytest.fixture(scope="module")
def log() -> Iterator[io.StringIO]:
    """The log of a worker, as it is written; executions keep theirs as well."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    with redirect_stderr(stream):
        configure_logging("INFO", "text", "worker")
    yield stream
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.fixture
def told():
    """What a store said was to be published, in its order."""
    return []
