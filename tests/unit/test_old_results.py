"""Results that are built of values which another version of the service recorded."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import post_dump, validate

from atom import FlowService, Profile, fields, testing
from atom.errors import InvalidResult
from tests.support.any_profiles import built, documents, specs


def process_of(profile: type[Profile] | None) -> Any:
    service = FlowService("S")
    service.message_action("Do", response=profile)(lambda request, execution: None)
    return service.message_processes["Do"]


def outputs_of(profile: type[Profile] | None, result: Any) -> dict[str, Any]:
    """Return the outputs of an execution of several versions, by name."""
    outputs = process_of(profile).dump(result, is_of_several_versions=True)
    return {output["developerName"]: _plain(output) for output in outputs}


def _plain(value: dict[str, Any]) -> Any:
    """Return an output without the random ids of its objects."""
    if value["objectData"] is None:
        return value["contentValue"]
    return [
        {inner["developerName"]: _plain(inner) for inner in element["properties"]}
        for element in value["objectData"]
    ]


def warnings(caplog: Any) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


class Line(Profile):
    sku = fields.String(data_key="SKU", required=True)
    quantity = fields.Integer(data_key="Quantity")


class Receipt(Profile):
    id = fields.String(data_key="ID", required=True)
    total = fields.Integer(data_key="Total", required=True)
    lines = fields.List(fields.Nested(Line), data_key="Lines")
    box = fields.Nested(Line, data_key="Box")


NOTHING = {"ID": None, "Total": None, "Lines": None, "Box": None}


@pytest.mark.parametrize(
    ("result", "outputs", "warning"),
    [
        ({"id": "1", "total": 2}, {"ID": "1", "Total": "2"}, None),
        ({"id": "1"}, {"ID": "1"}, "Total: missing data for required field"),
        (
            {"id": "1", "total": 2, "note": "old"},
            {"ID": "1", "Total": "2"},
            "note: no such entry (there are id, total, lines, box)",
        ),
        (
            {"id": "1", "total": "many"},
            {"ID": "1"},
            "Total: 'many' is not a number; Total: missing data for required field",
        ),
        (None, {}, "ID: missing data for required field; Total: missing data for required field"),
        (["a list"], {}, "a dict or an object is expected"),
        (
            {"id": "1", "total": 2, "lines": [{"sku": "a", "old": 1}, {"sku": "b", "old": 2}]},
            {
                "ID": "1",
                "Total": "2",
                "Lines": [{"SKU": "a", "Quantity": None}, {"SKU": "b", "Quantity": None}],
            },
            "Lines[].old: no such entry (there are sku, quantity)",
        ),
        (
            {"id": "1", "total": 2, "lines": "none", "box": "no dict"},
            {"ID": "1", "Total": "2"},
            "a list of dicts or objects is expected",
        ),
    ],
)
def test_result_that_does_not_fit_keeps_what_fits(caplog, result, outputs, warning):
    assert outputs_of(Receipt, result) == {**NOTHING, **outputs}
    if warning is None:
        assert warnings(caplog) == []
    else:
        (logged,) = warnings(caplog)
        assert logged.startswith("The result does not fit: ")
        assert warning in logged


def test_result_of_one_version_has_to_fit():
    with pytest.raises(InvalidResult, match="Total: missing data"):
        process_of(Receipt).dump({"id": "1"})


def test_result_without_a_profile_is_left_out(caplog):
    assert outputs_of(None, {"id": "1"}) == {}
    (logged,) = warnings(caplog)
    assert "the action declares no response profile" in logged


def test_hooks_run_for_a_result_that_fits_only(caplog):
    class Hooked(Profile):
        id = fields.String(data_key="ID", required=True, validate=validate.Length(max=2))

        @post_dump
        def add(self, document, **kwargs):
            return {**document, "ID": f"<{document['ID']}"}

    assert outputs_of(Hooked, {"id": "1"}) == {"ID": "<1"}
    assert warnings(caplog) == []
    assert outputs_of(Hooked, {"id": "123"}) == {"ID": "123"}
    assert warnings(caplog) == ["The result does not fit: ID: longer than maximum length 2"]


def test_records_that_do_not_fit_are_one_warning(caplog):
    class Thing(Profile):
        id = fields.String(data_key="ID")
        total = fields.Integer(data_key="Total", required=True)

    service = FlowService("S")
    thing = service.data_action("Thing", profile=Thing, key="id")

    @thing.query
    def query(query, execution):
        return [{"id": str(number), "note": "old"} for number in range(3)]

    process = service.processes["Thing.query"]
    request = process.read({"objectDataType": {"developerName": "Thing"}, "listFilter": {}})
    with pytest.raises(InvalidResult):
        process.call(request, testing.execution(), None)
    execution = testing.execution(is_of_several_versions=True)
    found = process.call(request, execution, None)["objectData"]
    assert [record["externalId"] for record in found] == ["0", "1", "2"]
    (logged,) = warnings(caplog)
    assert logged.startswith("A record does not fit: note: no such entry (there are id, total);")


@given(st.data(), specs(2), specs(2))
def test_any_result_of_one_profile_is_written_under_any_other(data, before, later):
    if before and data.draw(st.booleans()):  # keep some entries as they were
        later = {**later, **dict(list(before.items())[:2])}
    result = data.draw(documents(before))
    expected, outputs = outputs_of(built(before), result), outputs_of(built(later), result)
    assert outputs.keys() == later.keys()
    for name in before.keys() & later.keys():
        if before[name] == later[name]:
            assert outputs[name] == expected[name]
