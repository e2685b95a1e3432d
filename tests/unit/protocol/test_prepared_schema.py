"""The short way through a schema: it comes to what marshmallow comes to, and is taken."""

import datetime as dt
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from marshmallow import Schema, ValidationError, post_load, pre_load, validate, validates

from atom import Profile, fields
from atom.outcome import dump_response
from atom.profile import prepared
from atom.protocol.message_actions import ServiceRequestSchema
from atom.protocol.objects import Document
from atom.protocol.prepared_schema import NotThisWay, PreparedSchema


class Line(Profile):
    sku = fields.String(data_key="Sku", required=True)
    quantity = fields.Integer(data_key="Quantity", load_default=1)
    note = fields.String(data_key="Note")


class Plain(Profile):
    id = fields.Integer(data_key="Id", required=True)
    amount = fields.Decimal(data_key="Amount")
    due = fields.DateTime(data_key="Due")
    express = fields.Boolean(data_key="Express", load_default=False)
    secret = fields.Password(data_key="Secret")
    lines = fields.List(fields.Nested(Line), data_key="Lines")
    more = fields.Nested(Line, many=True, data_key="More")
    box = fields.Nested(Line, data_key="Box")
    other_name = fields.String(data_key="Other", attribute="stored_as")
    shown = fields.String(data_key="Shown", dump_default="shown")


class Validated(Profile):
    id = fields.Integer(data_key="Id", validate=validate.Range(min=1, max=9))
    lines = fields.List(fields.Nested(Line), data_key="Lines", validate=validate.Length(max=1))
    kind = fields.String(data_key="Other", validate=[validate.OneOf(["a", "b"])])


class Doubled(fields.Integer):
    """Reads in a way of its own."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return 2 * super()._deserialize(value, attr, data, **kwargs)


class Odd(Profile):
    id = Doubled(data_key="Id")
    box = fields.Nested(Line, data_key="Box")


class Hooked(Profile):
    id = fields.Integer(data_key="Id")

    @pre_load
    def more(self, data: Any, **_: Any) -> Any:
        return {**data, "Id": "7"}


class Finished(Profile):
    id = fields.Integer(data_key="Id")

    @post_load
    def wrapped(self, data: Any, **_: Any) -> Any:
        return {"wrapped": data}


class Checked(Profile):
    id = fields.Integer(data_key="Id")

    @validates("id")
    def not_five(self, value: Any, data_key: str) -> None:
        if value == 5:
            raise ValidationError("five")


class Own(Profile):
    id = fields.Integer(data_key="Id")

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        return 3


class HookedInside(Profile):
    box = fields.Nested(Hooked, data_key="Box")


class Worked(Profile):
    id = fields.Integer(data_key="Id", pre_load=lambda value: value + "0")
    kind = fields.String(data_key="Other", post_load=str.upper)


class OnlyOneWay(Profile):
    id = fields.Integer(data_key="Id", dump_only=True)
    kind = fields.String(data_key="Other", load_only=True)


SHORT = [Plain, Validated, Odd, OnlyOneWay]
WHOLE = [Hooked, Finished, Checked, Own, HookedInside, Worked]

_LINES = [
    *([], [{"Sku": "a"}], [{"Sku": "a", "Quantity": "2", "Note": None}, {"Sku": "b"}]),
    *([{}], [{"Sku": None}], [{"Sku": "a", "Quantity": "x"}], [7], "no list", None),
]
DOCUMENTS: list[Document] = [
    *({"Id": each} for each in ("5", "0", "x", "", None, 7, [], "12345678901234567890", "٣")),
    *({"Id": "1", "Lines": each} for each in _LINES),
    *({"Id": "1", "More": each} for each in _LINES),
    *({"Id": "1", "Box": each} for each in ({"Sku": "a"}, {}, None, [], "x")),
    *({"Id": "1", "Amount": each} for each in ("1.50", "1e3", "NaN", "")),
    {"Id": "1", "Due": "2026-03-01T10:00:00Z", "Express": "true", "Secret": "pst", "Other": "a"},
    {"Id": "1", "Due": "tomorrow", "Express": "maybe", "Other": "c"},
    {"Id": "1", "Nobody": "knows", "Express": None},
    {},
]

_NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
RESULTS: list[Any] = [
    *({"id": each} for each in (5, 0, "5", "x", None, 1.5, True, [])),
    {"id": 1, "lines": [{"sku": "a", "quantity": 2}], "box": {"sku": "b", "note": None}},
    {"id": 1, "lines": ({"sku": "a"}, {"sku": "b"}), "more": [{"sku": "c", "quantity": 3}]},
    *({"id": 1, "lines": each} for each in ([{}], [{"sku": None}], [None], {}, "x", None)),
    {"id": 1, "amount": Decimal("1.50"), "due": _NOON, "express": True, "secret": "pst"},
    {"id": 1, "due": _NOON.date(), "stored_as": "kept", "shown": None},
    *({"id": 1, "amount": each} for each in (2, 1.5, "2.50", "x", float("nan"))),
    {"id": 1, "other_name": "no such entry"},
    *({"id": 3, "kind": each} for each in ("a", "c", None)),
    {"id": 1, "express": None},
    *({}, None, [], "x", 7),
]


def _outcome(work: Any) -> Any:
    try:
        return work()
    except Exception as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("profile", [*SHORT, *WHOLE])
def test_it_loads_as_marshmallow_does(profile: type[Profile]):
    ready, whole = prepared(profile), profile()
    for document in DOCUMENTS:
        expected = _outcome(partial(whole.load, document))
        assert _outcome(partial(ready.load, document)) == expected, document


@pytest.mark.parametrize("profile", [*SHORT, *WHOLE])
def test_it_dumps_as_the_whole_way_does(profile: type[Profile], monkeypatch: pytest.MonkeyPatch):
    ready = prepared(profile)
    monkeypatch.setattr("atom.protocol.prepared_schema._way", lambda *_: None)
    whole = prepared(profile)
    for result in RESULTS:
        expected = _outcome(partial(dump_response, whole, result))
        assert _outcome(partial(dump_response, ready, result)) == expected, result


@pytest.mark.parametrize("profile", SHORT)
def test_the_short_way_is_taken(profile: type[Profile], monkeypatch: pytest.MonkeyPatch):
    ready = prepared(profile)
    monkeypatch.setattr(Schema, "load", _never)
    monkeypatch.setattr(Schema, "dump", _never)
    if profile is not OnlyOneWay:
        assert ready.load({"Id": "4", "Box": {"Sku": "a"}})["id"]
        assert ready.dump({"id": 4})["Id"] == "4"
    assert ready.load({"Id": "4", "Other": "a"})


@pytest.mark.parametrize("profile", WHOLE)
def test_code_of_ones_own_is_never_passed_by(profile: type[Profile]):
    with pytest.raises(NotThisWay):
        prepared(profile).dump({"id": 4})


def test_a_wire_schema_goes_the_short_way(monkeypatch: pytest.MonkeyPatch):
    ready = PreparedSchema(ServiceRequestSchema())
    sent = {"token": "t", "tenantId": "a", "callbackUri": "http://b", "outcomes": [{"id": "o"}]}
    expected = ready.schema.load(sent)
    monkeypatch.setattr(Schema, "load", _never)
    assert ready.load(sent) == expected
    monkeypatch.undo()
    with pytest.raises(ValidationError, match="tenantId"):
        ready.load({**sent, "tenantId": "not\nsafe"})


def test_an_entry_is_no_method_of_the_dict_that_lacks_it():
    class Order(Profile):
        items = fields.List(fields.Nested(Line), data_key="Items")
        values = fields.String(data_key="Values")

    class Object:
        items = None
        values = "of an object"

    assert dump_response(prepared(Order), {}) == {}
    assert Order().dump({}) == {}
    assert dump_response(prepared(Order), Object()) == {"Items": None, "Values": "of an object"}


def _never(*_: Any, **__: Any) -> Any:
    raise AssertionError("the whole way was gone")
