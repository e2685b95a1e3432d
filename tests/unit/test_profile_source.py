"""Profiles made from examples and schemas: what they are, and what is refused."""

import json
import subprocess
import sys
from decimal import Decimal

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from atom.cli.main import main
from atom.errors import DeclarationError
from atom.profile import entries_of
from atom.profile_source import read_sample, read_schema, write_profiles
from tests.support.profiles import made, on_the_wire

ORDER = {
    "Order Number": "A-1",
    "placedAt": "2026-01-31T12:00:00Z",
    "Ship By": "2026-02-01",
    "Customer": {"Name": "Ada", "class": 1, "fields": 2.5},
    "Lines": [{"Sku": "a", "Qty": 1}, {"Sku": "b", "Qty": 1.5, "Gift": True}, None],
    "Note": None,
    "Either": [{"x": 1}, {"x": "one"}],
    "Billing": {"Street": "a"},
    "Shipping": {"Street": "b"},
    "An entry whose name is so long that its field cannot be written on one line of the source": 1,
}
ORDER_SOURCE = """\
from atom import Profile, fields


class Customer(Profile):
    name = fields.String(data_key="Name")
    class_ = fields.Integer(data_key="class")
    fields_2 = fields.Decimal(data_key="fields")


class LinesItem(Profile):
    sku = fields.String(data_key="Sku")
    qty = fields.Decimal(data_key="Qty")
    gift = fields.Boolean(data_key="Gift")


class EitherItem(Profile):
    # of several kinds in the example
    x = fields.String()


class Billing(Profile):
    street = fields.String(data_key="Street")


class Order(Profile):
    order_number = fields.String(data_key="Order Number")
    placed_at = fields.DateTime(data_key="placedAt")
    ship_by = fields.Date(data_key="Ship By")
    customer = fields.Nested(Customer, data_key="Customer")
    lines = fields.List(fields.Nested(LinesItem), data_key="Lines")
    # null in the example: what is it?
    note = fields.String(data_key="Note")
    either = fields.List(fields.Nested(EitherItem), data_key="Either")
    billing = fields.Nested(Billing, data_key="Billing")
    shipping = fields.Nested(Billing, data_key="Shipping")
    an_entry_whose_name_is_so_long_that_its = fields.Integer(
        data_key=(
            "An entry whose name is so long that its field cannot be written on one line of the sou"
            "rce"
        ),
    )
"""


def from_sample(document, name="Order"):
    return write_profiles(read_sample(json.dumps(document), name), name).text


def from_schema(document, name="Order"):
    return write_profiles(read_schema(json.dumps(document), name), name).text


def test_the_source_of_an_example():
    assert from_sample(ORDER) == ORDER_SOURCE


def test_the_source_is_formatted_as_ruff_does(tmp_path):
    file = tmp_path / "order.py"
    file.write_text(from_sample(ORDER), encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--check", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# --- whatever an example holds

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120)
SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(-(10**9), 10**9, places=2)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes().map(lambda moment: moment.isoformat() + "Z")
)
DOCUMENTS = st.recursive(
    st.dictionaries(NAMES, SIMPLE, min_size=1, max_size=4),
    lambda inner: st.dictionaries(
        NAMES, SIMPLE | inner | st.lists(inner, min_size=1, max_size=1), min_size=1, max_size=4
    ),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_any_example_makes_a_profile_that_takes_it(document):
    text = json.dumps(document, default=lambda number: float(number))
    source = write_profiles(read_sample(text, "Order"), "Order").text
    assert all(len(line) <= 100 for line in source.splitlines() if line.isascii())
    profile = made(source)
    assert {entry.name for entry in entries_of(profile, "Order")} == set(document)
    profile().load(on_the_wire(json.loads(text, parse_float=Decimal)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "Profile Order: a root array is not supported; put it into an object"),
        ("1", "Profile Order: the document must be a JSON object"),
        ("{}", "Profile Order: an object without entries has no structure"),
        ('{"A": {"B": {}}}', "entry “A - B”: an object without entries has no structure"),
        ('{"A": []}', "Profile Order, entry “A”: an empty array has no structure"),
        ('{"A": [null]}', "entry “A”: an empty array has no structure"),
        ('{"A": [1]}', "entry “A”: an array of simple values is not supported; make its elements"),
        ('{"A": [[1]]}', "entry “A”: an array of arrays is not supported; make its elements"),
        ('{"A": [{"B": 1}, {"B": {"C": 1}}]}', "entry “A - B”: it is a structure in one element"),
        ('{"A": [{"B": [{"C": 1}]}, {"B": {"C": 1}}]}', "“A - B”: it is a structure in one"),
        ('{"": 1}', "an entry needs a name"),
        ('{"A": 1, "A": 2}', "entry “A”: the name is twice in one object"),
        ('{"A": NaN}', "NaN is not a JSON number"),
        ('{"\\ud800": 1}', "not a text that UTF-8 can carry"),
        ('{"A": 1', "this is not JSON: line 1, column"),
        ('{"A":' * 60 + "1" + "}" * 60, "nested more than 50 deep"),
        ('{"A":' * 200_000, "Profile Order: "),
    ],
    ids=lambda value: value[:40],
)
def test_an_example_that_no_flow_can_hold(text, problem):
    with pytest.raises(DeclarationError) as caught:
        read_sample(text, "Order")
    assert problem in str(caught.value)


# --- schemas

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Order",
    "type": "object",
    "required": ["Number", "Lines", "When", "Note"],
    "properties": {
        "Number": {"type": "string"},
        "Secret": {"type": "string", "format": "password"},
        "When": {"type": "string", "format": "date-time"},
        "Day": {"type": ["string", "null"], "format": "date"},
        "Total": {"type": "number"},
        "Count": {"type": "integer"},
        "Open": {"type": "boolean"},
        "State": {"enum": ["new", "done"]},
        "Note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "Lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "Billing": {"$ref": "#/$defs/Address"},
        "Shipping": {"allOf": [{"$ref": "#/$defs/Address"}], "description": "where to"},
        "Both": {
            "allOf": [
                {"properties": {"A": {"type": "string"}}, "required": ["A"]},
                {"properties": {"B": {"const": 1}}, "required": ["B"]},
            ]
        },
    },
    "$defs": {
        "Line": {"type": "object", "properties": {"Sku": {"type": "string"}}, "required": ["Sku"]},
        "Address": {"properties": {"Street": {"type": "string", "nullable": True}}},
    },
}
SCHEMA_SOURCE = """\
from atom import Profile, fields


class Line(Profile):
    sku = fields.String(data_key="Sku", required=True)


class Address(Profile):
    street = fields.String(data_key="Street")


class Both(Profile):
    a = fields.String(data_key="A", required=True)
    b = fields.Decimal(data_key="B", required=True)


class Order(Profile):
    number = fields.String(data_key="Number", required=True)
    secret = fields.Password(data_key="Secret")
    when = fields.DateTime(data_key="When", required=True)
    day = fields.Date(data_key="Day")
    total = fields.Decimal(data_key="Total")
    count = fields.Integer(data_key="Count")
    open = fields.Boolean(data_key="Open")
    state = fields.String(data_key="State")
    note = fields.String(data_key="Note")
    lines = fields.List(fields.Nested(Line), data_key="Lines", required=True)
    billing = fields.Nested(Address, data_key="Billing")
    shipping = fields.Nested(Address, data_key="Shipping")
    both = fields.Nested(Both, data_key="Both")
"""


def test_the_source_of_a_schema():
    source = from_schema(SCHEMA)
    assert source == SCHEMA_SOURCE
    assert len(entries_of(made(source), "Order")) == len(SCHEMA["properties"])


def test_structures_that_differ_have_names_that_differ():
    inner = {"type": "object", "title": "Order", "properties": {"A": {"type": "string"}}}
    other = {"type": "object", "title": "Order", "properties": {"B": {"type": "string"}}}
    source = from_schema({"type": "object", "properties": {"One": inner, "Two": other}})
    assert "fields.Nested(Order2," in source
    assert "fields.Nested(Order3," in source
    made(source)


STRING = {"type": "string"}
NODE = {"type": "object", "properties": {"Next": {"$ref": "#/$defs/Node"}}}


@pytest.mark.parametrize(
    ("property", "problem"),
    [
        ({}, "“A”: it has no type; say what it is with “type”"),
        (True, "“A”: it has no type"),
        ({"type": "null"}, "“A”: it has no type"),
        ({"type": "text"}, "“A”: “text” is not a type of JSON Schema"),
        ({"type": ["string", "integer"]}, "“A”: it is of several types"),
        ({"enum": ["a", 1]}, "“A”: it is of several types"),
        ({"oneOf": [STRING, {"type": "integer"}]}, "“A”: “oneOf” of several types"),
        ({"anyOf": []}, "“A”: “anyOf” of several types"),
        ({"type": "object"}, "“A”: an object without properties has no structure"),
        ({"type": "array"}, "“A”: an array needs “items”"),
        ({"type": "array", "items": [STRING]}, "“A”: an array needs “items”"),
        ({"type": "array", "items": STRING}, "“A”: an array of simple values"),
        ({"type": "array", "items": {"type": "array", "items": STRING}}, "“A”: an array of arrays"),
        ({"$ref": "https://example.org/a.json"}, "is outside of this document"),
        ({"$ref": "#/$defs/None"}, "#/$defs/None refers to nothing in this document"),
        ({"$ref": "#/$defs/Loop"}, "#/$defs/Loop contains itself"),
        ({"$ref": "#/$defs/Node"}, "“A - Next”: #/$defs/Node contains itself"),
        ({"$ref": "#"}, "“A - A”: # contains itself"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_schema_that_no_flow_can_hold(property, problem):
    schema = {
        "type": "object",
        "properties": {"A": property},
        "$defs": {"Node": NODE, "Loop": {"$ref": "#/$defs/Loop"}},
    }
    with pytest.raises(DeclarationError) as caught:
        from_schema(schema)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ([], "must be a JSON object"),
        ({"type": "array", "items": NODE}, "a root array is not supported"),
        (STRING, "it must describe an object, not “string”"),
    ],
)
def test_a_schema_whose_root_is_no_object(schema, problem):
    with pytest.raises(DeclarationError, match=problem):
        from_schema(schema)


# --- the command


def test_the_command_prints_what_can_be_run(tmp_path):
    file = tmp_path / "new-order.json"
    file.write_text(json.dumps(ORDER), encoding="utf-8")
    done = CliRunner().invoke(main, ["profile", "from-json", str(file)])
    assert done.exit_code == 0, done.output
    assert done.output == ORDER_SOURCE.replace("class Order(", "class NewOrder(")
    done = CliRunner().invoke(main, ["profile", "from-schema", "-"], input=json.dumps(SCHEMA))
    assert done.output == SCHEMA_SOURCE.replace("class Order(", "class Document(")


@pytest.mark.parametrize(
    ("arguments", "content", "problem"),
    [
        (["--name", "class"], b"{}", "cannot be the name of a class"),
        (["--name", "Profile"], b'{"A": 1}', "cannot be the name of a class"),
        ([], b"\xff", "is not UTF-8"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path, arguments, content, problem):
    file = tmp_path / "order.json"
    file.write_bytes(content)
    done = CliRunner().invoke(main, ["profile", "from-json", str(file), *arguments])
    assert done.exit_code == 1
    assert done.output.startswith("atom: ")
    assert problem in done.output or content == b"{}"
