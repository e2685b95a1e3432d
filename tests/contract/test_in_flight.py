"""Unfinished executions, read without a claim."""

import time
from dataclasses import fields, replace

import pytest

from atom import names
from atom.children import OpenJoin
from atom.entries import EntryKey
from atom.errors import UnknownFormat, Unreadable
from atom.records import State, Step
from atom.store import open_store
from atom.store.encryption import new_key
from atom.suspension import WaitKind
from tests.contract.test_cleanups import cleanup_of
from tests.contract.test_ending_and_restarting import RESPONSE, accepted, hold, running
from tests.contract.test_holds import time_wait
from tests.support.children import begun, join_of
from tests.support.redis_content import values_by_key

# A read depends neither on a worker nor on the time of a claim.
OF_THE_CLAIM = {"claimed_at", "worker_version", "is_of_several_versions"}


def check_read(store, raw, execution_id):
    """Check that a read returns what a claim returns, and changes nothing; return both."""
    before = values_by_key(raw)
    in_flight = store.in_flight(execution_id)
    assert values_by_key(raw) == before
    claim = hold(store, execution_id)
    for field in fields(claim):
        if field.name not in OF_THE_CLAIM:
            expected = getattr(claim, field.name)
            assert getattr(in_flight.claim, field.name) == expected, field.name
    assert in_flight.steps == store.steps(claim)
    return in_flight, claim


def test_accepted_execution_is_read_as_its_first_attempt_claims_it(store, raw):
    execution_id = accepted(store, authorization="user", request=b'{"inputs":[]}')
    in_flight, _ = check_read(store, raw, execution_id)
    assert (in_flight.claim.attempt, in_flight.steps, in_flight.join) == (1, {}, None)


def test_suspended_execution_is_read_with_its_steps_waits_and_tokens(store, raw):
    claim = running(store)
    store.record_step(claim, 1, Step("price", "3", function="price"))
    token = store.signal_token(claim, "approve")
    store.suspend(claim, time_wait("settle", 0))
    suspended = store.in_flight(claim.id)
    assert suspended.claim.waits[EntryKey("settle")].kind is WaitKind.TIME
    assert suspended.signal_tokens == {"approve": token}
    assert store.take_suspended(10) == 1
    in_flight, _ = check_read(store, raw, claim.id)
    assert in_flight.steps[1].key == EntryKey("price")
    assert (in_flight.claim.attempt, suspended.claim.attempt) == (1, 1)


def test_execution_handed_back_is_read_as_its_next_attempt(store, raw):
    claim = running(store)
    store.hand_back(claim)
    in_flight, _ = check_read(store, raw, claim.id)
    assert in_flight.claim.attempt == 2


def test_open_join_is_read_without_its_children(store):
    claim = running(store)
    store.open_join(claim, replace(join_of(2), function="ship"))
    join = store.in_flight(claim.id).join
    assert join == OpenJoin(key=EntryKey("items"), function="ship", digest="d", total=2)


def test_child_is_read_with_the_request_of_the_nearest_ancestor_that_is_not_an_item(store, raw):
    claim = running(store, request=b'{"inputs":[]}', private_request=b'{"inputs":[1]}')
    (child,) = begun(store, claim)
    in_flight, claim_of_child = check_read(store, raw, child)
    assert in_flight.claim.parent_request == b'{"inputs":[1]}'
    (grandchild,) = begun(store, claim_of_child)
    in_flight, _ = check_read(store, raw, grandchild)
    assert in_flight.claim.parent_request == b'{"inputs":[1]}'


def test_cleanup_is_read_with_the_end_that_it_follows(store, raw):
    claim = store.claim(accepted(store), "w", "1", has_cleanup=True)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    in_flight, _ = check_read(store, raw, cleanup_of(store, claim.id).id)
    assert (in_flight.claim.ending.state, in_flight.claim.parent_request) == (State.FAILED, None)


def test_ended_or_unknown_execution_is_not_read(store):
    claim = running(store)
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    assert store.in_flight(claim.id) is None
    assert store.in_flight("unknown") is None


def test_execution_of_another_format_is_refused(store, raw):
    execution_id = accepted(store)
    raw.hset(names.execution_key(execution_id), "format", 2)
    with pytest.raises(UnknownFormat, match=f"{execution_id} has the format 2"):
        store.in_flight(execution_id)


def test_execution_encrypted_with_another_key_is_unreadable(settings, raw):
    encrypting = open_store(replace(settings, secret_key=(new_key(),)))
    other = open_store(replace(settings, secret_key=(new_key(),)))
    execution_id = accepted(encrypting)
    assert encrypting.in_flight(execution_id) is not None
    with pytest.raises(Unreadable, match=execution_id):
        other.in_flight(execution_id)
    encrypting.close()
    other.close()


def test_unfinished_executions_are_listed_with_children_and_cleanups_newest_first(store, raw):
    def later(execution_id):
        time.sleep(0.002)  # the order is that of the milliseconds of acceptance
        return execution_id

    waiting = later(accepted(store))
    parent = running(store)
    later(None)
    (child,) = begun(store, parent)
    later(None)
    ended = store.claim(accepted(store), "w", "1", has_cleanup=True)
    later(None)
    store.finish(ended, State.COMPLETED, RESPONSE, "")
    cleanup = later(cleanup_of(store, ended.id).id)
    other = accepted(store, service="Other")
    before = values_by_key(raw)
    unfinished = store.unfinished(10)
    assert unfinished.ids == [other, cleanup, child, parent.id, waiting]
    assert store.unfinished(2) == ([other, cleanup], 5)
    assert store.unfinished(2, "CRM") == ([cleanup, child], 4)
    assert store.unfinished(2, "Unknown") == ([], 0)
    assert values_by_key(raw) == before
