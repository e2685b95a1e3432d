"""The secrets of a request after its end: kept encrypted for a retry, deleted with the last use."""

from dataclasses import replace

import pytest

from atom import names
from atom.records import Restart, Secrets, State, Step, StepKind
from atom.store import RedisStore
from atom.store.encryption import new_key
from tests.contract.conftest import short_times
from tests.support.executions import an_attempt, new_execution
from tests.support.redis_content import content_of, values_by_key

OLD, NEW = new_key(), new_key()
PRIVATE = b'{"inputs":"canary-password"}'
UNCOMPLETED = [State.FAILED, State.FAULTED, State.TIMED_OUT, State.CANCELLED]
FAILURE = Step("broken", '{"kinds":["builtins.ValueError"],"reason":"x"}', StepKind.FAILURE)


@pytest.fixture
def with_keys(embedded_redis, raw):
    """Make stores with these keys over one database."""
    stores = []

    def make(*keys, **changes):
        settings = short_times(embedded_redis.url, secret_key=keys)
        stores.append(RedisStore(replace(settings, **changes)))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(with_keys):
    return with_keys(NEW)


def accepted(store, **changes):
    values = {"private_request": PRIVATE, "authorization": "canary-user", **changes}
    new = new_execution(**values)
    store.accept(new)
    return new.id


def attempt(store, execution_id):
    claim = store.claim(execution_id, "w", "1")
    assert claim is not None
    return claim


def end(store, execution_id, state):
    """End a claimed execution as its worker, a timeout or an operator does."""
    if state is State.CANCELLED:
        assert store.cancel(execution_id, b"{}", "cancelled")
    else:
        store.finish(attempt(store, execution_id), state, b"{}", "why", b'{"of":"canary-output"}')


def ended(store, state, **changes):
    """Return an execution that ended so, and whose flow knows."""
    execution_id = accepted(store, **changes)
    end(store, execution_id, state)
    deliver(store, execution_id)
    return execution_id


def deliver(store, execution_id, verdict="delivered"):
    delivery = store.claim_delivery(execution_id)
    assert delivery is not None
    store.record_delivery(delivery, verdict, an_attempt())
    return delivery


def documents(raw, execution_id):
    return raw.hgetall(names.documents_key(execution_id))


def secret_fields(raw, execution_id):
    """Return the secret fields that an execution still has, each of which must be encrypted."""
    found = documents(raw, execution_id)
    fields = (b"token", b"authorization", b"private_request", b"private_response")
    kept = {name: found[name] for name in fields if name in found}
    assert all(value.startswith(b"\xff") for value in kept.values())
    return set(kept)


KEPT = {b"authorization", b"private_request"}


@pytest.mark.parametrize("state", UNCOMPLETED)
@pytest.mark.parametrize("from_start", [True, False])
def test_uncompleted_execution_is_retried_with_its_secrets(store, raw, state, from_start):
    execution_id = ended(store, state)
    assert secret_fields(raw, execution_id) == KEPT
    assert store.get(execution_id).secrets is Secrets.KEPT
    assert b"canary" not in content_of(raw)

    assert store.restart(execution_id, from_start=from_start) is Restart.RESTARTED
    claim = attempt(store, execution_id)
    assert (claim.request, claim.authorization, claim.token) == (PRIVATE, "canary-user", "")
    assert b"canary" not in content_of(raw)

    store.finish(claim, State.FAILED, b"{}", "again")
    assert secret_fields(raw, execution_id) == KEPT, "a retry that fails can be retried"
    assert store.restart(execution_id, from_start=from_start) is Restart.RESTARTED
    store.finish(attempt(store, execution_id), State.COMPLETED, b"{}", "")
    assert secret_fields(raw, execution_id) == set()
    assert store.get(execution_id).secrets is Secrets.DELETED_WHEN_COMPLETED
    assert store.restart(execution_id, from_start=True) is Restart.SECRET


def test_completed_execution_loses_its_secrets_with_its_callback(store, raw):
    execution_id = accepted(store)
    end(store, execution_id, State.COMPLETED)
    assert secret_fields(raw, execution_id) == {*KEPT, b"token", b"private_response"}
    deliver(store, execution_id)
    assert secret_fields(raw, execution_id) == set()
    assert store.restart(execution_id, from_start=True) is Restart.SECRET


@pytest.mark.parametrize("state", UNCOMPLETED)
def test_dismissed_execution_loses_its_secrets(store, raw, state):
    execution_id = ended(store, state)
    assert store.dismiss(execution_id)
    assert secret_fields(raw, execution_id) == set()
    assert store.get(execution_id).secrets is Secrets.DELETED_WHEN_DISMISSED
    assert store.restart(execution_id, from_start=True) is Restart.SECRET
    assert not store.dismiss(execution_id)


def test_dismissal_does_not_take_the_secrets_from_a_callback_under_way(store, raw):
    execution_id = accepted(store)
    end(store, execution_id, State.FAILED)
    assert store.dismiss(execution_id)
    delivery = deliver(store, execution_id)
    assert delivery.authorization == "canary-user"
    assert delivery.response == b'{"of":"canary-output"}'
    assert secret_fields(raw, execution_id) == set()


def test_retry_takes_a_dismissal_back(store, raw):
    execution_id = accepted(store)
    end(store, execution_id, State.FAILED)
    assert store.dismiss(execution_id)
    deliver(store, execution_id, "parked")
    assert store.restart(execution_id, from_start=False) is Restart.RESTARTED
    end(store, execution_id, State.FAILED)
    deliver(store, execution_id)
    assert secret_fields(raw, execution_id) == KEPT


def test_dismissed_parked_callback_takes_the_secrets_along(store, raw):
    execution_id = accepted(store)
    end(store, execution_id, State.FAILED)
    deliver(store, execution_id, "parked")
    assert store.dismiss(execution_id)
    assert secret_fields(raw, execution_id) == set()


def test_dismissal_of_an_execution_that_is_gone_writes_nothing(store, raw):
    execution_id = ended(store, State.FAILED)
    raw.delete(names.execution_key(execution_id), names.documents_key(execution_id))
    assert not store.dismiss(execution_id)
    assert not raw.exists(names.execution_key(execution_id))


@pytest.mark.parametrize("state", UNCOMPLETED)
def test_secrets_are_never_kept_without_a_key(with_keys, raw, state):
    store = with_keys()
    execution_id = ended(store, state)
    assert not documents(raw, execution_id).keys() & {*KEPT, b"token", b"private_response"}
    assert b"canary" not in content_of(raw)
    assert store.get(execution_id).secrets is Secrets.DELETED_WITHOUT_KEY
    assert store.restart(execution_id, from_start=True) is Restart.SECRET


def test_secrets_written_before_there_was_a_key_are_deleted(with_keys, store, raw):
    execution_id = accepted(with_keys())
    end(store, execution_id, State.FAILED)
    deliver(store, execution_id)
    assert b"canary" not in content_of(raw)
    assert secret_fields(raw, execution_id) == set()


def test_secrets_are_deleted_if_the_setting_says_never(with_keys, raw):
    store = with_keys(NEW, keep_secrets="never")
    execution_id = ended(store, State.FAILED)
    assert secret_fields(raw, execution_id) == set()
    assert store.get(execution_id).secrets is Secrets.DELETED_BY_SETTING


def test_request_without_secrets_keeps_its_running_user(store, raw):
    execution_id = ended(store, State.FAILED, private_request=None)
    assert secret_fields(raw, execution_id) == {b"authorization"}
    assert store.get(execution_id).secrets is None
    assert store.restart(execution_id, from_start=True) is Restart.RESTARTED
    assert attempt(store, execution_id).authorization == "canary-user"


def test_list_shows_what_became_of_the_secrets(store):
    kept, deleted = ended(store, State.FAILED), ended(store, State.COMPLETED)
    without = ended(store, State.FAILED, private_request=None)
    shown = {each.id: each.secrets for each in store.find(10).executions}
    assert shown == {kept: Secrets.KEPT, deleted: Secrets.DELETED_WHEN_COMPLETED, without: None}


def test_secrets_end_with_the_retention(with_keys, raw):
    store = with_keys(NEW, retention_days=1e-9)
    execution_id = ended(store, State.FAILED)
    assert secret_fields(raw, execution_id) == KEPT
    assert store.trim(10) == 1
    assert not raw.exists(names.documents_key(execution_id))


# --- with other keys


@pytest.mark.parametrize("from_start", [True, False])
@pytest.mark.parametrize("keys", [(), (OLD,)])
def test_retry_without_the_key_is_refused_before_anything_changes(
    store, with_keys, raw, keys, from_start
):
    execution_id = ended(store, State.FAILED)
    other, before = with_keys(*keys), executions_in(raw)
    assert other.get(execution_id).secrets is Secrets.UNREADABLE
    assert other.restart(execution_id, from_start=from_start) is Restart.UNREADABLE
    assert executions_in(raw) == before
    assert store.restart(execution_id, from_start=from_start) is Restart.RESTARTED
    assert attempt(store, execution_id).request == PRIVATE


def executions_in(raw):
    """Return the whole content, except for the replies that are kept for repeated calls."""
    found = values_by_key(raw)
    return {key: found[key] for key in found if not key.startswith(b"atom:calls:")}


def test_running_user_without_a_key_refuses_a_retry(store, with_keys, raw):
    new = new_execution(authorization="canary-user")
    store.accept(new)
    end(store, new.id, State.FAILED)
    deliver(store, new.id)
    assert with_keys(OLD).restart(new.id, from_start=True) is Restart.UNREADABLE


def test_unreadable_steps_only_refuse_a_retry_that_keeps_them(store, with_keys, raw):
    execution_id = accepted(store)
    claim = attempt(store, execution_id)
    with_keys(OLD).record_step(claim, 1, Step("one", "1"))
    store.finish(claim, State.FAILED, b"{}", "why")
    deliver(store, execution_id)
    assert store.restart(execution_id, from_start=False) is Restart.UNREADABLE
    assert store.restart(execution_id, from_start=True) is Restart.RESTARTED


def test_keys_rotate_between_the_end_and_the_retry(with_keys, raw):
    execution_id = accepted(with_keys(OLD))
    both = with_keys(NEW, OLD)
    claim = attempt(both, execution_id)
    both.record_step(claim, 1, Step("one", "1"))
    both.record_step(claim, 2, FAILURE)
    both.finish(claim, State.FAILED, b"{}", "why")
    deliver(with_keys(NEW, OLD), execution_id)
    assert both.restart(execution_id, from_start=False) is Restart.RESTARTED
    again = attempt(with_keys(NEW, OLD), execution_id)
    assert (again.request, both.steps(again)) == (PRIVATE, {1: Step("one", "1")})


def test_refusal_names_the_first_reason(store, with_keys):
    """An execution that cannot be retried anyway is not a matter of keys."""
    other = with_keys(OLD)
    running = accepted(store)
    assert other.restart(running, from_start=True) is Restart.UNFINISHED
    assert other.restart(ended(store, State.COMPLETED), from_start=False) is Restart.COMPLETED
    assert other.restart("nobody", from_start=True) is Restart.UNKNOWN
