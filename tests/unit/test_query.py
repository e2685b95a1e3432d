"""A list filter as the platform's QueryFilter text, and pages of records in memory."""

from datetime import date
from xml.etree import ElementTree

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from atom import FlowService, Profile, Query, fields, testing
from atom.errors import InvalidRequest
from atom.protocol.query_filter import MAX_CONDITIONS, MAX_PROVIDED, ListFilter


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


ROWS = [{"id": number, "name": name, "phone": None} for number, name in enumerate(["Ada", None])]
VALUELESS = ["CONTAINS", "STARTS_WITH", "ENDS_WITH"]
ORDERED = ["GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"]


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize(
    ("column", "criteria"),
    [
        *(("Name", each) for each in [*VALUELESS, *ORDERED]),
        *(("ID", each) for each in ORDERED),
    ],
)
def test_condition_without_value_restricts_nothing(column, criteria, value):
    empty = where(column, criteria, value)
    assert query(where=[empty]).page(ROWS).rows == ROWS
    assert "expression" not in query(where=[empty]).to_xml()
    ada = where("Name", "EQUAL", "Ada")
    for comparison in ("AND", "OR"):
        asked = query(
            comparisonType=comparison, where=[empty, ada], listFilters=[{"where": [empty]}]
        )
        assert asked.page(ROWS).rows == ROWS[:1]
        assert asked.to_xml().count("nestedExpression operator") == 1


def test_number_of_blanks_is_no_value():
    assert query(where=[where("ID", "LESS_THAN", "  ")]).page(ROWS).rows == ROWS


def test_older_name_of_an_empty_value_restricts_nothing():
    empty = {"columnName": "Name", "criteriaType": "CONTAINS", "value": None}
    assert query(where=[empty]).page(ROWS).rows == ROWS


def test_equal_without_value_means_records_without_value():
    assert query(where=[where("Name", "EQUAL", None)]).page(ROWS).rows == ROWS[1:]
    assert query(where=[where("Name", "NOT_EQUAL", None)]).page(ROWS).rows == ROWS[:1]


@pytest.mark.parametrize("value", [None, ""])
def test_condition_without_value_still_names_what_does_not_exist(value):
    with pytest.raises(InvalidRequest, match="no property “Nmae”"):
        query(where=[where("Nmae", "CONTAINS", value)])
    with pytest.raises(InvalidRequest, match="CONTAINS is not possible for “ID”"):
        query(where=[where("ID", "CONTAINS", value)])


# --- filterByProvidedObjects


class Beside(Profile):
    name = fields.String(data_key="Name")


class Dated(Profile):
    day = fields.Date(data_key="Day")


def loader(profile, key, rows):
    """A function that loads objects of a type; it counts the calls of its process."""
    service = FlowService("S")
    action = service.data_action("T", profile=profile, key=key)
    calls = []

    @action.query
    def load(query, execution):
        calls.append(query)
        return query.page(rows)

    (process,) = action.processes.values()

    def ids(objects, **list_filter):
        document = {
            "objectDataType": {"developerName": "T"},
            "objectData": objects,
            "listFilter": {"filterByProvidedObjects": True, **list_filter},
        }
        request = process.read(document)
        process.check(request)
        answer = process.call(request, testing.execution(), None)
        return [each["externalId"] for each in answer["objectData"]]

    ids.calls = calls
    return ids


def provided(external_id=None, **properties):
    values = [
        {"developerName": name, "contentType": "ContentString", "contentValue": value}
        for name, value in properties.items()
    ]
    return {"externalId": external_id, "developerName": "T", "properties": values}


PEOPLE = [{"id": number, "name": f"n{number}", "phone": None} for number in range(20)]


def test_provided_objects_are_loaded_by_external_id_or_by_key():
    ids = loader(Contact, "id", PEOPLE)
    assert ids([provided("3"), provided(ID="5"), provided("007", ID="9"), provided("3")]) == [
        *("3", "5", "7")
    ]


def test_provided_objects_are_filtered_sorted_and_paged_as_any():
    ids = loader(Contact, "id", PEOPLE)
    objects = [provided(str(number)) for number in range(10)]
    name = where("Name", "GREATER_THAN", "n3")
    order = [{"columnName": "ID", "direction": "DESC"}]
    assert ids(objects, where=[name], orderBy=order, limit=2) == ["9", "8"]
    either = where("ID", "EQUAL", "15")
    assert ids(objects, comparisonType="OR", where=[name, either], orderBy=order, limit=2) == [
        *("9", "8")
    ]
    assert ids(objects, search="n7") == ["7"]


@pytest.mark.parametrize(
    "objects",
    [
        *(None, [], [provided()], [provided("")], [provided("no number")], [provided(Name="n3")]),
        *([provided(ID=None)], [provided("1.5", ID="3")]),
        [{"externalId": None, "properties": None}],
    ],
)
def test_without_provided_objects_nothing_is_loaded(objects):
    ids = loader(Contact, "id", PEOPLE)
    assert ids(objects) == []
    assert ids.calls == []


def test_key_beside_the_profile_identifies_provided_objects():
    rows = [{"id": number, "name": f"n{number}"} for number in range(3)]
    ids = loader(Beside, "id", rows)
    assert ids([provided("2"), provided("4")]) == ["2"]


def test_key_of_any_kind_identifies_provided_objects():
    days = [{"day": date(2026, 1, number)} for number in range(1, 4)]
    ids = loader(Dated, "day", days)
    loaded = ids([provided("2026-01-02T00:00:00.000Z"), provided(Day="2026-01-03")])
    assert [each[:10] for each in loaded] == ["2026-01-02", "2026-01-03"]


def test_more_provided_objects_than_can_be_loaded_are_refused():
    ids = loader(Contact, "id", PEOPLE)
    assert ids([provided(str(number)) for number in range(MAX_PROVIDED)], limit=2) == ["0", "1"]
    with pytest.raises(InvalidRequest, match=f"at most {MAX_PROVIDED}"):
        ids([provided("1")] * (MAX_PROVIDED + 1))


@pytest.mark.parametrize("flag", ["true", 1, [], {}])
def test_flag_that_is_neither_true_nor_false_is_refused(flag):
    with pytest.raises(InvalidRequest, match="filterByProvidedObjects must be true, false or null"):
        query(filterByProvidedObjects=flag)


def test_query_filter_names_the_provided_objects():
    ids = loader(Contact, "id", PEOPLE)
    ids([provided("3"), provided("5")])
    tree = ElementTree.fromstring(ids.calls[0].to_xml())
    assert [each.text for each in tree.iter("argument")] == ["3", "5"]
    assert [each.get("operator") for each in tree.iter("nestedExpression")] == [
        *("or", "EQUAL", "EQUAL")
    ]
