"""A list filter as the platform's QueryFilter text, and pages of records in memory."""

from xml.etree import ElementTree

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from atom import Profile, Query, fields
from atom.errors import InvalidRequest
from atom.protocol.query_filter import MAX_CONDITIONS, ListFilter


class Contact(Profile):
    id = fields.Integer(data_key="ID")
    name = fields.String(data_key="Name")
    phone = fields.String(data_key="Phone")
    pin = fields.Password(data_key="Pin")


CONTACT = Contact()


def query(**asked):
    return Query.load(CONTACT, ListFilter.read(asked))


def where(column, criteria, value):
    return {"columnName": column, "criteriaType": criteria, "contentValue": value}


def test_the_query_filter_is_the_documented_text():
    asked = query(
        comparisonType="AND",
        where=[where("Phone", "EQUAL", "9703180975")],
        orderBy=[{"columnName": "ID", "direction": "ASC"}],
    )
    assert asked.to_xml() == (
        "<QueryFilter>\n"
        '  <expression operator="and">\n'
        '    <nestedExpression operator="EQUAL" property="Phone">\n'
        "      <argument>9703180975</argument>\n"
        "    </nestedExpression>\n"
        "  </expression>\n"
        '  <sort property="ID" sortOrder="ASC"></sort>\n'
        "</QueryFilter>"
    )


def test_without_a_filter_the_text_is_empty():
    assert query().to_xml() == "<QueryFilter>\n</QueryFilter>"


def test_groups_nest_and_a_search_is_an_or():
    asked = query(
        listFilters=[{"comparisonType": "OR", "where": [where("Name", "IS_EMPTY", None)]}],
        search="ada",
    )
    tree = ElementTree.fromstring(asked.to_xml())
    assert [each.get("operator") for each in tree.iter() if each.get("operator")] == [
        *("and", "and", "or", "IS_EMPTY"),
        *("or", "CONTAINS", "CONTAINS"),
    ]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1) | st.just("a\r\n\t"))
def test_every_operand_comes_out_of_the_xml_as_it_was_sent(text):
    assume(not set(text) & {"\ufffe", "\uffff"})
    asked = query(where=[where("Name", "EQUAL", text)])
    assert ElementTree.fromstring(asked.to_xml()).findtext(".//argument") == text


@pytest.mark.parametrize("text", ["\x00", "a\x0b", "\ufffe", "\ud800"])
def test_what_xml_cannot_carry_is_refused(text):
    with pytest.raises(InvalidRequest, match="a character that XML cannot carry"):
        query(where=[where("Name", "EQUAL", text)])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"where": [where("Nmae", "EQUAL", "x")]}, "“Nmae”.*there are: ID, Name, Phone, Pin"),
        ({"where": [where("Pin", "EQUAL", "x")]}, "“Pin” is a secret"),
        ({"where": [where("ID", "EQUAL", "x")]}, "contentValue for “ID”"),
        ({"where": [where("ID", "CONTAINS", "1")]}, "CONTAINS is not possible for “ID”"),
        ({"where": [where("Name", "LIKE", "x")]}, "criteriaType must be one of EQUAL"),
        ({"where": [where("Name", "EQUAL", "x")] * 10_000}, f"more than {MAX_CONDITIONS}"),
        ({"limit": -1}, "listFilter.limit must be a whole number"),
        ({"orderBy": [{"columnName": "Age"}]}, "no property “Age”"),
        ({"comparisonType": "XOR"}, "must be AND or OR"),
    ],
)
def test_what_cannot_be_asked_is_named(asked, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        query(**asked)


def test_a_page_is_filtered_sorted_and_cut():
    rows = [{"id": number, "name": "ab"[number % 2], "phone": None} for number in range(10)]
    asked = query(
        where=[where("Name", "EQUAL", "b")],
        orderBy=[{"columnName": "ID", "direction": "DESC"}],
        limit=2,
        offset=1,
    )
    page = asked.page(rows)
    assert [each["id"] for each in page.rows] == [7, 5]
    assert page.has_more
    assert not query(offset=8, limit=2).page(rows).has_more
