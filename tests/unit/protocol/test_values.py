"""Simple values: how each is read from the wire and written to it."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atom.protocol.values import (
    ContentType,
    boolean_text,
    date_time_text,
    engine_value,
    number_text,
    parse_boolean,
    parse_date_time,
    parse_decimal,
    parse_integer,
)

ON_THE_WIRE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)

CONTENT_TYPES = [
    "ContentString",
    "ContentNumber",
    "ContentBoolean",
    "ContentDateTime",
    "ContentPassword",
    "ContentContent",
    "ContentEncrypted",
    "ContentObject",
    "ContentList",
]

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones)  # noqa: DTZ001
decimals = st.builds(
    Decimal,
    st.builds(
        "{}{}.{}".format,
        st.sampled_from(["", "-"]),
        st.text("0123456789", min_size=1, max_size=200),
        st.text("0123456789", min_size=1, max_size=200),
    ),
)


def test_the_content_types_are_those_of_the_protocol():
    assert [member.value for member in ContentType] == CONTENT_TYPES


@pytest.mark.parametrize("name", CONTENT_TYPES)
def test_a_content_type_is_read_in_any_case(name):
    for written in (name, name.upper(), name.lower(), name.swapcase()):
        assert ContentType(written).value == name


@pytest.mark.parametrize("name", ["", "Content", "String", "ContentBlob", " ContentString", None])
def test_any_other_content_type_is_none(name):
    with pytest.raises(ValueError, match="is not a valid ContentType"):
        ContentType(name)


def test_what_kind_of_content_a_type_is():
    def those(flag):
        return {member.value for member in ContentType if getattr(member, flag)}

    assert those("is_structure") == {"ContentObject", "ContentList"}
    assert those("is_secret") == {"ContentPassword", "ContentEncrypted"}
    assert those("is_text") == {
        "ContentString",
        "ContentContent",
        "ContentPassword",
        "ContentEncrypted",
    }


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-09-04T10:11:12.345Z", datetime(2025, 9, 4, 10, 11, 12, 345_000, UTC)),
        ("2025-09-04T10:11:12.345z", datetime(2025, 9, 4, 10, 11, 12, 345_000, UTC)),
        ("2025-09-04T10:11:12Z", datetime(2025, 9, 4, 10, 11, 12, 0, UTC)),
        ("2025-09-04T10:11:12", datetime(2025, 9, 4, 10, 11, 12, 0, UTC)),
        ("2025-09-04T10:11:12.5", datetime(2025, 9, 4, 10, 11, 12, 500_000, UTC)),
        ("2025-09-04T00:00:00.0000000+01:00", datetime(2025, 9, 3, 23, 0, 0, 0, UTC)),
        ("2025-09-04T00:00:00.1234567-05:30", datetime(2025, 9, 4, 5, 30, 0, 123_456, UTC)),
        ("2025-09-04T10:11:12+0200", datetime(2025, 9, 4, 8, 11, 12, 0, UTC)),
        ("2025-09-04T10:11:12+02", datetime(2025, 9, 4, 8, 11, 12, 0, UTC)),
        ("2025-09-04T10:11Z", datetime(2025, 9, 4, 10, 11, 0, 0, UTC)),
        ("2025-09-04 10:11:12", datetime(2025, 9, 4, 10, 11, 12, 0, UTC)),
        ("2025-09-04", datetime(2025, 9, 4, 0, 0, 0, 0, UTC)),
        (" 2025-09-04\n", datetime(2025, 9, 4, 0, 0, 0, 0, UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, 0, 0, 0, 0, UTC)),
    ],
)
def test_a_date_is_read_in_every_form_that_arrives(text, moment):
    assert parse_date_time(text) == moment


def test_the_offset_of_a_date_stays_as_it_was_written():
    assert parse_date_time("2025-09-04T01:00:00+02:00").utcoffset() == timedelta(hours=2)
    assert parse_date_time("2025-09-04T01:00:00").utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "04.09.2025",
        "2025-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2025-09-04T25:00:00Z",
        "2025-09-04T10:61:00Z",
        "2025-09-04T10:11:12+99:00",
        "2025-09-04T10:11:12Europe/Berlin",
        "2025-09-04T10:11:12.Z",
        "0000-01-01",
        "10000-01-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "٢٠٢٥-٠٩-٠٤",
        "1756980672",
        "2025-09-04T10:11:12Z" + "0" * 100_000,
    ],
    ids=lambda text: repr(text)[:40],
)
@pytest.mark.timeout(60)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError):
        parse_date_time(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2025, 9, 4, 10, 11, 12, 345_999, UTC), "2025-09-04T10:11:12.345Z"),
        (datetime(2025, 9, 4, tzinfo=timezone(timedelta(hours=1))), "2025-09-03T23:00:00.000Z"),
        (datetime(2025, 9, 4, 10), "2025-09-04T10:00:00.000Z"),  # noqa: DTZ001 (the point)
        (date(2025, 9, 4), "2025-09-04T00:00:00.000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC), "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_date_is_written_in_utc_to_the_millisecond(value, text):
    assert date_time_text(value) == text


@given(moments)
@settings(deadline=None)
def test_dates_survive_to_the_millisecond(moment):
    text = date_time_text(moment)
    assert ON_THE_WIRE.fullmatch(text)
    assert parse_date_time(text) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", Decimal(42)),
        ("-3.50", Decimal("-3.50")),
        ("+7", Decimal(7)),
        (".5", Decimal("0.5")),
        ("5.", Decimal(5)),
        ("1e3", Decimal(1000)),
        ("1.5E-3", Decimal("0.0015")),
        (" 42\n", Decimal(42)),
        ("0e999999999", Decimal(0)),
    ],
)
def test_a_number_is_read_exactly(text, number):
    assert parse_decimal(text) == number


NO_NUMBERS = [
    "",
    " ",
    "abc",
    "1_000",
    "1,5",
    "1 000",
    "0x10",
    "١٢٣",
    "１２３",
    "²",
    "NaN",
    "sNaN",
    "Infinity",
    "-inf",
    "1e",
    "1e9999999999",
    "--1",
    ".",
    "1.2.3",
    "true",
    "1e999999999",
    "-1e999999999",
    "1e-999999999",
    "9" * 1_000_000,
    "0." + "1" * 1_000_000,
]


@pytest.mark.parametrize("text", NO_NUMBERS, ids=lambda text: repr(text)[:30])
@pytest.mark.parametrize("parse", [parse_decimal, parse_integer])
@pytest.mark.timeout(60)
def test_what_is_no_number_is_refused_quickly(parse, text):
    with pytest.raises(ValueError, match=r"^(not a number|a number of more than 1000 digits)$"):
        parse(text)


@pytest.mark.parametrize("text", ["42", "42.0", "4.2e1", "+42", "42.", "420e-1"])
def test_a_whole_number_may_be_written_in_several_ways(text):
    number = parse_integer(text)
    assert number == 42
    assert type(number) is int


@pytest.mark.parametrize("text", ["42.5", "1e-1", "-0.000000000000000000000000000000000000001"])
def test_a_number_that_is_not_whole_is_no_integer(text):
    with pytest.raises(ValueError, match=r"^not a whole number$"):
        parse_integer(text)


@given(st.integers(-(10**200), 10**200))
@settings(deadline=None)
def test_integers_of_200_digits_are_exact(number):
    assert number_text(number) == str(number)
    assert parse_integer(number_text(number)) == number


@given(decimals)
@settings(deadline=None)
def test_decimals_of_400_digits_are_exact_and_keep_their_zeros(number):
    text = number_text(number)
    assert "e" not in text.lower()
    assert parse_decimal(text).as_tuple() == number.as_tuple()


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_floats_survive(number):
    text = number_text(number)
    assert "e" not in text.lower()
    assert float(parse_decimal(text)) == number


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")]
)
def test_what_is_not_finite_cannot_be_written(value):
    with pytest.raises(ValueError, match="not a finite number"):
        number_text(value)


@pytest.mark.parametrize("exponent", ["e999999999", "e-999999999"])
@pytest.mark.timeout(60)
def test_a_huge_decimal_cannot_be_written(exponent):
    with pytest.raises(ValueError, match="more than 1000 digits"):
        number_text(Decimal("1" + exponent))


@pytest.mark.parametrize("text", ["0e-9999999", "0e9999999", "-0e-9999999", "0.00e-9999999"])
@pytest.mark.timeout(60)
def test_a_zero_with_a_huge_exponent_is_not_spelt_out(text):
    try:
        written = number_text(parse_decimal(text))
    except ValueError:
        return
    assert len(written) <= 1010


@pytest.mark.parametrize("text", ["1e1000", "-1e999", "1.5e-1000", "1e-1000", "9" * 1000])
def test_a_number_that_is_read_can_be_written_and_read_again(text):
    try:
        number = parse_decimal(text)
    except ValueError:
        return
    assert parse_decimal(number_text(number)) == number


@pytest.mark.parametrize("text", ["true", "True", "TRUE", " true\n"])
def test_true(text):
    assert parse_boolean(text) is True


@pytest.mark.parametrize("text", ["false", "False", "FALSE"])
def test_false(text):
    assert parse_boolean(text) is False


@pytest.mark.parametrize("text", ["", "1", "0", "yes", "no", "wahr", "truе"])
def test_what_is_neither(text):
    with pytest.raises(ValueError, match=r"^neither true nor false$"):
        parse_boolean(text)


def test_booleans_are_written_in_lower_case():
    assert (boolean_text(True), boolean_text(False)) == ("true", "false")


def test_an_engine_value_has_every_property_of_the_protocol():
    assert engine_value("Name", ContentType.STRING, content_value="Ada") == {
        "developerName": "Name",
        "contentType": "ContentString",
        "contentValue": "Ada",
        "objectData": None,
        "typeElementDeveloperName": None,
        "valueElementId": None,
        "typeElementId": None,
        "typeElementPropertyId": None,
        "typeElementPropertyDeveloperName": None,
    }
