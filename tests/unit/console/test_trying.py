"""Forms from metadata, values from forms, filters, and the tests that are saved."""

import ast

import pytest

from atom.console.trying.forms import action_form, type_form, values, with_rows
from atom.console.trying.queries import list_filter
from atom.console.trying.saved import plain, saved_test
from atom.sandbox.inputs import build_inputs


def declared(name, kind="String", type_name=None, *, required=False):
    return {
        "developerName": name,
        "contentType": f"Content{kind}",
        "typeElementDeveloperName": type_name,
        "required": required,
    }


ACTION = {
    "developerName": "Everything",
    "serviceInputs": [
        declared("A text", required=True),
        declared("Number", "Number"),
        declared("Flag", "Boolean"),
        declared("When", "DateTime"),
        declared("Secret", "Password"),
        declared("One", "Object", "Line"),
        declared("Many", "List", "Line", required=True),
    ],
}
LINE = [declared("Sku"), declared("Count", "Number")]
DESCRIPTION = {"install": {"typeElements": [{"developerName": "Line", "properties": LINE}]}}


def form(**typed):
    return action_form(DESCRIPTION, ACTION, {f"f-{key}": text for key, text in typed.items()})


def test_each_kind_has_its_control():
    controls = [each.control for each in form()]
    assert controls == [*("text", "number", "checkbox", "datetime", "password", "object", "list")]
    assert [each.is_required for each in form()] == [True, *[False] * 5, True]
    assert not any(each.problem for each in form()), "nothing is wrong before anything is typed"


def test_what_was_typed_becomes_plain_values():
    typed = {
        "f-0": "x",
        "f-1": "1.50",
        "f-2": "true",
        "f-3": "2026-01-31T08:00",
        "f-4": "s",
        "f-5-0": "A-1",
        "f-6-rows": "2",
        "f-6-0-0": "B",
        "f-6-1-1": "3",
    }
    filled = action_form(DESCRIPTION, ACTION, typed)
    assert not any(each.has_problem for each in filled)
    found = values(filled)
    assert found == {
        "A text": "x",
        "Number": "1.50",
        "Flag": True,
        "When": "2026-01-31T08:00:00Z",
        "Secret": "s",
        "One": {"Sku": "A-1", "Count": None},
        "Many": [{"Sku": "B", "Count": None}, {"Sku": None, "Count": "3"}],
    }
    # The sandbox takes them as they are, and a saved test gives them back.
    assert plain(build_inputs(DESCRIPTION, ACTION, found))["One"] == {"Sku": "A-1"}


def test_an_object_that_nobody_filled_in_is_none():
    assert values(form(**{"0": "x"}))["One"] is None


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"f-1": "many", "f-0": "x"}, "This is not a number."),
        ({"f-3": "tomorrow", "f-0": "x"}, "This is not a date and time, as 2026-01-31T08:00."),
        ({"f-1": "1"}, "This is required."),
        ({"f-0": "x", "f-6-rows": "1", "f-6-0-1": "?"}, "This is not a number."),
    ],
)
def test_what_is_wrong_is_said_at_its_place(typed, problem):
    filled = action_form(DESCRIPTION, ACTION, typed)
    assert any(each.has_problem for each in filled)
    within = [one for each in filled for row in each.rows for one in row]
    assert [each.problem for each in (*filled, *within) if each.problem] == [problem]


def test_rows_come_and_go_with_what_is_in_them():
    typed = with_rows({"f-0": "x"}, "f-6", "")
    typed = with_rows({**typed, "f-6-0-0": "first"}, "f-6", "")
    typed = with_rows({**typed, "f-6-1-0": "second"}, "f-6", "")
    typed["f-6-2-0"] = "third"
    kept = with_rows(typed, "", "f-6-1")
    assert kept == {"f-0": "x", "f-6-rows": "2", "f-6-0-0": "first", "f-6-1-0": "third"}
    assert with_rows({"f-6-rows": "nonsense"}, "f-6", "")["f-6-rows"] == "1"


def test_a_type_that_holds_itself_ends():
    itself = {"developerName": "Deep", "properties": [declared("In", "Object", "Deep")]}
    deep, depth = type_form({"install": {"typeElements": [itself]}}, "Deep", {}, "n"), 0
    while deep:
        deep, depth = deep[0].inputs, depth + 1
    assert depth < 10


def test_a_list_filter():
    asked = {
        "column0": "Name",
        "criteria0": "STARTS_WITH",
        "value0": "A",
        "column2": "Phone",
        "together": "OR",
        "order": "Name",
        "direction": "DESC",
        "limit": "5",
        "offset": "x",
    }
    assert list_filter(asked) == {
        "comparisonType": "OR",
        "where": [
            {"columnName": "Name", "criteriaType": "STARTS_WITH", "value": "A"},
            {"columnName": "Phone", "criteriaType": "EQUAL", "value": ""},
        ],
        "limit": 5,
        "offset": 0,
        "orderByPropertyDeveloperName": "Name",
        "orderByDirectionType": "DESC",
    }


def test_a_saved_test_is_python_whatever_was_typed():
    nasty = 'it\'s """ \\ {braces} \n# and more'
    inputs = build_inputs(DESCRIPTION, ACTION, {"A text": nasty})
    flow = {
        "actions": [nasty],
        "status": "done",
        "events": [
            {"kind": "requested", "details": {"inputs": inputs}},
            {"kind": "resumed", "details": {"rootFaults": {}, "outputs": []}},
        ],
    }
    tree = ast.parse(saved_test("http://127.0.0.1:8079", "http://x/fs/S", flow))
    (assigned,) = [
        each.value
        for each in tree.body
        if isinstance(each, ast.Assign) and each.targets[0].id == "INPUTS"
    ]
    assert ast.literal_eval(assigned)["A text"] == nasty
    assert [each.name[:5] for each in tree.body if isinstance(each, ast.FunctionDef)] == ["test_"]
