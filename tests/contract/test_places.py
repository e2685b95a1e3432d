"""Places of max_concurrency, where what takes or awaits one is out of the ordinary."""

import pytest

from atom import names
from atom.store import RedisStore
from tests.support.executions import new_execution

PROCESS = "CRM.Retrieve"
HOUR_MS = 3_600_000


@pytest.fixture
def store(settings, raw, told):
    store = RedisStore(settings, on_released=told.extend)
    store.set_windows({"processes": 5})
    yield store
    store.close()


def accepted(store, count, **changes):
    news = [new_execution(**changes) for _ in range(count)]
    for each in news:
        store.accept(each)
    return [each.id for each in news]


def test_what_runs_on_for_hours_after_its_end_keeps_its_place(store, raw):
    """In a pool of threads it cannot be killed."""
    first, second = accepted(store, 2)
    claim = store.claim(first, "w", "1", 1)
    store.cancel(first, b"{}", "")
    key = f"{names.LEAVING}:{PROCESS}"
    raw.pexpire(key, HOUR_MS)  # so much is left of its time, as often as its lease is renewed
    assert store.renew([claim]) == [claim]
    assert raw.pttl(key) > HOUR_MS
    assert store.claim(second, "w", "1", 1) is None
