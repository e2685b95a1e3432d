"""What a query filter says, and which records meet it."""

from datetime import UTC, datetime

import pytest

from atom.errors import InvalidRequest
from atom.platform_api import filters
from atom.platform_api.filters import Kind

PROPERTIES = {"name": Kind.TEXT, "at": Kind.TIME, "took": Kind.NUMBER, "status": Kind.WORD}
RECORD = {
    "name": "CRM.Retrieve",
    "at": datetime(2026, 1, 31, 8, tzinfo=UTC),
    "took": 1500,
    "status": "ONLINE",
}
NOTHING = dict.fromkeys(PROPERTIES)


def a_condition(name, relation, *arguments):
    return {"property": name, "operator": relation, "argument": list(arguments)}


def a_group(relation, *nested):
    return {"operator": relation, "nestedExpression": list(nested)}


def read(expression):
    return filters.read({"QueryFilter": {"expression": expression}}, PROPERTIES)


@pytest.mark.parametrize(
    ("condition", "is_met", "is_met_by_nothing"),
    [
        (a_condition("name", "EQUALS", "CRM.Retrieve"), True, False),
        (a_condition("name", "EQUALS", "crm.retrieve"), False, False),
        (a_condition("name", "NOT_EQUALS", "CRM.Retrieve"), False, True),
        (a_condition("name", "NOT_EQUALS", "Other"), True, True),
        (a_condition("name", "LIKE", "CRM.%"), True, False),
        (a_condition("name", "LIKE", "%Ret_ieve"), True, False),
        (a_condition("name", "LIKE", "CRM"), False, False),
        (a_condition("name", "LIKE", "CRM*"), False, False),
        (a_condition("name", "LIKE", "[A-Z]%"), False, False),
        (a_condition("name", "STARTS_WITH", "CRM"), True, False),
        (a_condition("name", "CONTAINS", "M.R"), True, False),
        (a_condition("name", "NOT_CONTAINS", "M.R"), False, True),
        (a_condition("name", "IS_NULL"), False, True),
        (a_condition("name", "IS_NOT_NULL"), True, False),
        (a_condition("at", "EQUALS", "2026-01-31T08:00:00Z"), True, False),
        (a_condition("at", "EQUALS", "2026-01-31T09:00:00.9+01:00"), True, False),
        (a_condition("at", "EQUALS", "2026-01-31T08:00:00.123456"), True, False),
        (a_condition("at", "GREATER_THAN", "2026-01-31T08:00:00Z"), False, False),
        (a_condition("at", "GREATER_THAN_OR_EQUAL", "2026-01-31T08:00:00Z"), True, False),
        (a_condition("at", "LESS_THAN", "2026-01-31T08:00:01Z"), True, False),
        (a_condition("at", "LESS_THAN_OR_EQUAL", "2026-01-30"), False, False),
        (a_condition("at", "BETWEEN", "2026-01-31", "2026-02-01"), True, False),
        (a_condition("took", "GREATER_THAN", "999"), True, False),
        (a_condition("took", "BETWEEN", "1501", "9000"), False, False),
        (a_condition("took", "EQUALS", 1500), True, False),
        (a_condition("status", "EQUALS", "online"), True, False),
        (a_condition("status", "NOT_EQUALS", "Online"), False, True),
        (a_condition("status", "LIKE", "on%"), True, False),
        (a_condition("status", "STARTS_WITH", "On"), True, False),
        (a_condition("status", "CONTAINS", "line"), True, False),
        (a_condition("status", "NOT_CONTAINS", "LINE"), False, True),
        (a_condition("status", "IS_NULL"), False, True),
    ],
)
def test_a_record_meets_a_condition_or_does_not(condition, is_met, is_met_by_nothing):
    assert read(condition).matches(RECORD) is is_met
    assert read(condition).matches(NOTHING) is is_met_by_nothing


def test_groups_join_conditions():
    yes, no = a_condition("name", "LIKE", "%"), a_condition("took", "EQUALS", "1")
    assert read(a_group("and", yes, yes)).matches(RECORD)
    assert not read(a_group("and", yes, no)).matches(RECORD)
    assert read(a_group("OR", no, yes)).matches(RECORD)
    assert not read(a_group("or", no, no)).matches(RECORD)
    assert read(a_group("and", a_group("or", no, yes), yes)).matches(RECORD)
    assert read(a_group("or")).matches(RECORD)
    assert filters.read({}, PROPERTIES).matches(RECORD)


def test_the_parts_of_which_all_have_to_be_met():
    one, two, three = (a_condition("name", "EQUALS", each) for each in "123")
    expression = read(a_group("and", one, a_group("and", two), a_group("or", two, three)))
    assert filters.conjuncts(expression) == [
        read(one),
        read(two),
        read(a_group("or", two, three)),
    ]
    assert filters.conjuncts(read(a_group("or", a_group("and", one, two)))) == [
        read(one),
        read(two),
    ]


def test_like_does_not_take_for_ever():
    pattern = "%a" * 40 + "%b"
    condition = read(a_condition("name", "LIKE", pattern))
    assert not condition.matches({"name": "a" * 10_000})


def nested(depth):
    expression = a_condition("name", "EQUALS", "x")
    for _ in range(depth):
        expression = a_group("and", expression)
    return expression


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        (None, "A QueryFilter holds an object “expression”."),
        ({}, "An expression is an object with an “operator”."),
        (a_group("and", "x"), "An expression is an object with an “operator”."),
        (a_group("xor"), "An expression with a “nestedExpression” has a list there, and the"),
        ({"operator": "and", "nestedExpression": {}}, "An expression with a “nestedExpression” "),
        ({"operator": "EQUALS"}, "no property cannot be filtered by here; possible are name, at,"),
        (a_condition("color", "EQUALS", "x"), "“color” cannot be filtered by here; possible are"),
        (a_condition("name", "BETWEEN", "a", "b"), "“name” does not take the operator BETWEEN"),
        (a_condition("at", "LIKE", "2026%"), "“at” does not take the operator LIKE here; possible"),
        (a_condition("name", "EQUALS"), "“name” EQUALS takes a list of 1 in “argument”, not []."),
        (a_condition("name", "EQUALS", "a", "b"), "“name” EQUALS takes a list of 1 in “argument”"),
        (a_condition("took", "EQUALS", "long"), "“took” is compared with a number such as 1500, "),
        (a_condition("at", "EQUALS", "soon"), "“at” is compared with a time such as 2026-01-31T"),
        (nested(21), "Expressions nest at most 20 deep."),
        (a_group("or", *[a_condition("name", "IS_NULL")] * 501), "A filter has at most 500"),
    ],
)
def test_what_is_wrong_with_a_filter_is_said(expression, says):
    with pytest.raises(InvalidRequest) as error:
        read(expression)
    assert str(error.value).startswith(says)


def test_a_filter_may_be_nested_quite_deeply():
    assert read(nested(20)).matches({"name": "x"})
