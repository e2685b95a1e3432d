"""Every kind of field, from Python over the wire and back."""

import enum
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import validate

from atom import Profile, fields
from atom.configuration import Configuration
from atom.errors import InvalidRequest, InvalidResult
from atom.message_process import MessageProcess
from atom.process import ProcessOptions
from atom.protocol.message_actions import ServiceRequest
from atom.protocol.wire import parse_json
from atom.redaction import Secret


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"


class Anything:
    def __repr__(self):
        return "Anything()"


class Line(Profile):
    sku = fields.String(data_key="Sku", required=True)
    quantity = fields.Integer(data_key="Quantity")


class Order(Profile):
    id = fields.UUID(data_key="Id")
    first = fields.Nested(Line, data_key="First")
    lines = fields.List(fields.Nested(Line), data_key="Lines")


class Everything(Profile):
    string = fields.String(data_key="String")
    password = fields.Password(data_key="Password")
    content = fields.Content(data_key="Content")
    encrypted = fields.Encrypted(data_key="Encrypted")
    number = fields.Number(data_key="Number")
    integer = fields.Integer(data_key="Integer")
    decimal = fields.Decimal(data_key="Decimal")
    floating = fields.Float(data_key="Float")
    boolean = fields.Boolean(data_key="Boolean")
    moment = fields.DateTime(data_key="Date Time")
    day = fields.Date(data_key="Date")
    uuid = fields.UUID(data_key="Uuid")
    colour = fields.Enum(Colour, data_key="Colour")
    shade = fields.Enum(Colour, by_value=True, data_key="Shade")
    order = fields.Nested(Order, data_key="Order")
    orders = fields.List(fields.Nested(Order), data_key="Orders")
    many = fields.Nested(Line, many=True, data_key="Many")


TYPES = {
    "String": "ContentString",
    "Password": "ContentPassword",
    "Content": "ContentContent",
    "Encrypted": "ContentEncrypted",
    "Number": "ContentNumber",
    "Integer": "ContentNumber",
    "Decimal": "ContentNumber",
    "Float": "ContentNumber",
    "Boolean": "ContentBoolean",
    "Date Time": "ContentDateTime",
    "Date": "ContentDateTime",
    "Uuid": "ContentString",
    "Colour": "ContentString",
    "Shade": "ContentString",
    "Order": "ContentObject",
    "Orders": "ContentList",
    "Many": "ContentList",
}

ECHO = MessageProcess(
    "Trial",
    "Echo",
    lambda *_: None,
    request=Everything,
    response=Everything,
    configuration=Configuration("S"),
    options=ProcessOptions(),
)

FIELD_NAMES = {field.data_key: name for name, field in Everything().fields.items()}

EMPTY = dict.fromkeys(Everything().fields) | {"orders": [], "many": []}


def sent(values):
    """The values as a listener reads them from a request."""
    request = {"token": "t", "tenantId": "x", "callbackUri": "https://flow.example"}
    body = orjson.dumps({**request, "inputs": values})
    return ServiceRequest.read(parse_json(body)).inputs


def load(name, text):
    kind = TYPES[name]
    (value,) = sent([{"developerName": name, "contentType": kind, "contentValue": text}])
    return ECHO.load([value])[FIELD_NAMES[name]]


def dump(name, value):
    outputs = {each["developerName"]: each for each in ECHO.dump({FIELD_NAMES[name]: value})}
    assert outputs[name]["contentType"] == TYPES[name]
    return outputs[name]["contentValue"]


def refusal(name, value):
    with pytest.raises(InvalidResult) as caught:
        dump(name, value)
    return str(caught.value)


def milliseconds(moment):
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def as_read(number):
    """A number as the Number field reads it: an int where it is whole."""
    return int(number) if number == number.to_integral_value() else number


texts = st.text(max_size=50)
integers = st.integers(-(10**200), 10**200)
decimals = st.builds("{}.{}".format, integers, st.text("0123456789", min_size=1, max_size=200)).map(
    Decimal
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones)  # noqa: DTZ001
lines = st.fixed_dictionaries({"sku": texts, "quantity": st.none() | integers})
orders = st.fixed_dictionaries(
    {
        "id": st.none() | st.uuids(),
        "first": st.none() | lines,
        "lines": st.lists(lines, max_size=3),
    }
)
documents = st.fixed_dictionaries(
    {
        "string": st.none() | texts,
        "password": st.none() | texts,
        "content": st.none() | texts,
        "encrypted": st.none() | texts,
        "number": st.none() | integers | decimals.map(as_read),
        "integer": st.none() | integers,
        "decimal": st.none() | decimals,
        "floating": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.none() | st.booleans(),
        "moment": st.none() | moments.map(milliseconds),
        "day": st.none() | st.dates(),
        "uuid": st.none() | st.uuids(),
        "colour": st.none() | st.sampled_from(Colour),
        "shade": st.none() | st.sampled_from(Colour),
        "order": st.none() | orders,
        "orders": st.lists(orders, max_size=3),
        "many": st.lists(lines, max_size=3),
    }
)


@given(documents)
@settings(deadline=None)
def test_whatever_a_process_returns_comes_back_the_same(document):
    outputs = ECHO.dump(document)
    assert [each["developerName"] for each in outputs] == list(TYPES)
    assert [each["contentType"] for each in outputs] == list(TYPES.values())
    loaded = ECHO.load(sent(outputs))
    assert loaded == document
    for name, value in document.items():
        is_secret = name in ("password", "encrypted") and value is not None
        assert type(loaded[name]) is (Secret if is_secret else type(value)), name


def test_without_values_every_entry_is_there():
    assert ECHO.load([]) == EMPTY
    assert ECHO.load(sent(ECHO.dump({}))) == EMPTY
    assert ECHO.load(sent(ECHO.dump(None))) == EMPTY


@pytest.mark.parametrize("name", ["String", "Password", "Content", "Encrypted"])
def test_an_empty_text_is_a_text(name):
    assert load(name, "") == ""
    assert dump(name, "") == ""


@pytest.mark.parametrize(
    "name", ["Number", "Integer", "Decimal", "Float", "Boolean", "Date Time", "Date"]
)
def test_an_empty_number_boolean_or_date_is_no_value(name):
    assert load(name, "") is None
    assert dump(name, None) is None


def test_decimals_keep_their_zeros_and_big_integers_every_digit():
    assert str(load("Decimal", "12.500")) == "12.500"
    assert dump("Decimal", Decimal("12.500")) == "12.500"
    big = "9" * 200
    assert load("Integer", big) == int(big)
    assert load("Number", big) == int(big)
    assert dump("Integer", int(big)) == dump("Number", int(big)) == big
    assert load("Decimal", f"0.{big}") == Decimal(f"0.{big}")


def test_a_number_is_an_int_where_it_is_whole():
    assert (type(load("Number", "42.0")), load("Number", "42.0")) == (int, 42)
    assert (type(load("Number", "42.5")), load("Number", "42.5")) == (Decimal, Decimal("42.5"))
    assert (type(load("Decimal", "42")), load("Decimal", "42")) == (Decimal, Decimal(42))
    assert (type(load("Float", "42")), load("Float", "42")) == (float, 42.0)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("Number", 1e22, "10000000000000000000000"),
        ("Number", 0.1, "0.1"),
        ("Number", Decimal("1E+5"), "100000"),
        ("Number", "3.50", "3.50"),
        ("Integer", 42.0, "42"),
        ("Integer", "42", "42"),
        ("Integer", Decimal("42.00"), "42"),
        ("Float", 1, "1"),
        ("Boolean", True, "true"),
        ("Boolean", False, "false"),
        ("Date Time", datetime(2025, 9, 4, 10, tzinfo=UTC), "2025-09-04T10:00:00.000Z"),
        ("Date Time", date(2025, 9, 4), "2025-09-04T00:00:00.000Z"),
        ("Date Time", "2025-09-04T00:00:00.0000000+01:00", "2025-09-03T23:00:00.000Z"),
        ("Date", date(2025, 9, 4), "2025-09-04T00:00:00.000Z"),
        ("Date", "2025-09-04", "2025-09-04T00:00:00.000Z"),
        (
            "Date",
            datetime(2025, 9, 4, 23, tzinfo=timezone(timedelta(hours=-5))),
            "2025-09-04T00:00:00.000Z",
        ),
        ("Date", "2025-09-04T23:00:00-05:00", "2025-09-04T00:00:00.000Z"),
        ("Colour", Colour.RED, "RED"),
        ("Shade", Colour.RED, "r"),
        ("Uuid", UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    ],
)
def test_what_a_process_may_return_for_it(name, value, text):
    assert dump(name, value) == text


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Date", "2025-09-04T23:30:00.0000000-05:00", date(2025, 9, 4)),
        ("Date", "2025-09-04", date(2025, 9, 4)),
        ("Date Time", "2025-09-04", datetime(2025, 9, 4, tzinfo=UTC)),
        ("Boolean", "True", True),
        ("Boolean", "FALSE", False),
        ("Integer", "1e3", 1000),
        ("Colour", "GREEN", Colour.GREEN),
        ("Shade", "g", Colour.GREEN),
    ],
)
def test_what_a_flow_may_send_for_it(name, text, value):
    assert load(name, text) == value


NUMBERS = ["Number", "Integer", "Decimal", "Float"]
NO_NUMBERS = ["x", "1_000", "١٢٣", "NaN", "Infinity", "-inf", "1e999999999", "9" * 100_000, "1,5"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, text) for name in NUMBERS for text in NO_NUMBERS),
        ("Integer", "42.5"),
        ("Float", "1e400"),
        ("Boolean", "yes"),
        ("Boolean", "1"),
        ("Date Time", "yesterday"),
        ("Date Time", "2025-13-01T00:00:00Z"),
        ("Date Time", "2025-02-29"),
        ("Date", "04.09.2025"),
        ("Date", "0001-01-01T00:00:00+14:00"),
        ("Uuid", "7"),
        ("Colour", "BLUE"),
        ("Shade", "GREEN"),
    ],
    ids=lambda each: repr(each)[:24],
)
@pytest.mark.timeout(60)
def test_what_a_flow_may_not_send_is_refused_by_name(name, text):
    with pytest.raises(InvalidRequest) as caught:
        load(name, text)
    assert f"{name}: " in str(caught.value)
    assert len(str(caught.value)) <= 500


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in NUMBERS for value in ("x", True, [1], {}, Anything(), b"1")),
        *((name, value) for name in NUMBERS for value in (math.nan, math.inf, Decimal("NaN"))),
        *((name, Decimal("1e999999999")) for name in NUMBERS),
        *((name, Decimal("0." + "1" * 3000)) for name in NUMBERS),
        *((name, 10**5000) for name in NUMBERS),
        ("Integer", 42.5),
        ("Boolean", "true"),
        ("Boolean", 1),
        ("Date Time", 1756980672),
        ("Date Time", "yesterday"),
        ("Date Time", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
        ("Date", 20250904),
        ("Date", "yesterday"),
        ("Uuid", "7"),
        ("Colour", "RED"),
        ("Colour", 7),
        *((name, value) for name in ("String", "Content") for value in ({"a": 1}, ["Ada"])),
        ("String", b"\xff"),
        ("String", "\ud800"),  # half a surrogate pair: no JSON can carry it
        ("Order", "Ada"),
        ("Order", 7),
        ("Order", [{"id": None}]),
        ("Orders", 7),
        ("Orders", "abc"),
        ("Orders", {"id": None}),
        ("Orders", [None]),
        ("Orders", ["abc"]),
        ("Many", 7),
    ],
    ids=lambda each: repr(each)[:24] if not isinstance(each, int) or each < 10**9 else "big",
)
@pytest.mark.timeout(60)
def test_what_a_process_may_not_return_is_refused_by_name(name, value):
    said = refusal(name, value)
    assert said.startswith("Trial.Echo ")
    assert name in said
    assert len(said) <= 500


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"order": {"first": {"sku": "a", "quantity": "many"}}}, "Order.First.Quantity: "),
        ({"order": {"first": {}}}, "Order.First.Sku: "),
        ({"orders": [{}, {"lines": [{"sku": "a"}, {"quantity": 1}]}]}, "Orders[1].Lines[1].Sku: "),
        ({"many": [{"sku": "a"}, {"sku": "b", "quantity": "x"}]}, "Many[1].Quantity: "),
    ],
)
def test_a_wrong_entry_of_an_object_is_named_with_its_path(value, path):
    with pytest.raises(InvalidResult) as caught:
        ECHO.dump(value)
    assert path in str(caught.value)


@pytest.mark.parametrize(
    "value", [{"order": {"frist": None}}, {"orders": [{}, {"lines": [{"sku": "a", "frist": 1}]}]}]
)
def test_an_unknown_entry_of_an_object_is_refused_by_name(value):
    with pytest.raises(InvalidResult, match="frist"):
        ECHO.dump(value)


def test_a_secret_that_is_refused_is_not_repeated():
    class Pins(Profile):
        pin = fields.Password(data_key="Pin", validate=validate.Regexp("[0-9]+"))

    process = MessageProcess(
        "S",
        "A",
        lambda *_: None,
        request=Pins,
        response=Pins,
        options=ProcessOptions(),
        configuration=Configuration("S"),
    )
    with pytest.raises(InvalidResult) as caught:
        process.dump({"pin": "canary"})
    assert "canary" not in str(caught.value)
    assert "Pin" in str(caught.value)
