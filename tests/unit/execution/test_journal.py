"""Recorded entries: a replay finds them by name and occurrence, in whichever order it asks."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom import testing
from atom.entries import Entry, EntryKey, EntryKind, qualified_name
from atom.errors import DeclarationError, JournalMismatch
from atom.execution.recorded_entries import RecordedEntries
from atom.records import Step
from atom.suspension import Wait, WaitKind


def charge():
    return "charged"


def refund():
    return "refunded"


def ship(item, execution):
    return item


class Client:
    def charge(self):
        return "charged by the client"

    def __call__(self):
        return "called"


def entry(name, kind=EntryKind.STEP, **options):
    return Entry(kind=kind, name=name, **options)


def replayed(*calls):
    """Return the journal of a first attempt."""
    journal = testing.MemoryJournal()
    execution = testing.execution(journal)
    for call in calls:
        call(execution)
    return journal


def test_first_attempt_sees_what_a_replay_sees():
    execution = testing.execution()
    assert execution.step("pair", lambda: (1, 2)) == [1, 2]


def test_recorded_step_does_not_run_again():
    journal, runs = testing.MemoryJournal(), []
    testing.execution(journal).step("once", runs.append, 1)
    testing.execution(journal, attempt=2).step("once", runs.append, 1)
    assert runs == [1]


names = st.sampled_from("abcd")


@given(st.lists(names), st.lists(names))
def test_any_change_of_the_order_keeps_the_records(before, after):
    """Each name has its own counter, so only new occurrences run."""
    journal, runs = testing.MemoryJournal(), []

    def attempt(sequence):
        execution, results, counts = testing.execution(journal), [], {}
        for name in sequence:
            counts[name] = counts.get(name, 0) + 1
            value = f"{name}{counts[name]}"
            results.append(execution.step(name, lambda value=value: runs.append(value) or value))
            assert results[-1] == value

    attempt(before)
    attempt(after)
    attempt(after)
    assert len(runs) == len(set(runs))


def test_inserted_step_runs_and_removed_step_is_reported():
    journal = replayed(lambda e: e.step("one", lambda: 1), lambda e: e.step("two", lambda: 2))
    execution = testing.execution(journal)
    assert execution.step("new", lambda: "new") == "new"
    assert execution.step("two", lambda: "again") == 2
    assert journal.unreached == ["one"]


def test_renamed_step_finds_its_record_by_the_former_name():
    journal = replayed(lambda e: e.step("charge", charge), lambda e: e.step("charge", charge))
    for _ in range(2):
        execution = testing.execution(journal)
        for _ in range(2):
            assert execution.step("pay", refund, formerly="charge") == "charged"
        assert execution.step("pay", refund, formerly="charge") in ("refunded",)
        assert journal.unreached == []


def test_renamed_waits_maps_and_calls_find_their_records():
    def child(document, execution):
        return {"answer": document["question"]}

    journal = replayed(
        lambda e: e.sleep(5, name="cool down"),
        lambda e: e.map("ship", ship, [1, 2]),
        lambda e: e.call(child, {"question": 1}, name="ask"),
    )
    execution = testing.execution(journal)
    execution.sleep(7, name="pause", formerly="cool down")
    assert execution.map("send", ship, [1, 2], formerly="ship") == [1, 2]
    answer = execution.call(child, {"question": 1}, name="inquire", formerly="ask")
    assert answer == {"answer": 1}
    assert (len(journal.steps), journal.unreached) == (3, [])


def test_former_name_that_is_also_used_is_refused():
    steps = [("pay", "charge"), ("charge", None)]
    for (first, former), (second, later_former) in (steps, steps[::-1]):
        execution = testing.execution()
        execution.step(first, charge, formerly=former)
        with pytest.raises(JournalMismatch) as refusal:
            execution.step(second, charge, formerly=later_former)
        assert str(refusal.value) == (
            "“charge” is the former name of “pay” (formerly=) and also the name of another entry "
            "of this process, so its record could belong to either. Give the other entry another "
            "name."
        )


def test_former_name_of_two_entries_is_refused():
    journal = replayed(lambda e: e.step("charge", charge))
    execution = testing.execution(journal)
    assert execution.step("pay", charge, formerly="charge") == "charged"
    with pytest.raises(JournalMismatch) as refusal:
        execution.step("bill", charge, formerly="charge")
    assert str(refusal.value) == (
        "“charge” is the former name of two entries, “pay” and “bill” (formerly=), so its record "
        "could belong to either. Leave formerly= out of one of them."
    )
    for _ in range(2):  # as often as an entry comes, it may have its former name
        assert execution.step("pay", charge, formerly="charge") == "charged"


@pytest.mark.parametrize(
    "call",
    [
        lambda e: e.step("x", charge, formerly="x"),
        lambda e: e.sleep(1, name="x", formerly="x"),
        lambda e: e.map("x", ship, [], formerly="x"),
        lambda e: e.call(ship, name="x", formerly="x"),
    ],
)
def test_former_name_equal_to_the_name_is_refused(call):
    with pytest.raises(DeclarationError, match="“x”: formerly names an earlier name"):
        call(testing.execution())


CALLS = {
    "a step": lambda e: e.step("x", lambda: None),
    "a wait for a time": lambda e: e.sleep(1, name="x"),
    "a wait for a signal": lambda e: e.signal("x"),
    "a map": lambda e: e.map("x", ship, []),
    "a call": lambda e: e.call(lambda document, execution: {}, name="x"),
}


@pytest.mark.parametrize("recorded", CALLS)
@pytest.mark.parametrize("requested", CALLS)
def test_entry_of_another_kind_does_not_fit(recorded, requested):
    journal = testing.MemoryJournal()
    journal.signals["x"] = 1
    CALLS[recorded](testing.execution(journal))
    execution = testing.execution(journal)
    if recorded == requested:
        CALLS[requested](execution)
        return
    with pytest.raises(JournalMismatch) as failure:
        CALLS[requested](execution)
    sides = f"“x” (occurrence 1) is recorded as {recorded}, and the code asks for {requested}."
    assert sides in str(failure.value)


def test_another_named_function_does_not_fit():
    journal = replayed(lambda e: e.step("pay", charge))
    with pytest.raises(JournalMismatch, match="a step of charge, and the code asks for a step of "):
        testing.execution(journal).step("pay", refund)
    assert testing.execution(journal).step("pay", lambda: "anonymous") == "charged"


def test_other_items_of_a_map_do_not_fit():
    journal = replayed(lambda e: e.map("ship", ship, [{"b": 1, "a": 2}]))
    assert testing.execution(journal).map("ship", ship, [{"a": 2, "b": 1}]) == [{"b": 1, "a": 2}]
    with pytest.raises(JournalMismatch, match="a map over other items"):
        testing.execution(journal).map("ship", ship, [{"a": 2, "b": 1}, 3])


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (charge, "charge"),
        (partial(partial(charge)), "charge"),
        (Client().charge, "Client.charge"),
        (Client.charge, "Client.charge"),
        (len, "len"),
        (lambda: None, ""),
        (Client(), ""),
        (test_another_named_function_does_not_fit, "test_another_named_function_does_not_fit"),
    ],
)
def test_qualified_name_identifies_named_functions_alone(function, name):
    assert qualified_name(function) == name


# --- the lookup by itself


def step(name, occurrence=1, **changes):
    return Step(name, "1", occurrence=occurrence, **changes)


def test_begun_wait_is_found_by_its_key():
    wait = Wait(name="approve", kind=WaitKind.SIGNAL, until=None)
    entries = RecordedEntries([], [wait])
    key, recorded = entries.find(entry("approve", EntryKind.SIGNAL))
    assert (key, recorded, entries.wait_of(key)) == (EntryKey("approve"), None, wait)


def test_begun_wait_of_another_kind_does_not_fit():
    wait = Wait(name="approve", kind=WaitKind.SIGNAL, until=None)
    with pytest.raises(JournalMismatch, match="a wait for a signal, and the code asks for a step"):
        RecordedEntries([], [wait]).find(entry("approve"))


def test_renamed_wait_that_was_begun_keeps_its_key():
    wait = Wait(name="pause", kind=WaitKind.TIME, until=None)
    entries = RecordedEntries([], [wait])
    key, _ = entries.find(entry("cool down", EntryKind.WAIT, formerly="pause"))
    assert (key, entries.unreached) == (EntryKey("pause"), [])


def test_attempt_catches_up_until_it_reaches_the_latest_entry():
    entries = RecordedEntries([step("one"), step("two")])
    assert entries.is_catching_up
    entries.find(entry("one"))
    assert entries.is_catching_up
    entries.find(entry("two"))
    assert not entries.is_catching_up


def test_attempt_has_caught_up_once_it_runs_a_new_entry():
    entries = RecordedEntries([step("one"), step("removed")])
    entries.find(entry("one"))
    entries.find(entry("new"))
    assert not entries.is_catching_up
    assert entries.unreached == [EntryKey("removed")]
