"""Advice to operators: what is offered succeeds, what is refused by the store is not offered."""

from dataclasses import replace

import pytest

from atom.execution import advice, operating
from atom.records import Replay, Restart, State, Step
from atom.store import open_store
from atom.store.encryption import new_key
from atom.suspension import Wait, WaitKind
from tests.contract.conftest import KEY
from tests.support.children import begun
from tests.support.executions import an_attempt, new_execution

PRIVATE = b'{"inputs":"canary-password"}'
RESPONSE = b'{"invokeType":"FORWARD"}'


def accepted(store, **changes):
    new = new_execution(**changes)
    store.accept(new)
    return new.id


def running(store, **changes):
    claim = store.claim(accepted(store, **changes), "w", "1")
    store.record_step(claim, 1, Step("one", "1"))
    return claim


def ended(store, state, **changes):
    claim = running(store, **changes)
    store.finish(claim, state, RESPONSE, "why")
    return claim.id


def delivered(store, state, verdict="delivered", **changes):
    keep = changes.pop("keep", False)
    execution_id = ended(store, state, **changes)
    store.record_delivery(store.claim_delivery(execution_id), verdict, an_attempt(), keep=keep)
    return execution_id


def sending(store):
    execution_id = ended(store, State.FAILED)
    store.claim_delivery(execution_id)
    return execution_id


def child(store):
    (child_id,) = begun(store, running(store), 1, 1)
    store.finish(store.claim(child_id, "w", "1"), State.FAILED, b"{}", "why")
    return child_id


def with_cleanup(store, *, is_running):
    claim = store.claim(accepted(store), "w", "1", has_cleanup=True)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    if is_running:
        (cleanup,) = store.children(claim.id)
        assert store.claim(cleanup.id, "w", "1")
    return claim.id


def dismissed(store, state, **changes):
    execution_id = delivered(store, state, **changes)
    store.dismiss(execution_id)
    return execution_id


CASES = {
    "accepted": accepted,
    "running": lambda store: running(store).id,
    "completed": lambda store: delivered(store, State.COMPLETED),
    "completed with secrets": lambda store: delivered(
        store, State.COMPLETED, private_request=PRIVATE
    ),
    **{
        state.value: lambda store, s=state: delivered(store, s) for state in State if state.is_final
    },
    "failed with secrets": lambda store: delivered(store, State.FAILED, private_request=PRIVATE),
    "faulted with secrets": lambda store: delivered(store, State.FAULTED, private_request=PRIVATE),
    "faulted with secrets and due": lambda store: ended(
        store, State.FAULTED, private_request=PRIVATE
    ),
    "dismissed": lambda store: dismissed(store, State.FAILED),
    "dismissed with secrets": lambda store: dismissed(store, State.FAILED, private_request=PRIVATE),
    "due": lambda store: ended(store, State.FAILED),
    "sending": sending,
    "parked": lambda store: delivered(store, State.FAILED, "parked"),
    "parked and completed": lambda store: delivered(store, State.COMPLETED, "parked"),
    "parked and dismissed": lambda store: _dismissed_parked(store),
    "kept": lambda store: delivered(store, State.COMPLETED, keep=True),
    "nobody waits": lambda store: ended(store, State.FAILED, token="", callback_uri=""),
    "child": child,
    "cleanup waits": lambda store: with_cleanup(store, is_running=False),
    "cleanup runs": lambda store: with_cleanup(store, is_running=True),
}


def _dismissed_parked(store):
    execution_id = delivered(store, State.FAILED, "parked")
    store.dismiss(execution_id)
    return execution_id


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("from_start", [True, False])
def test_retry_is_offered_if_and_only_if_the_store_takes_it(store, case, from_start):
    execution_id = CASES[case](store)
    execution, family = store.get(execution_id), store.children(execution_id)
    offer = advice.retry(execution, family, from_start=from_start)
    predicted = advice.retry_verdict(execution, family, from_start=from_start)
    done = operating.retry(store, execution_id, from_start=from_start)
    assert done.is_done is (offer.refusal == "")
    if not done.is_done:
        assert done.message == f"cannot be retried: {offer.refusal}"
        assert store.restart(execution_id, from_start=from_start) is predicted


@pytest.mark.parametrize("case", CASES)
def test_replay_is_offered_if_and_only_if_the_store_takes_it(store, case):
    execution_id = CASES[case](store)
    offer = advice.replay(store.get(execution_id))
    done = operating.replay(store, execution_id)
    assert done.is_done is (offer.refusal == "")
    assert done.is_done or done.message == offer.refusal


@pytest.mark.parametrize("case", CASES)
def test_dismissal_is_offered_if_and_only_if_the_store_takes_it(store, case):
    execution_id = CASES[case](store)
    is_offered = advice.is_dismissable(store.get(execution_id))
    assert operating.dismiss(store, execution_id).is_done is is_offered
    assert not advice.is_dismissable(store.get(execution_id))
    assert not operating.dismiss(store, execution_id).is_done


@pytest.mark.parametrize("from_start", [True, False])
def test_retry_is_not_offered_without_the_key(settings, store, from_start):
    mine = open_store(replace(settings, secret_key=(KEY,)))
    other = open_store(replace(settings, secret_key=(new_key(),)))
    for changes in ({}, {"private_request": PRIVATE}, {"authorization": "user"}):
        execution_id = delivered(mine, State.FAILED, **changes)
        offer = advice.retry(other.get(execution_id), from_start=from_start)
        assert "ATOM_SECRET_KEY" in offer.refusal
        assert not operating.retry(other, execution_id, from_start=from_start).is_done
        assert not advice.retry(mine.get(execution_id), from_start=from_start).refusal
    for each in (mine, other):
        each.close()


def test_refusal_names_the_parent_of_a_child(store):
    execution = store.get(child(store))
    (line,) = advice.lines(execution)
    assert line == f"It cannot be retried: it is a child; retry its parent {execution.parent}."


def test_advice_names_the_commands_that_help(store):
    failed, due, parked = (
        delivered(store, State.FAILED),
        ended(store, State.COMPLETED),
        delivered(store, State.FAILED, "parked"),
    )
    assert list(advice.lines(store.get(failed))) == [
        f"To run it again: atom executions retry {failed} --from-failed-step"
    ]
    assert list(advice.lines(store.get(due))) == [
        f"Its callback waits for its next try. To try it now: atom callbacks replay {due}"
    ]
    assert list(advice.lines(store.get(parked))) == [
        f"Its callback is parked. To send it again: atom callbacks replay {parked}",
        f"To run it again: atom executions retry {parked} --from-failed-step",
    ]
    assert list(advice.lines(store.get(delivered(store, State.COMPLETED)))) == []


def test_advice_names_the_signal_that_is_awaited(store):
    claim = running(store)
    store.suspend(claim, Wait(name="go on", kind=WaitKind.SIGNAL, until=None))
    (line,) = advice.lines(store.get(claim.id))
    assert line == f"To give the signal: atom executions signal {claim.id} 'go on'"


def test_reason_against_a_retry_names_the_cause_of_missing_secrets(settings, raw):
    causes = {
        ("retry", ()): "no ATOM_SECRET_KEY encrypted them",
        ("never", (KEY,)): "ATOM_KEEP_SECRETS=never",
    }
    for (rule, keys), cause in causes.items():
        store = open_store(replace(settings, keep_secrets=rule, secret_key=keys))
        execution_id = delivered(store, State.FAILED, private_request=PRIVATE)
        assert cause in operating.retry(store, execution_id, from_start=False).message
        store.close()


def test_refusal_of_a_retry_without_secrets_offers_a_copy_if_it_can_be_copied(store):
    copyable = store.get(delivered(store, State.COMPLETED, private_request=PRIVATE))
    nobody_waits = replace(copyable, callback_uri="")  # as for a data action
    for execution, hint in (
        (copyable, "start the flow again, or give the secrets to a copy (--as-copy)"),
        (replace(copyable, request=None), "start the flow again"),
        (nobody_waits, "start the flow again"),
    ):
        refusal = advice.retry(execution, from_start=True).refusal
        reason = "the secrets of its request were deleted when it completed"
        assert refusal == f"{reason}; {hint}"


def test_nothing_is_said_of_an_unknown_execution_but_that(store):
    assert store.restart("nobody", from_start=True) is Restart.UNKNOWN
    assert store.replay("nobody") is Replay.UNKNOWN
    for done in (
        operating.retry(store, "nobody", from_start=True),
        operating.replay(store, "nobody"),
    ):
        assert (done.is_done, advice.UNKNOWN in done.message) == (False, True)
