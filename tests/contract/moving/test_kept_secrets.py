"""Kept secrets move to the history database and back encrypted, and are deleted in both places."""

from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from atom import names
from atom.errors import HistoryUnavailable
from atom.records import Restart, Secrets, State
from atom.store.encryption import new_key
from tests.contract.conftest import KEY
from tests.support.executions import an_attempt, new_execution
from tests.support.moving import RESPONSE, move
from tests.support.redis_content import content_of
from tests.support.waiting import until

PRIVATE = b'{"inputs":"canary-password"}'


@pytest.fixture
def settings(settings):
    return replace(settings, secret_key=(KEY,))


def end(store, execution_id, state):
    store.finish(store.claim(execution_id, "w", "1"), state, RESPONSE, "why")
    delivery = store.claim_delivery(execution_id)
    if delivery is not None:
        store.record_delivery(delivery, "delivered", an_attempt())


@pytest.fixture(params=[State.FAULTED, State.FAILED])
def moved(request, make_store, store):
    """An execution that did not complete, in the database alone.

    A failed one that nobody dismissed is moved once its retention in Redis is over.
    """
    new = new_execution(private_request=PRIVATE, authorization="canary-user")
    store.accept(new)
    end(make_store(retention_days=1e-9), new.id, request.param)
    until(lambda: move(store), "its move", 5)
    return new.id


def rows(history_url):
    """Return all that the database holds, as text."""
    engine = create_engine(history_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = [connection.execute(text(f"SELECT * FROM {each}")).all() for each in TABLES]
    engine.dispose()
    return "\n".join(str(value) for table in found for row in table for value in row)


TABLES = ("atom_executions", "atom_children")


def private_request(history_url):
    return "private_request" in rows(history_url)


@pytest.mark.parametrize("from_start", [True, False])
def test_secrets_come_back_with_a_retry(store, raw, history_url, moved, from_start):
    assert private_request(history_url)
    assert "canary" not in rows(history_url)
    assert store.get(moved).secrets is Secrets.KEPT
    assert store.restart(moved, from_start=from_start) is Restart.RESTARTED
    # The execution in Redis is the only one with secrets from here on.
    assert not private_request(history_url)
    claim = store.claim(moved, "w", "1")
    assert (claim.request, claim.authorization) == (PRIVATE, "canary-user")
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    assert move(store) == 1
    assert store.get(moved).secrets is Secrets.DELETED_WHEN_COMPLETED
    assert "canary" not in rows(history_url)
    assert b"canary" not in content_of(raw)


def test_retry_that_failed_is_moved_with_its_secrets(store, history_url, moved):
    store.restart(moved, from_start=True)
    store.finish(store.claim(moved, "w", "1"), State.FAULTED, RESPONSE, "no")
    assert move(store) == 1
    assert private_request(history_url)
    assert store.restart(moved, from_start=True) is Restart.RESTARTED


def test_dismissed_after_its_move_it_loses_its_secrets(store, history_url, moved):
    assert store.dismiss(moved)
    assert not private_request(history_url)
    assert "authorization" not in rows(history_url)
    assert store.get(moved).secrets is Secrets.DELETED_WHEN_DISMISSED
    assert store.restart(moved, from_start=True) is Restart.SECRET
    assert not store.dismiss(moved)


def test_dismissed_between_copy_and_removal_it_is_copied_without_them(store, history_url):
    new = new_execution(private_request=PRIVATE, authorization="canary-user")
    store.accept(new)
    end(store, new.id, State.FAULTED)
    (settled,) = store.take_settled(10)
    copied = store.copy_settled([settled])
    assert store.dismiss(new.id)
    assert not private_request(history_url)
    assert store.remove_copied(copied) == 0
    assert move(store) == 1
    assert store.get(new.id).secrets is Secrets.DELETED_WHEN_DISMISSED


def test_dismissal_before_a_late_copy_is_not_undone(store, history_url):
    """A mover that stalled between reading and writing writes the secrets once more."""
    new = new_execution(private_request=PRIVATE, authorization="canary-user")
    store.accept(new)
    end(store, new.id, State.FAULTED)
    exported = list(store._exported(store.take_settled(10)))
    assert store.dismiss(new.id)
    store._sql.copy(exported)
    assert private_request(history_url)
    assert move(store) == 1
    assert not private_request(history_url)


def test_dismissal_in_redis_does_not_need_the_database(store, make_store, monkeypatch):
    new = new_execution(private_request=PRIVATE)
    store.accept(new)
    end(store, new.id, State.FAULTED)
    store.copy_settled(store.take_settled(10))

    def away(*_):
        raise HistoryUnavailable("away")

    monkeypatch.setattr(store._sql, "delete_secrets", away)
    assert store.dismiss(new.id)
    assert store.restart(new.id, from_start=True) is Restart.SECRET


@pytest.mark.parametrize("keys", [(), (new_key(),)])
def test_without_the_key_it_is_not_even_brought_back(make_store, store, raw, moved, keys):
    other = make_store(secret_key=keys)
    assert other.get(moved).secrets is Secrets.UNREADABLE
    assert other.restart(moved, from_start=True) is Restart.UNREADABLE
    assert not raw.exists(names.execution_key(moved))
    assert store.restart(moved, from_start=True) is Restart.RESTARTED


def test_key_rotates_while_it_is_in_the_database(make_store, moved):
    rotated = make_store(secret_key=(new_key(), KEY))
    assert rotated.restart(moved, from_start=True) is Restart.RESTARTED
    assert rotated.claim(moved, "w", "1").request == PRIVATE


def test_secrets_end_with_the_retention_of_the_history(make_store, history_url, moved):
    store = make_store(history_retention_days=1e-9)
    assert store.trim(10) == 1
    assert not private_request(history_url)


def test_database_never_gets_unencrypted_secrets(make_store, history_url, raw):
    store = make_store(secret_key=())
    new = new_execution(private_request=PRIVATE, authorization="canary-user")
    store.accept(new)
    end(store, new.id, State.FAULTED)
    assert move(store) == 1
    assert "canary" not in rows(history_url)
    assert store.restart(new.id, from_start=True) is Restart.SECRET
    assert store.get(new.id).secrets is Secrets.DELETED_WITHOUT_KEY


# --- a process dies between two writes


class Dies(BaseException):
    """The process ends here."""


def dies(*_):
    raise Dies


def test_death_between_return_and_restart_loses_no_secret(store, history_url, moved, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(store._scripts, "restart", _after_return(store, moved))
        with pytest.raises(Dies):
            store.restart(moved, from_start=True)
    assert store.get(moved).state.is_final
    until(lambda: move(store), "its second move", 5)
    assert private_request(history_url)
    assert store.restart(moved, from_start=True) is Restart.RESTARTED
    assert store.claim(moved, "w", "1").request == PRIVATE


def _after_return(store, execution_id):
    """Return a script that runs until the execution is back in Redis, where the process dies."""
    restart = store._scripts.restart

    def run(*arguments):
        if store._is_here(execution_id):
            raise Dies
        return restart(*arguments)

    return run


def test_copy_loses_its_secrets_although_the_process_died_after_the_restart(
    store, history_url, moved, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(store._sql, "delete_secrets", dies)
        with pytest.raises(Dies):
            store.restart(moved, from_start=True)
    assert private_request(history_url), "encrypted, until the copy is replaced"
    assert "canary" not in rows(history_url)
    store.finish(store.claim(moved, "w", "1"), State.COMPLETED, RESPONSE, "")
    until(lambda: move(store), "its second move", 5)
    assert not private_request(history_url)
    assert store.get(moved).secrets is Secrets.DELETED_WHEN_COMPLETED


def test_copy_loses_its_secrets_although_the_process_died_after_the_dismissal(
    store, history_url, monkeypatch
):
    new = new_execution(private_request=PRIVATE, authorization="canary-user")
    store.accept(new)
    end(store, new.id, State.FAULTED)
    store.copy_settled(store.take_settled(10))
    with monkeypatch.context() as patched:
        patched.setattr(store._sql, "delete_secrets", dies)
        with pytest.raises(Dies):
            store.dismiss(new.id)
    assert private_request(history_url)
    until(lambda: move(store), "its move", 5)
    assert not private_request(history_url)
    assert store.restart(new.id, from_start=True) is Restart.SECRET
