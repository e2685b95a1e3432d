"""A store with a history database: always SQLite, and PostgreSQL where it is installed."""

from dataclasses import replace

import pytest

from atom.store import open_store
from tests.contract.conftest import KEY, short_times


@pytest.fixture(params=[(), (KEY,)], ids=["plain", "encrypted"])
def settings(embedded_redis, request):
    """Of Redis alone."""
    return short_times(embedded_redis.url, secret_key=request.param)


@pytest.fixture(params=["sqlite", "postgresql"])
def history_url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("postgres").url
    return f"sqlite:///{tmp_path / 'history.db'}"


@pytest.fixture
def make_store(settings, raw, history_url):
    """Stores over both places; what has finished can be moved at once."""
    stores = []

    def make(**changes):
        asked = {"history_url": history_url, "history_after_hours": 1e-9, **changes}
        stores.append(open_store(replace(settings, **asked)))
        return stores[-1]

    yield make
    for each in stores:
        each.close()


@pytest.fixture
def store(make_store):
    return make_store()
