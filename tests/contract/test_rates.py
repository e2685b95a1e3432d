"""How often a tenant and a service may ask; what is refused leaves no trace."""

from dataclasses import replace

import pytest

from atom.errors import TooManyRequests
from atom.store import RedisStore
from tests.support.executions import new_execution
from tests.support.waiting import until

# So seldom that nothing comes back while a test runs.
SELDOM = 1 / 3600


@pytest.fixture
def limited(settings, raw):
    """A store that takes one request an hour from each tenant."""
    store = RedisStore(replace(settings, tenant_requests_per_second=SELDOM))
    yield store
    store.close()


def taken_at_once(store):
    """How many are taken one after the other until one is refused."""
    for taken in range(10_000):
        try:
            store.accept(new_execution())
        except TooManyRequests:
            return taken
    return 10_000


def test_a_tenant_that_asks_too_often_is_refused(limited, raw):
    limited.accept(new_execution())
    before = sorted(raw.keys())
    with pytest.raises(TooManyRequests, match=r"^Tenant “tenant” .*ATOM_TENANT_REQ") as refused:
        limited.accept(new_execution())
    assert 3590 < refused.value.retry_after_seconds <= 3600
    assert sorted(raw.keys()) == before
    assert limited.accept(new_execution(tenant_id="another")).is_new


def test_a_service_that_is_asked_too_often_refuses(store):
    store.accept(new_execution(service_rate=SELDOM))
    with pytest.raises(TooManyRequests, match=r"^Service “CRM” .*requests_per_second"):
        store.accept(new_execution(service_rate=SELDOM, tenant_id="another"))
    assert store.accept(new_execution(service="Other", service_rate=SELDOM)).is_new


def test_what_is_known_is_answered_and_not_counted(settings, raw):
    store = RedisStore(replace(settings, tenant_requests_per_second=SELDOM))
    new = new_execution()
    store.accept(new)
    for _ in range(5):
        assert store.accept(new) == (new.id, False, False)
    assert taken_at_once(store) == 0
    assert store.accept(new) == (new.id, False, False)
    store.close()


def test_what_one_rate_refuses_is_not_counted_by_the_other(limited, raw):
    limited.accept(new_execution())
    for _ in range(3):
        with pytest.raises(TooManyRequests, match="Tenant"):
            limited.accept(new_execution(service_rate=2 * SELDOM, service="Other"))
    assert limited.accept(
        new_execution(service_rate=2 * SELDOM, service="Other", tenant_id="another")
    ).is_new


def test_as_many_as_a_second_gives_may_come_at_once(settings, raw):
    store = RedisStore(replace(settings, tenant_requests_per_second=50))
    assert taken_at_once(store) >= 50

    def is_taken():
        try:
            return store.accept(new_execution()).is_new
        except TooManyRequests:
            return False

    until(is_taken, "a request to be taken again", 5)
    store.close()


def test_a_rate_that_is_off_writes_nothing(store, raw):
    store.accept(new_execution())
    assert raw.keys("atom:rate*") == []


def test_what_was_paid_for_is_forgotten_in_time(limited, raw):
    limited.accept(new_execution(service_rate=SELDOM))
    assert all(0 < raw.pttl(key) <= 3_600_001 for key in raw.keys("atom:rate*"))
    assert len(raw.keys("atom:rate*")) == 2
