"""Profiles made from any document and any schema: what is printed can be declared."""

import json
import re
from contextlib import suppress
from decimal import Decimal

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from atom import Profile
from atom.cli.main import main
from atom.errors import DeclarationError
from atom.profile_source import read_sample, read_schema, write_profiles
from tests.support.profiles import declared, made, on_the_wire

ODD_NAMES = [
    *(
        "",
        " ",
        "\t",
        "\n",
        "a\nb",
        "\ud800",
        "\u2028",
        "#",
        '"',
        "\\",
        "'" * 3,
        "{x}",
        "%s",
        "..",
        "a.b",
    ),
    *("class", "None", "True", "match", "type", "_", "__", "__class__", "__init__", "self", "def"),
    *(
        "fields",
        "Profile",
        "Meta",
        "load",
        "dump",
        "context",
        "opts",
        "declared_fields",
        "validate",
    ),
    *(
        "items",
        "get",
        "keys",
        "1",
        "1a",
        "a b",
        "a_b",
        "a-b",
        "A B",
        "AB",
        "aB",
        "ａ",
        "ﬁelds",
        "ß",
    ),
    *("ä", "日本", "\U0001f600", "İ", "µ", "data", "address", "x" * 300, "address 2", "data data"),
    *sorted(set(dir(Profile())))[::5],
]
names = st.one_of(
    st.sampled_from(ODD_NAMES), st.sampled_from(["data", "address", "a"]), st.text(max_size=8)
)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, 10**2000, -(10**1500), Decimal("1e-2000"), Decimal("1E+400"), 1e300]),
)
simple = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    st.text(max_size=20),
    st.sampled_from(
        ["2026-01-31", "2026-01-31T10:00:00Z", "2026-02-30", "", "\ud800", "9999-12-31"]
    ),
)
values = st.recursive(
    simple,
    lambda inner: st.one_of(st.dictionaries(names, inner, max_size=4), st.lists(inner, max_size=3)),
    max_leaves=10,
)
documents = st.dictionaries(names, values, max_size=6)


def encoded(document):
    def plain(value):
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return list(map(plain, value))
        is_large = isinstance(value, Decimal) or (type(value) is int and abs(value) > 10**300)
        return f"number:{value}" if is_large else value

    text = json.dumps(plain(document))
    return re.sub(r'"number:([^"]*)"', r"\1", text)


@settings(max_examples=250)
@given(documents)
@example({"billing": {"address": {"a": 1}}, "shipping": {"address": {"a": 1, "b": 2}}})
@example({"a": {"address": {"x": 1, "y": 2}}, "b": {"address": {"y": 1, "x": 2}}})
@example({"a": {"address": {"x": 1}}, "b": {"address": [{"x": 1.5}]}})
@example({"data": {"data": {"data": {"data": {"x": 1}, "y": 1}}}})
@example({"data": {"address": {"x": 1}}, "b": {"address": {"y": 1}}, "b address": {"z": 1}})
@example({"a": 1, "tags": ["x"], "matrix": [[1]], "nothing": {}, "none": [], "": 1, "\ud800": 2})
def test_any_document_makes_a_profile_that_can_be_declared(document):
    text = encoded(document)
    plain = [name for name in document if name and name.isprintable()]
    if not any(isinstance(document[name], str | bool | int | None) for name in plain):
        with suppress(DeclarationError):
            read_sample(text, "Order")
        return
    source = write_profiles(read_sample(text, "Order"), "Order")
    assert all(len(line) <= 100 for line in source.text.splitlines() if line.isascii())
    profile = made(source.text)
    declared(profile)
    parsed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    profile().load(on_the_wire(parsed))


@settings(max_examples=100)
@given(st.text(max_size=30) | values.map(encoded))
def test_any_text_is_read_or_refused(text):
    with suppress(DeclarationError):
        declared(made(write_profiles(read_sample(text, "Order"), "Order").text))


# --- schemas

TYPES = ["string", "integer", "number", "boolean", "object", "array", "null", "any", "", 5, None]
REFERENCES = [
    *("#", "#/", "#/$defs/a", "#/$defs/b", "#/$defs/c", "#/properties/a", "#/allOf/0", "#/x/y"),
    *("#/$defs/%FF", "#/$defs/%61", "other.json#/a", "", 7, None, "#/allOf/-1", "#anchor"),
]
keywords = {
    "type": st.sampled_from(TYPES) | st.lists(st.sampled_from(TYPES), max_size=3),
    "format": st.sampled_from(["date", "date-time", "email", "uri", "uuid", "password", "odd", 1]),
    "title": names | st.none() | st.integers(),
    "nullable": st.booleans() | st.just("yes"),
    "enum": st.lists(values, max_size=3) | values,
    "const": values,
    "$ref": st.sampled_from(REFERENCES),
    "required": st.lists(names | st.integers(), max_size=4) | st.booleans(),
    "additionalProperties": st.booleans(),
    "default": values,
}


def schemas_of(inner):
    several = st.lists(inner, max_size=3) | st.just({"a": 1})
    nested = {
        "properties": st.dictionaries(names, inner, max_size=4) | st.just([]),
        "items": inner | st.lists(inner, max_size=2),
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "prefixItems": several,
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(names, inner, max_size=2),
    }
    return st.fixed_dictionaries({}, optional={**keywords, **nested})


leaves = st.one_of(
    st.sampled_from([{"type": "string"}, {"type": "integer"}, {"type": ["string", "null"]}]),
    st.fixed_dictionaries({}, optional=keywords),
    values,
)
schemas = st.recursive(leaves, schemas_of, max_leaves=8)
roots = st.builds(
    lambda schema, properties, definitions: {
        **(schema if isinstance(schema, dict) else {}),
        **properties,
        "$defs": definitions,
    },
    schemas,
    st.fixed_dictionaries(
        {}, optional={"properties": st.dictionaries(names, schemas, min_size=1, max_size=5)}
    ),
    st.dictionaries(st.sampled_from("abc"), schemas, max_size=3),
)
TREE = {"properties": {"name": {"type": "string"}, "child": {"$ref": "#/$defs/a"}}}


@settings(max_examples=200)
@given(roots)
@example({"$ref": "#/$defs/a", "$defs": {"a": TREE}})
@example({"properties": {"a": {"type": [{}, []]}, "b": {"type": "string"}}})
def test_any_schema_makes_a_profile_that_can_be_declared(schema):
    text = encoded(schema)
    try:
        source = write_profiles(read_schema(text, "Order"), "Order").text
    except DeclarationError:
        return
    declared(made(source))


@settings(max_examples=100)
@given(st.dictionaries(names, schemas, max_size=5))
def test_one_entry_that_can_be_kept_keeps_the_document(properties):
    schema = {"type": "object", "properties": {**properties, "Kept": {"type": "string"}}}
    entries = read_schema(encoded(schema), "Order")
    assert "Kept" in [entry.name for entry in declared(made(write_profiles(entries, "Order").text))]


def test_references_that_multiply_are_refused():
    definitions = {
        f"d{number}": {"properties": {name: {"$ref": f"#/$defs/d{number + 1}"} for name in "abcd"}}
        for number in range(30)
    }
    schema = {"$ref": "#/$defs/d0", "$defs": {**definitions, "d30": {"type": "string"}}}
    with pytest.raises(DeclarationError, match="lead to more than 20000 schemas"):
        read_schema(json.dumps(schema), "Order")


def test_schemas_nested_too_deep_are_left_out():
    deep = {"type": "string"}
    for _ in range(300):
        deep = {"allOf": [deep]}
    schema = {"properties": {"A": {"type": "string"}, "B": deep, "C": {"$ref": "#/properties/B"}}}
    made(write_profiles(read_schema(json.dumps(schema), "Order"), "Order").text)


# --- what is said of it

MIXED = {
    "id": "7",
    "tags": ["a", "b"],
    "billing": {"address": {"street": "x"}, "extra": {}},
    "shipping": {"address": {"street": "y", "zip": "2"}},
    "empty": {"only": {"this": []}},
    "": "no name",
}
MIXED_SOURCE = """\
from atom import Profile, fields


class Address(Profile):
    street = fields.String()


class Billing(Profile):
    address = fields.Nested(Address)
    # “extra” is left out: an object without entries has no structure; give it an example entry


class ShippingAddress(Profile):
    street = fields.String()
    zip = fields.String()


class Shipping(Profile):
    # “address” in the document; another structure has that name
    shipping_address = fields.Nested(ShippingAddress, data_key="shipping address")


class Order(Profile):
    id = fields.String()
    # “tags” is left out: an array of simple values is not supported; make its elements objects, for
    # example {"Value": …}
    billing = fields.Nested(Billing)
    shipping = fields.Nested(Shipping)
    # “empty” is left out: nothing in it can be kept
    # “” is left out: an entry needs a name; this one is empty
"""
MIXED_REMARKS = [
    "atom: Profile Order, entry “tags”: an array of simple values is not supported; make its",
    "atom: Profile Order, entry “billing - extra”: an object without entries has no structure;",
    "atom: Profile Order, entry “shipping - address”: it is named “shipping address”, for another",
    "atom: Profile Order, entry “empty - only - this”: an empty array has no structure; put an",
    "atom: Profile Order, entry “”: an entry needs a name; this one is empty.",
]


def test_what_is_left_out_or_renamed_is_said():
    arguments = ["profile", "from-json", "-", "--name", "Order"]
    done = CliRunner().invoke(main, arguments, input=json.dumps(MIXED))
    assert done.exit_code == 0
    assert done.stdout == MIXED_SOURCE
    lines = done.stderr.splitlines()
    assert [line[: len(remark)] for line, remark in zip(lines, MIXED_REMARKS, strict=True)] == (
        MIXED_REMARKS
    )
    declared(made(done.stdout))


def test_nothing_that_can_be_kept_is_refused_with_every_reason():
    document = {"tags": ["a"], "matrix": [[1]], "nothing": {"at": {"all": []}}}
    arguments = ["profile", "from-json", "-", "--name", "Order"]
    done = CliRunner().invoke(main, arguments, input=json.dumps(document))
    assert done.exit_code == 1
    assert done.stdout == ""
    for entry in ("tags", "matrix", "nothing - at - all"):
        assert f"entry “{entry}”: " in done.stderr


@pytest.mark.parametrize("name", ["fields", "Profile", "ﬁelds", "class", "1", "", "a b", "\x1b["])
def test_name_that_is_no_class_name_is_refused(name):
    with pytest.raises(DeclarationError, match="cannot be the name of a class"):
        write_profiles(read_sample('{"A": 1}', "Order"), name)
