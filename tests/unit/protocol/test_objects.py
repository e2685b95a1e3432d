"""Between EngineValues or objects on the wire and plain documents."""

import string
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atom.errors import InvalidRequest
from atom.protocol.objects import Entry, nested_entries, read_values, write_values
from atom.protocol.values import ContentType

LINE = (
    Entry("Sku", ContentType.STRING),
    Entry("Quantity", ContentType.NUMBER),
)
ORDER = (
    Entry("Id", ContentType.STRING),
    Entry("Shipped", ContentType.BOOLEAN),
    Entry("First", ContentType.OBJECT, False, "T - First", LINE),
    Entry("Lines", ContentType.LIST, False, "T - Lines", LINE),
)


def value(name, content=None, kind="ContentString", **more):
    return {"developerName": name, "contentType": kind, "contentValue": content, **more}


def mobject(*properties, **more):
    return {"developerName": "T", "properties": list(properties), **more}


def test_values_become_a_document():
    sent = [
        value("Id", "o-1"),
        value("Shipped", "True", "ContentBoolean"),
        value("First", None, "ContentObject", objectData=[mobject(value("Sku", "a"))]),
        value(
            "Lines",
            None,
            "ContentList",
            objectData=[
                mobject(value("Sku", "a"), value("Quantity", "1", "ContentNumber")),
                mobject(value("Sku", "b")),
            ],
        ),
    ]
    assert read_values(ORDER, sent) == {
        "Id": "o-1",
        "Shipped": "True",
        "First": {"Sku": "a"},
        "Lines": [{"Sku": "a", "Quantity": "1"}, {"Sku": "b"}],
    }


def test_what_nobody_declared_is_left_out():
    sent = [
        value("Other", "x"),
        value("Id", "o-1"),
        value("First", None, "ContentObject", objectData=[mobject(value("Other", "x"))]),
    ]
    assert read_values(ORDER, sent) == {"Id": "o-1", "First": {}}


@pytest.mark.parametrize("kind", [kind for kind in ContentType if not kind.is_structure])
def test_an_empty_text_is_a_value_for_texts_only(kind):
    document = read_values((Entry("X", kind),), [value("X", "", kind.value)])
    assert document == ({"X": ""} if kind.is_text else {})


@pytest.mark.parametrize("kind", list(ContentType))
def test_null_is_no_value(kind):
    entry = Entry("X", kind, False, "T" if kind.is_structure else None)
    assert read_values((entry,), [value("X", None, kind.value, objectData=None)]) == {}
    assert read_values((entry,), [{"developerName": "X"}]) == {}
    assert read_values((entry,), []) == {}


def test_an_empty_list_is_a_value_and_an_empty_object_is_none():
    sent = [
        value("Lines", None, "ContentList", objectData=[]),
        value("First", None, "ContentObject", objectData=[]),
    ]
    assert read_values(ORDER, sent) == {"Lines": []}


@pytest.mark.parametrize("properties", [{}, {"properties": None}, {"properties": []}])
def test_an_object_without_properties_is_an_object_without_values(properties):
    sent = [value("Lines", None, "ContentList", objectData=[properties, properties])]
    assert read_values(ORDER, sent) == {"Lines": [{}, {}]}


def test_several_objects_where_one_is_declared_are_refused_by_name():
    several = value("First", None, "ContentObject", objectData=[mobject(), mobject()])
    with pytest.raises(InvalidRequest, match=r"^First is a single object, but 2 were sent"):
        read_values(ORDER, [several])

    outer = (Entry("Orders", ContentType.LIST, False, "T - Orders", ORDER),)
    orders = value("Orders", None, "ContentList", objectData=[mobject(), mobject(several)])
    with pytest.raises(InvalidRequest, match=r"^Orders\[1\]\.First is a single object"):
        read_values(outer, [orders])


def test_an_object_is_written_as_the_protocol_has_it():
    (written,) = write_values(ORDER[2:3], {"First": {"Sku": "a"}})
    (made,) = written.pop("objectData")
    assert written == {
        "developerName": "First",
        "contentType": "ContentObject",
        "contentValue": None,
        "typeElementDeveloperName": "T - First",
        "valueElementId": None,
        "typeElementId": None,
        "typeElementPropertyId": None,
        "typeElementPropertyDeveloperName": None,
    }
    assert UUID(made.pop("internalId"))
    assert made.pop("externalId")
    assert made == {
        "developerName": "T - First",
        "order": 0,
        "typeElementId": None,
        "typeElementBindingDeveloperName": None,
        "isSelected": False,
        "properties": [
            {
                "developerName": "Sku",
                "contentType": "ContentString",
                "contentValue": "a",
                "contentFormat": None,
                "typeElementPropertyId": None,
                "objectData": None,
            },
            {
                "developerName": "Quantity",
                "contentType": "ContentNumber",
                "contentValue": None,
                "contentFormat": None,
                "typeElementPropertyId": None,
                "objectData": None,
            },
        ],
    }


def test_the_objects_of_a_list_are_numbered_and_told_apart():
    (written,) = write_values(ORDER[3:], {"Lines": [{"Sku": "a"}, {"Sku": "a"}, {}]})
    assert [each["order"] for each in written["objectData"]] == [0, 1, 2]
    assert len({each["internalId"] for each in written["objectData"]}) == 3
    assert len({each["externalId"] for each in written["objectData"]}) == 3


def test_every_entry_is_written_in_order_with_null_for_no_value():
    written = write_values(ORDER, {"Shipped": "true"})
    assert [each["developerName"] for each in written] == ["Id", "Shipped", "First", "Lines"]
    assert [each["contentValue"] for each in written] == [None, "true", None, None]
    assert [each["objectData"] for each in written] == [None] * 4


def test_a_type_is_made_of_every_object_and_list_outer_ones_first():
    inner = Entry("Inner", ContentType.LIST, False, "T - Inner", LINE)
    outer = Entry("Outer", ContentType.OBJECT, False, "T - Outer", (*LINE, inner))
    assert [each.name for each in nested_entries((*ORDER, outer))] == [
        "First",
        "Lines",
        "Outer",
        "Inner",
    ]


# Any entries, and a document that fits them.

names = st.lists(st.text(string.ascii_letters, min_size=1, max_size=4), max_size=4, unique=True)
simple_types = st.sampled_from([kind for kind in ContentType if not kind.is_structure])


@st.composite
def entry_sets(draw, depth=3):
    entries = []
    for name in draw(names):
        if depth and draw(st.booleans()):
            kind = draw(st.sampled_from([ContentType.OBJECT, ContentType.LIST]))
            entries.append(Entry(name, kind, False, f"T - {name}", draw(entry_sets(depth - 1))))
        else:
            entries.append(Entry(name, draw(simple_types)))
    return tuple(entries)


@st.composite
def documents(draw, entries):
    document = {}
    for entry in entries:
        if draw(st.booleans()):
            continue
        if entry.content_type is ContentType.OBJECT:
            document[entry.name] = draw(documents(entry.entries))
        elif entry.content_type is ContentType.LIST:
            document[entry.name] = draw(st.lists(documents(entry.entries), max_size=3))
        else:
            minimum = 0 if entry.content_type.is_text else 1
            document[entry.name] = draw(st.text(min_size=minimum, max_size=20))
    return document


@given(st.data())
@settings(deadline=None)
def test_any_document_survives_the_wire(data):
    entries = data.draw(entry_sets())
    document = data.draw(documents(entries))
    over_the_wire = orjson.loads(orjson.dumps(write_values(entries, document)))
    assert read_values(entries, over_the_wire) == document
