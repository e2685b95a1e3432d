"""Labels and texts of recorded entries."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest

from atom.entries import EntryKind
from atom.execution import entry_view
from atom.execution.recorded_values import encode
from atom.records import RecordedStep, StepKind


def entry(entry_kind, name, occurrence=1, result="null", **changes):
    values = {"occurrence": occurrence, "entry": entry_kind, "result": result, **changes}
    return RecordedStep(name, values.pop("kind", StepKind.RESULT), **values)


@pytest.mark.parametrize(
    ("recorded", "label"),
    [
        (entry(EntryKind.STEP, "charge"), "charge"),
        (entry(EntryKind.STEP, "charge", 3), "charge (3)"),
        (entry(EntryKind.WAIT, "sleep"), "sleep"),
        (entry(EntryKind.WAIT, "wait until", 2), "wait until (2)"),
        (entry(EntryKind.WAIT, "cool down"), "wait cool down"),
        (entry(EntryKind.SIGNAL, "approval", result='"null"'), "signal approval"),
        (entry(EntryKind.MAP, "ship", result='[["result","1"]]'), "map ship (1 item)"),
        (entry(EntryKind.MAP, "ship", result="[]"), "map ship (0 items)"),
        (entry(EntryKind.MAP, "ship", result="{}", kind=StepKind.FAILURE), "map ship"),
        (entry(EntryKind.CALL, "call CRM.Create"), "call CRM.Create"),
        (entry(EntryKind.CALL, "customer"), "call customer"),
    ],
)
def test_label_names_kind_name_and_occurrence(recorded, label):
    assert entry_view.label(recorded) == label


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ([Decimal("1.50"), date(2026, 1, 31)], ["1.50", "2026-01-31"]),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"$decimal": "mine"}, {"$decimal": "mine"}),
        ([2**70, float("nan")], [str(2**70), "nan"]),
    ],
)
def test_outcome_is_plain_json(value, outcome):
    assert entry_view.outcome(entry(EntryKind.STEP, "s", result=encode(value))) == outcome


def test_text_is_bounded_and_entry_that_cannot_be_read_has_none():
    long = entry(EntryKind.STEP, "s", result=encode("x" * 10_000))
    assert len(entry_view.text(long)) == entry_view.LONGEST_TEXT
    assert entry_view.text(long).endswith("…")
    assert entry_view.outcome(long) == "x" * 10_000
    assert entry_view.text(entry(EntryKind.STEP, "s", result="")) == ""


def test_event_keeps_the_digits_of_its_integers():
    event = f'{{"iban":{2**70},"n":[1,{2**63}]}}'
    recorded = entry(EntryKind.SIGNAL, "approval", result=encode(event), giver="token")
    assert entry_view.outcome(recorded) == {"iban": str(2**70), "n": [1, 2**63]}
    assert str(2**70) in entry_view.text(recorded)
