"""A write whose reply is lost is sent again, and reports what the first one did."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from atom.catalog import Catalog
from atom.credentials import Credential
from atom.entries import EntryKey
from atom.errors import CredentialError
from atom.execution import operating
from atom.records import Restart, State
from atom.store import Result, open_store
from atom.store.credential_store import CredentialStore
from atom.suspension import Signalled, Wait, WaitKind
from tests.contract.test_ending_and_restarting import (
    FAILURE,
    RESPONSE,
    accepted,
    delivered,
    finished,
    running,
)
from tests.support.executions import an_attempt, new_execution
from tests.support.wire import Wire

NOBODY = Catalog([])


@pytest.fixture
def wire(settings) -> Iterator[Wire]:
    with Wire(settings.redis_url) as wire:
        yield wire


@pytest.fixture
def remote(settings, wire, told) -> Iterator[Any]:
    """A store behind the wire, which tells whose turn it is."""
    store = open_store(replace(settings, redis_url=wire.url), on_released=told.extend)
    yield store
    store.close()


def suspended(store) -> str:
    claim = running(store)
    wait = Wait(name="approval", kind=WaitKind.SIGNAL, until=None)
    store.suspend(claim, wait)
    return claim.id


def failed(store) -> str:
    claim = running(store)
    store.record_step(claim, 1, FAILURE)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    delivery = store.claim_delivery(claim.id)
    store.record_delivery(delivery, "delivered", an_attempt())
    return claim.id


def synchronous(store, *, is_running: bool = False) -> str:
    new = new_execution(token="", callback_uri="", is_synchronous=True, sync_timeout_seconds=60)
    store.accept(new)
    if is_running:
        assert store.claim(new.id, "w", "1")
    return new.id


def answered(store) -> str:
    new = new_execution(token="", callback_uri="", is_synchronous=True, sync_timeout_seconds=60)
    store.accept(new)
    store.finish(store.claim(new.id, "w", "1"), State.COMPLETED, RESPONSE, "")
    return new.id


OPERATIONS: dict[str, tuple[Callable[[Any], str], Callable[[Any, str], Any], Any]] = {
    "cancel one that waits": (
        accepted,
        lambda store, id: operating.cancel(NOBODY, store, id).message,
        "cancelled; it had not begun, and never will",
    ),
    "cancel one that runs": (
        lambda store: running(store).id,
        lambda store, id: operating.cancel(NOBODY, store, id).is_done,
        True,
    ),
    "cancel one that is suspended": (
        suspended,
        lambda store, id: operating.cancel(NOBODY, store, id).message,
        "cancelled while it was suspended; it will not go on",
    ),
    "time out": (
        lambda store: accepted(store, timeout_seconds=0),
        lambda store, id: store.time_out(id, RESPONSE, "late").was,
        State.ACCEPTED,
    ),
    "run again": (
        lambda store: delivered(store).id,
        lambda store, id: store.restart(id, from_start=True),
        Restart.RESTARTED,
    ),
    "run again from the failed step": (
        failed,
        lambda store, id: operating.retry(store, id, from_start=False).is_done,
        True,
    ),
    "run again from a step": (
        failed,
        lambda store, id: operating.retry(store, id, from_step=EntryKey("broken")).is_done,
        True,
    ),
    "replay": (
        lambda store: delivered(store, "parked").id,
        lambda store, id: operating.replay(store, id).is_done,
        True,
    ),
    "dismiss a callback": (
        lambda store: delivered(store, "parked").id,
        lambda store, id: operating.dismiss(store, id).is_done,
        True,
    ),
    "dismiss a failure": (
        lambda store: finished(store, State.FAILED).id,
        lambda store, id: operating.dismiss(store, id).is_done,
        True,
    ),
    "signal": (
        suspended,
        lambda store, id: store.signal(id, "approval", '"yes"', None),
        Signalled.WOKEN,
    ),
    "signal before it is waited for": (
        lambda store: running(store).id,
        lambda store, id: store.signal(id, "approval", '"yes"', None),
        Signalled.KEPT,
    ),
    "give up what has not begun": (synchronous, lambda store, id: store.give_up(id), True),
    "give up what runs": (
        lambda store: synchronous(store, is_running=True),
        lambda store, id: store.give_up(id),
        False,
    ),
    "give up what ended at that moment": (
        answered,
        lambda store, id: store.give_up(id),
        Result(State.COMPLETED, RESPONSE),
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_repeat_reports_what_the_first_one_did(store, remote, wire, name):
    prepare, operate, result = OPERATIONS[name]
    assert operate(remote, prepare(store)) == result  # the script is known from here on
    execution_id = prepare(store)
    wire.lose_reply_to(b"EVALSHA")
    assert operate(remote, execution_id) == result
    assert wire.losses == 1


def test_what_a_lost_reply_released_is_published(store, remote, wire, told):
    """A window has room for one: the end of that one brings the next."""
    for _ in range(2):
        remote.cancel(accepted(store), RESPONSE, "")
    told.clear()
    first, second = accepted(remote, tenant_id="busy"), accepted(remote, tenant_id="busy")
    wire.lose_reply_to(b"EVALSHA")
    assert remote.cancel(first, RESPONSE, "")
    assert wire.losses == 1
    assert [each.id for each in told] == [second]


def test_what_is_asked_for_twice_is_done_once(store, remote):
    """A later call is no repeat, however alike it is."""
    execution_id = delivered(store).id
    assert remote.restart(execution_id, from_start=True) is Restart.RESTARTED
    assert remote.restart(execution_id, from_start=True) is Restart.UNFINISHED
    assert remote.cancel(execution_id, RESPONSE, "") is not None
    assert remote.cancel(execution_id, RESPONSE, "") is None


def test_nothing_is_left_of_a_call_after_a_while(store, remote, raw):
    remote.cancel(accepted(store), RESPONSE, "")
    (kept,) = raw.keys("atom:calls:*")
    assert 0 < raw.pttl(kept) <= 60_000


def test_resuming_reports_that_it_was_paused(remote, wire):
    for losses in (0, 1):
        remote.pause("CRM")
        wire.lose_reply_to(b"EVALSHA", losses)
        assert remote.resume("CRM") is True
        assert wire.losses == losses
    assert remote.resume("CRM") is False


def test_credentials_are_created_and_revoked_once(settings, raw, wire):
    credentials = CredentialStore(replace(settings, redis_url=wire.url))
    new = Credential(name="ci", digest="d", services=(), created_at=datetime.now(UTC))
    wire.lose_reply_to(b"EXEC")
    credentials.add(new)
    wire.lose_reply_to(b"EXEC")
    credentials.revoke("ci")
    assert wire.losses == 2
    with pytest.raises(CredentialError, match="is revoked already"):
        credentials.revoke("ci")
    credentials.close()
