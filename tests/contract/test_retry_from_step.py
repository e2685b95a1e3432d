"""A retry from a recorded step, and the signals of an execution that is retried."""

import pytest

from atom import names
from atom.entries import EntryKey, EntryKind
from atom.execution import operating
from atom.records import CallbackState, Restart, State, Step, StepKind
from atom.suspension import Signalled, Wait, WaitKind
from tests.contract.test_ending_and_restarting import RESPONSE, hold, running
from tests.support.children import begun, join_of
from tests.support.executions import an_attempt
from tests.support.waiting import until

FAILURE = Step("broken", '{"kinds":["builtins.ValueError"],"reason":"x"}', StepKind.FAILURE)
JOURNAL = {
    1: Step("look up", '"Ada"'),
    2: Step("ship", "1"),
    3: Step("ship", "2", occurrence=2),
    4: Step("mail", "null"),
}


def record(store, claim, journal=None):
    for order, step in (journal or JOURNAL).items():
        store.record_step(claim, order, step)


def finish(store, claim, state=State.COMPLETED, verdict="delivered"):
    store.finish(claim, state, RESPONSE, "why")
    if delivery := store.claim_delivery(claim.id):
        store.record_delivery(delivery, verdict, an_attempt())


def end(store, state, verdict="delivered", journal=None):
    """Return an execution with a journal that ended in this state."""
    claim = running(store)
    record(store, claim, journal)
    if state is State.CANCELLED:
        store.cancel(claim.id, RESPONSE, "why")
        store.record_delivery(store.claim_delivery(claim.id), verdict, an_attempt())
    else:
        finish(store, claim, state, verdict)
    return claim.id


def orders(store, execution_id):
    return sorted(store.steps(hold(store, execution_id)))


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAULTED, State.FAILED, State.CANCELLED])
@pytest.mark.parametrize("verdict", ["delivered", "parked"])
def test_steps_before_the_named_one_are_kept(store, state, verdict):
    execution_id = end(store, state, verdict)
    assert store.restart(execution_id, from_step=EntryKey("ship")) is Restart.RESTARTED
    assert store.get(execution_id).state is State.ACCEPTED
    claim = hold(store, execution_id)
    assert store.steps(claim) == {1: JOURNAL[1]}
    has_callback = store.finish(claim, State.COMPLETED, b'{"new":1}', "").is_callback_due
    assert has_callback is (verdict == "parked"), "the flow gets the result if it still waits"
    assert store.get(execution_id).response == {"new": 1}


def test_timed_out_execution_is_retried_from_a_step(store):
    claim = running(store, timeout_seconds=0.01)
    record(store, claim)
    until(lambda: store.time_out(claim.id, RESPONSE, "late"), "its deadline")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    assert store.restart(claim.id, from_step=EntryKey("mail")) is Restart.RESTARTED
    assert [step.name for step in store.get(claim.id).steps] == ["look up", "ship", "ship"]


def test_occurrence_selects_one_of_several_steps(store):
    execution_id = end(store, State.COMPLETED)
    assert store.restart(execution_id, from_step=EntryKey("ship", 2)) is Restart.RESTARTED
    assert orders(store, execution_id) == [1, 2]


def test_first_step_leaves_an_empty_journal(store):
    execution_id = end(store, State.FAILED, journal={**JOURNAL, 5: FAILURE})
    assert store.restart(execution_id, from_step=EntryKey("look up")) is Restart.RESTARTED
    assert orders(store, execution_id) == []


@pytest.mark.parametrize("step", [EntryKey("shop"), EntryKey("ship", 3)])
def test_unknown_step_changes_nothing_and_is_answered_with_the_names(store, step):
    execution_id = end(store, State.FAILED)
    before = store.get(execution_id)
    assert store.restart(execution_id, from_step=step) is Restart.NO_STEP
    done = operating.retry(store, execution_id, from_step=step)
    assert not done.is_done
    assert "“look up”, “ship” (2 times), “mail”" in done.message
    assert f"“{step.name}”" in done.message
    assert store.get(execution_id) == before


def test_execution_without_steps_has_none_to_name(store):
    claim = running(store)
    finish(store, claim, State.FAILED)
    done = operating.retry(store, claim.id, from_step=EntryKey("ship"))
    assert not done.is_done
    assert "no step is recorded" in done.message


def test_journal_that_changed_meanwhile_is_left_alone(store, raw, monkeypatch):
    """Another operator retries, and the new attempt records another step under that number."""
    execution_id = end(store, State.COMPLETED)
    scripts, journal = store._scripts, {1: JOURNAL[1], 2: Step("pack", "1")}
    restart = scripts.restart

    def late(*arguments):
        monkeypatch.setattr(scripts, "restart", restart)
        assert store.restart(execution_id, from_start=True) is Restart.RESTARTED
        claim = hold(store, execution_id)
        record(store, claim, journal)
        store.finish(claim, State.COMPLETED, RESPONSE, "")
        return restart(*arguments)

    monkeypatch.setattr(scripts, "restart", late)
    assert store.restart(execution_id, from_step=EntryKey("ship")) is Restart.CHANGED
    found = store.get(execution_id)
    assert (found.state, [step.name for step in found.steps]) == (
        State.COMPLETED,
        ["look up", "pack"],
    )


def test_refusals_are_those_of_any_retry(store):
    step = EntryKey("ship")
    assert store.restart("nobody", from_step=step) is Restart.UNKNOWN
    claim = running(store)
    record(store, claim)
    assert store.restart(claim.id, from_step=step) is Restart.UNFINISHED
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    assert store.restart(claim.id, from_step=step) is Restart.UNDELIVERED
    assert store.get(claim.id).callback_state is CallbackState.DUE


# --- children


def joined(kind):
    return Step("items", "null", kind, entry=EntryKind.MAP)


def complete_one(store, child_id):
    store.finish(hold(store, child_id), State.COMPLETED, b'{"result":1}', "")


def family(store, kind, *, first, then):
    """Return an execution whose map ended in part, and the id of the child that completed."""
    claim = running(store)
    record(store, claim, first)
    done, other = begun(store, claim, 2)
    complete_one(store, done)
    store.finish(hold(store, other), State.FAULTED, b"{}", "no")
    store.close_join(claim, len(first) + 1, joined(kind))
    record(store, claim, then)
    finish(store, claim, State.FAILED)
    return claim.id, done


def test_children_of_a_dropped_map_run_again(store):
    execution_id, _ = family(store, StepKind.FAULT, first={1: Step("a", "1")}, then={3: FAILURE})
    store.restart(execution_id, from_step=EntryKey("items"))
    claim = hold(store, execution_id)
    join = store.open_join(claim, join_of(2))
    assert (join.ids, join.ends) == ({}, {})


def test_children_of_an_earlier_map_are_kept_for_its_own_retry(store):
    steps = {3: Step("b", "1"), 4: Step("c", "1")}
    execution_id, done = family(store, StepKind.FAULT, first={1: Step("a", "1")}, then=steps)
    store.restart(execution_id, from_step=EntryKey("b"))
    claim = hold(store, execution_id)
    assert sorted(store.steps(claim)) == [1, 2]
    finish(store, claim, State.FAILED)
    store.restart(execution_id, from_start=False)
    claim = hold(store, execution_id)
    assert sorted(store.steps(claim)) == [1]
    join = store.open_join(claim, join_of(2))
    assert (list(join.ids.values()), list(join.ends)) == ([done], [0])


def test_children_of_a_later_attempt_are_adopted(store):
    execution_id, _ = family(store, StepKind.FAULT, first={1: Step("a", "1")}, then={3: FAILURE})
    store.restart(execution_id, from_step=EntryKey("items"))
    claim = hold(store, execution_id)
    later, other = begun(store, claim, 2)
    complete_one(store, later)
    store.finish(hold(store, other), State.FAULTED, b"{}", "no")
    store.close_join(claim, 2, joined(StepKind.FAULT))
    store.finish(claim, State.FAILED, RESPONSE, "")
    store.restart(execution_id, from_start=False)
    join = store.open_join(hold(store, execution_id), join_of(2))
    assert (list(join.ids.values()), list(join.ends)) == ([later], [0])


@pytest.mark.parametrize("verdict", ["delivered", "parked"])
def test_children_of_an_open_map_run_again(store, verdict):
    claim = running(store)
    record(store, claim)
    done, _ = begun(store, claim, 2)
    complete_one(store, done)
    store.cancel(claim.id, RESPONSE, "why")
    store.record_delivery(store.claim_delivery(claim.id), verdict, an_attempt())
    store.restart(claim.id, from_step=EntryKey("mail"))
    join = store.open_join(hold(store, claim.id), join_of(2))
    assert (join.ids, join.ends) == ({}, {})


# --- waits and signals


def test_begun_waits_are_dropped(store):
    claim = running(store)
    record(store, claim)
    store.suspend(claim, Wait(name="pause", kind=WaitKind.SIGNAL, until=None))
    store.cancel(claim.id, RESPONSE, "why")
    store.record_delivery(store.claim_delivery(claim.id), "parked", an_attempt())
    store.restart(claim.id, from_step=EntryKey("mail"))
    claim = hold(store, claim.id)
    assert (claim.wait, claim.waits) == (None, {})


RETRIES = {
    "from start": {"from_start": True},
    "from failed step": {"from_start": False},
    "from step": {"from_step": EntryKey("approval")},
}


def approved(store, verdict):
    """Return an execution that failed after it was approved, and the token of its signal."""
    claim = running(store)
    token = store.signal_token(claim, "approval")
    assert store.signal(claim.id, "approval", '"yes"', token) is Signalled.KEPT
    record(store, claim, {1: Step("approval", '"yes"', entry=EntryKind.SIGNAL), 2: FAILURE})
    finish(store, claim, State.FAILED, verdict)
    assert store.signal(claim.id, "approval", '"no"', token) is Signalled.ENDED
    return claim.id, token


@pytest.mark.parametrize("retry", RETRIES.values(), ids=RETRIES)
@pytest.mark.parametrize("verdict", ["delivered", "parked"])
def test_received_signal_outlives_the_end(store, retry, verdict):
    execution_id, token = approved(store, verdict)
    for _ in range(2):
        assert store.restart(execution_id, **retry) is Restart.RESTARTED
        claim = hold(store, execution_id)
        assert store.signal_event(claim, "approval").event == '"yes"'
        assert store.signal(execution_id, "approval", '"no"', token) is Signalled.GIVEN
        record(store, claim, {1: Step("approval", '"yes"', entry=EntryKind.SIGNAL), 2: FAILURE})
        finish(store, claim, State.FAILED)


@pytest.mark.parametrize("retry", RETRIES.values(), ids=RETRIES)
@pytest.mark.parametrize("verdict", ["delivered", "parked"])
def test_dropped_signal_can_be_given_again_with_every_token(store, retry, verdict):
    execution_id, token = approved(store, verdict)
    assert store.restart(execution_id, drops_signals=True, **retry) is Restart.RESTARTED
    claim = hold(store, execution_id)
    assert store.signal_event(claim, "approval") is None
    new_token = store.signal_token(claim, "approval")
    assert store.signal_token(claim, "approval") == new_token
    assert store.signal(execution_id, "approval", '"no"', f"{token}x") is Signalled.REFUSED
    assert store.signal(execution_id, "approval", '"no"', token) is Signalled.KEPT
    assert store.signal(execution_id, "approval", '"no"', new_token) is Signalled.KEPT
    finish(store, claim, State.FAILED)
    for each in (token, new_token):
        assert store.signal(execution_id, "approval", '"no"', each) is Signalled.ENDED


def test_events_are_kept_as_they_were_stored(store, raw, settings):
    execution_id, _ = approved(store, "delivered")
    event = raw.hget(names.documents_key(execution_id), "event:approval")
    assert event.startswith(b"\xff") if settings.secret_key else event == b'token\n"yes"'
    assert not raw.exists(names.signals_key(execution_id))
