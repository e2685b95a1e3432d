"""Values that steps record: read back exactly as they were, or refused."""

import enum
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atom import testing
from atom.errors import CannotSpawn, StepResultError
from atom.execution.recorded_values import decode, encode

ANY_TEXT = st.text(st.characters(exclude_categories=()))
MARKS = ["$date", "$decimal", "$datetime", "$uuid", "$integer", "$float", "$text", "$object", "$"]
KEYS = st.one_of(ANY_TEXT, st.sampled_from(MARKS), ANY_TEXT.map(lambda key: f"${key}"))
simple = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**63),
    st.integers(max_value=-(2**63)),
    st.floats(),
    ANY_TEXT,
    st.decimals(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.uuids(),
)
documents = st.recursive(
    simple,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 2


class Moment(datetime):
    """A moment that is more precise than a datetime, as that of pandas is."""

    def __eq__(self, other):
        return type(other) is Moment

    def __ne__(self, other):
        return not self == other

    __hash__ = datetime.__hash__


class Raising(dict):
    def __iter__(self):
        raise KeyError("hostile")

    items = values = keys = __iter__


def same(left, right):
    """Whether two values are equal and of the same types, where NaN equals NaN."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, float):
        return repr(left) == repr(right)
    if isinstance(left, Decimal):
        return str(left) == str(right)
    return left == right


@given(documents)
@example({"$date": "2026-01-31T08:00:00Z"})
@example({"_id": 1, "when": {"$date": "2026-01-31T08:00:00Z"}})
@example({"$object": {"$object": {}}})
@example({"caf\udce9.txt": "\\udce9", "\\": "\udce9"})
@example([math.nan, math.inf, -math.inf, -0.0, 2**64, -(2**63) - 1, 2**64 - 1])
@example({"$text": "\\udce9"})
def test_value_is_read_back_as_it_was(value):
    text = encode(value)
    assert same(decode(text), value)
    orjson.loads(text.encode())


def test_integer_of_any_size_is_read_back():
    assert decode(encode(10**5000)) == 10**5000


def test_types_survive():
    value = {"a": Decimal("1.50"), "b": date(2026, 1, 2), "c": datetime(2026, 1, 2, tzinfo=UTC)}
    assert same(decode(encode(value)), value)
    assert decode(encode(UUID(int=7))) == UUID(int=7)


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        object(),
        b"x",
        {1: "x"},
        {"a\udce9": 1, 2: "x"},
        math.nan.hex,
        Colour.RED,
        [Colour.RED],
        Moment(2026, 1, 2),
        Raising(a=1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_value_that_could_not_be_read_back_is_refused(value):
    with pytest.raises(TypeError) as refused:
        encode(value)
    assert str(refused.value)
    with pytest.raises(StepResultError, match="cannot be recorded"):
        testing.execution().step("s", lambda: value)
    with pytest.raises(CannotSpawn, match="Item 0 cannot be stored"):
        testing.execution().map("m", item, [value])


def test_member_of_an_enum_that_equals_its_value_becomes_it():
    assert decode(encode([Level.HIGH])) == [2]


def test_value_that_contains_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(TypeError, match="nests too deeply"):
        encode(endless)


def item(value, execution):
    return value


@given(documents)
def test_step_and_map_return_what_was_recorded(value):
    execution = testing.execution()
    assert same(execution.step("s", lambda: value), value)
    assert same(execution.map("m", item, [value]), [value])
