"""What a step may return, and that a replay sees what the first run saw."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom import testing
from atom.errors import StepMismatch
from atom.execution.steps import decode, encode

simple = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.uuids()
)
documents = st.recursive(
    simple,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"])).filter(
                lambda key: not key.startswith("$")
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(documents)
def test_a_result_is_read_back_as_it_was(value):
    assert decode(encode(value)) == value


def test_types_survive():
    value = {"a": Decimal("1.50"), "b": date(2026, 1, 2), "c": datetime(2026, 1, 2, tzinfo=UTC)}
    back = decode(encode(value))
    assert [type(each) for each in back.values()] == [Decimal, date, datetime]
    assert str(back["a"]) == "1.50"
    assert decode(encode(UUID(int=7))) == UUID(int=7)


@pytest.mark.parametrize(
    "value", [{1, 2}, object(), b"x", {1: "x"}, {"$decimal": "1"}, float("nan").hex, 2**70]
)
def test_what_could_not_be_read_back_is_refused(value):
    with pytest.raises(TypeError):
        encode(value)


def test_the_first_run_sees_what_a_replay_would():
    execution = testing.execution()
    assert execution.step("pair", lambda: (1, 2)) == [1, 2]


def test_a_replay_does_not_run_a_recorded_step_again():
    journal, runs = testing.MemoryJournal(), []
    testing.execution(journal).step("once", runs.append, 1)
    testing.execution(journal, attempt=2).step("once", runs.append, 1)
    assert runs == [1]


def test_a_step_whose_name_changed_stops_the_replay():
    journal = testing.MemoryJournal()
    testing.execution(journal).step("old", lambda: 1)
    with pytest.raises(StepMismatch, match=r"“old”.*“new”"):
        testing.execution(journal, attempt=2).step("new", lambda: 1)
