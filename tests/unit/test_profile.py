"""Profiles: the entries and types they make, and each declaration that no flow could use."""

from http import HTTPStatus

import marshmallow
import pytest
from marshmallow import fields as plain

from atom import Profile, fields
from atom.errors import DeclarationError, InvalidRequest
from atom.profile import check_type_names, entries_of, load_request, prepared
from atom.protocol.objects import Entry
from atom.protocol.values import ContentType


class Line(Profile):
    sku = fields.String(data_key="Sku", required=True)


class Box(Profile):
    line = fields.Nested(Line, data_key="Line")


class Order(Profile):
    id = fields.String(data_key="Id", required=True)
    plain_name = fields.Integer()
    box = fields.Nested(Box, data_key="Box")
    lines = fields.List(fields.Nested(Line), data_key="Lines", required=True)


def test_the_entries_of_a_profile_in_the_order_they_were_declared():
    sku = (Entry("Sku", ContentType.STRING, True),)
    line = Entry("Line", ContentType.OBJECT, False, "Buy REQUEST - Line", sku)
    assert entries_of(Order, "Buy REQUEST") == (
        Entry("Id", ContentType.STRING, True),
        Entry("plain_name", ContentType.NUMBER),
        Entry("Box", ContentType.OBJECT, False, "Buy REQUEST - Box", (line,)),
        Entry("Lines", ContentType.LIST, True, "Buy REQUEST - Lines", sku),
    )


def test_no_profile_has_no_entries():
    assert entries_of(None, "Buy REQUEST") == ()


@pytest.mark.parametrize(
    "field",
    [
        fields.Email(),
        fields.Url(),
        fields.UUID(),
        plain.String(),
        plain.IPv4(),
        fields.Enum(ContentType),
        fields.Enum(HTTPStatus),
        fields.Enum(ContentType, by_value=True),
        fields.Enum(ContentType, by_value=plain.String),
        fields.Enum(ContentType, by_value=fields.String),
    ],
    ids=lambda field: type(field).__name__,
)
def test_marshmallow_fields_that_write_text_are_strings(field):
    (entry,) = entries_of(Profile.from_dict({"x": field}), "T")
    assert entry.content_type is ContentType.STRING


class Twice(Profile):
    one = fields.String(data_key="Same")
    other = fields.String(data_key="Same")


class Node(Profile):
    children = fields.List(fields.Nested(lambda: Node()), data_key="Children")


class Ping(Profile):
    pong = fields.Nested(lambda: Pong(), data_key="Pong")


class Pong(Profile):
    ping = fields.Nested(Ping, data_key="Ping")


class Bare(Profile):
    pass


class PlainSchema(marshmallow.Schema):
    class Meta:
        register = False

    sku = fields.String()


@pytest.mark.parametrize(
    ("field", "says"),
    [
        (fields.List(fields.String()), "array of simple values"),
        (fields.List(fields.Integer()), "array of simple values"),
        (fields.List(plain.Dict()), "array of simple values"),
        (fields.List(fields.List(fields.Nested(Line))), "array of arrays"),
        (fields.List(fields.List(fields.String())), "array of arrays"),
        (fields.List(fields.Nested(Line, many=True)), "array of arrays"),
        (plain.Tuple((fields.String(), fields.String())), "Tuple"),
        (plain.Dict(), "marshmallow.fields.Dict"),
        (plain.Raw(), "Raw"),
        (plain.Integer(), "marshmallow.fields.Integer"),
        (plain.Float(), "Float"),
        (plain.Decimal(), "Decimal"),
        (plain.Boolean(), "Boolean"),
        (plain.DateTime(), "DateTime"),
        (plain.Date(), "Date"),
        (plain.Time(), "Time"),
        (plain.TimeDelta(), "TimeDelta"),
        (plain.Function(lambda _: 1), "Function"),
        (plain.Constant(1), "Constant"),
        (plain.Pluck(Line, "sku"), "Pluck"),
        (fields.Enum(HTTPStatus, by_value=True), "leave by_value out"),
        (fields.Enum(HTTPStatus, by_value=plain.Integer), "leave by_value out"),
        (fields.Enum(HTTPStatus, by_value=plain.String), "leave by_value out"),
        (fields.Nested(Bare), "Bare has no entries"),
        (fields.List(fields.Nested(Bare)), "Bare has no entries"),
        (fields.Nested(PlainSchema), "PlainSchema"),
        (fields.Nested({"sku": fields.String()}), "atom.Profile"),
        (fields.Nested(Twice), "Same"),
        (fields.Nested("NoSuchProfile"), "NoSuchProfile"),
        (fields.Nested("self"), "self"),
        (fields.Nested(Node), "contain itself"),
        (fields.Nested(Ping), "contain itself"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_an_entry_that_no_flow_can_hold_names_profile_and_entry(field, says):
    class Wrong(Profile):
        good = fields.String(data_key="Good")
        bad = field

    class Outer(Profile):
        inner = fields.Nested(Wrong, data_key="Inner")

    for profile in (Wrong, Outer):
        with pytest.raises(DeclarationError) as caught:
            entries_of(profile, "Buy REQUEST")
        said = str(caught.value)
        assert says in said
        if "itself" not in says:
            assert "Profile Wrong" in said
            assert "“bad”" in said
        assert "“Good”" not in said


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        (Twice, ["Twice", "Same"]),
        (Node, ["Node", "Children"]),
        (Ping, ["Pong", "Ping"]),
        (Line(), ["Line"]),
        (PlainSchema, ["PlainSchema"]),
        (dict, ["dict"]),
        ({"sku": fields.String()}, ["sku"]),
        ("Order", ["Order"]),
        (True, ["True"]),
    ],
    ids=lambda each: repr(each)[:30],
)
def test_what_is_no_usable_profile_is_refused(profile, names):
    with pytest.raises(DeclarationError) as caught:
        entries_of(profile, "Buy REQUEST")
    assert all(name in str(caught.value) for name in names)


def test_an_entry_without_a_name_is_refused():
    class Nameless(Profile):
        text = fields.String(data_key="")

    with pytest.raises(DeclarationError, match="Nameless"):
        entries_of(Nameless, "Buy REQUEST")


def test_one_profile_may_be_used_by_several_entries():
    class Both(Profile):
        bill_to = fields.Nested(Line, data_key="Bill To")
        ship_to = fields.Nested(Line, data_key="Ship To")

    types = check_type_names([entries_of(Both, "Buy REQUEST")])
    assert list(types) == ["Buy REQUEST - Bill To", "Buy REQUEST - Ship To"]


def test_equal_structures_under_one_name_are_one_type():
    class Again(Profile):
        line = fields.Nested(Line, data_key="Line")
        box = fields.Nested(Box, data_key="Box")

    assert set(check_type_names([entries_of(Again, "T")])) == {"T - Line", "T - Box"}


def test_different_structures_under_one_name_are_refused():
    class Other(Profile):
        sku = fields.Integer(data_key="Sku", required=True)

    class Clash(Profile):
        line = fields.Nested(Other, data_key="Line")
        box = fields.Nested(Box, data_key="Box")

    with pytest.raises(DeclarationError, match="“T - Line”"):
        check_type_names([entries_of(Clash, "T")])


def test_what_is_loaded_has_every_entry():
    class Options(Profile):
        text = fields.String(data_key="Text")
        limit = fields.Integer(data_key="Limit", load_default=20)
        lines = fields.List(fields.Nested(Line), data_key="Lines")
        more = fields.Nested(Line, many=True, data_key="More")
        box = fields.Nested(Box, data_key="Box")

    empty = {"text": None, "limit": 20, "lines": [], "more": [], "box": None}
    first, second = (load_request(prepared(Options), {}) for _ in range(2))
    assert first == second == empty
    assert first["lines"] is not second["lines"]
    assert load_request(prepared(Options), {"Box": {}})["box"] == {"line": None}
    assert load_request(None, {"Text": "x"}) == {}


def test_everything_that_is_missing_or_wrong_is_named_with_its_path():
    document = {"plain_name": "x", "Box": {"Line": {}}, "Lines": [{"Sku": "a"}, {}]}
    with pytest.raises(InvalidRequest) as caught:
        load_request(prepared(Order), document)
    said = str(caught.value)
    assert "Id: " in said
    assert "plain_name: 'x' is not a number" in said
    assert "Box.Line.Sku: " in said
    assert "Lines[1].Sku: " in said
    assert "Lines[0]" not in said


def test_the_sentence_stays_short_however_much_is_wrong():
    wrong = {"Id": "x", "Lines": [{}] * 10_000}
    with pytest.raises(InvalidRequest) as caught:
        load_request(prepared(Order), wrong)
    assert len(str(caught.value)) <= 500
