"""A process: its options, and what it may receive and return."""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace

import orjson
import pytest

from atom import Profile, fields
from atom.configuration import Configuration
from atom.errors import DeclarationError, Fault, InvalidRequest, InvalidResult
from atom.message_process import MessageProcess
from atom.process import ProcessOptions


class Address(Profile):
    city = fields.String(data_key="City", required=True)


class Customer(Profile):
    name = fields.String(data_key="Name", required=True)
    credit = fields.Decimal(data_key="Credit")
    address = fields.Nested(Address, data_key="Address")
    others = fields.List(fields.Nested(Address), data_key="Others")


class Loose(Profile):
    text = fields.String(data_key="Text")
    address = fields.Nested(Address, data_key="Address")


def process(response=Customer, request=None, **options):
    return MessageProcess(
        "CRM",
        "Retrieve",
        lambda *_: None,
        request=request,
        response=response,
        configuration=Configuration("CRM"),
        options=ProcessOptions(**options),
    )


def no_outputs(declared):
    return declared.refusal("t", "x", [Fault("no")], request=None, status=409)["outputs"]


def outputs(result, response=Customer):
    values = process(response).dump(result)
    assert orjson.loads(orjson.dumps(values)) == values
    return {value["developerName"]: value["contentValue"] for value in values}


def refusal(result, response=Customer):
    with pytest.raises(InvalidResult) as caught:
        process(response).dump(result)
    assert str(caught.value).startswith("CRM.Retrieve returned")
    return str(caught.value)


def test_every_declared_output_is_there_and_null_where_there_is_no_value():
    assert outputs({"name": "Ada"}) == {
        "Name": "Ada",
        "Credit": None,
        "Address": None,
        "Others": None,
    }
    assert outputs({"name": "Ada", "credit": None}) == outputs({"name": "Ada"})


@pytest.mark.parametrize("result", [None, {}])
def test_nothing_is_a_result_where_nothing_is_required(result):
    assert outputs(result, Loose) == {"Text": None, "Address": None}
    assert "Name: " in refusal(result)


def test_no_outputs_are_every_output_without_a_value():
    values = no_outputs(process())
    assert [value["developerName"] for value in values] == ["Name", "Credit", "Address", "Others"]
    assert {value["contentValue"] for value in values} == {None}
    assert [value["objectData"] for value in values] == [None] * 4


@dataclass
class Row:
    name: str
    address: object = None
    unrelated: int = 7


def test_objects_with_attributes_are_accepted_inside_and_out():
    row = Row("Ada", SimpleNamespace(city="London"))
    (_, _, address, _) = process().dump(row)
    assert outputs(row)["Name"] == "Ada"
    assert address["objectData"][0]["properties"][0]["contentValue"] == "London"
    assert outputs({"name": "Ada", "address": row.address})["Name"] == "Ada"


def test_an_object_that_lacks_what_is_required_is_refused():
    assert "Name: " in refusal(SimpleNamespace(nam="Ada"))
    assert "City: " in refusal(Row("Ada", SimpleNamespace(town="London")))


def test_an_unknown_entry_is_refused_and_the_known_ones_are_named():
    said = refusal({"name": "Ada", "nmae": "typo", "zzz": 1})
    assert "nmae: " in said
    assert "zzz: " in said
    assert "name, credit, address, others" in said


@pytest.mark.parametrize("result", [{1: 2, "zzz": 3}, {("a", 1): 2, None: 3}])
def test_a_key_that_is_no_text_is_an_unknown_entry(result):
    assert "no such entry" in refusal(result)


def test_everything_that_is_wrong_is_named():
    said = refusal({"address": {}, "others": [{"city": "x"}, {}]})
    for path in ("Name: ", "Address.City: ", "Others[1].City: "):
        assert path in said


@pytest.mark.parametrize(
    "result",
    [
        "Ada",
        b"Ada",
        7,
        7.5,
        True,
        ["Ada"],
        [{"name": "Ada"}],
        ("Ada",),
        {"Ada"},
        datetime(2025, 9, 4, tzinfo=UTC),
    ],
    ids=repr,
)
def test_what_is_no_structure_is_refused(result):
    refusal(result, Loose)


def test_a_process_without_a_response_profile_returns_nothing():
    assert process(None).dump(None) == []
    assert no_outputs(process(None)) == []
    with pytest.raises(InvalidResult, match="no response profile"):
        process(None).dump({"name": "Ada"})


def test_a_process_without_a_request_profile_receives_nothing():
    assert process().load([{"developerName": "Name", "contentValue": "Ada"}]) == {}


def test_what_a_request_lacks_is_named():
    with pytest.raises(InvalidRequest, match="Name: "):
        process(request=Customer).load([])


def test_a_field_may_have_another_attribute_in_python():
    class Renamed(Profile):
        name = fields.String(data_key="Name", attribute="full_name")

    echo = process(Renamed, Renamed)
    received = echo.load([{"developerName": "Name", "contentValue": "Ada"}])
    assert received == {"full_name": "Ada"}
    assert echo.dump(received)[0]["contentValue"] == "Ada"


def test_the_defaults():
    options = process().options
    assert options.sync_timeout == 0  # WAIT at once
    assert options.queue == "processes"
    assert options.wait_message
    assert process().task_name == "CRM.Retrieve"


@pytest.mark.parametrize(
    "options",
    [
        {"sync_timeout": 0},
        {"sync_timeout": 59},
        {"sync_timeout": 1, "timeout": 1.5},
        {"timeout": 0.5},
        {"timeout": 30 * 86_400},
        {"queue": "slow", "wait_message": "…"},
    ],
    ids=repr,
)
def test_options_that_can_be_meant(options):
    assert process(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"sync_timeout": 60},
        {"sync_timeout": -1},
        {"sync_timeout": 1.5},
        {"sync_timeout": "5"},
        {"sync_timeout": None},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": "60"},
        {"timeout": None},
        {"timeout": 5, "sync_timeout": 5},
        {"wait_message": ""},
        {"wait_message": None},
        {"wait_message": 7},
        {"queue": ""},
        {"queue": None},
        {"queue": 7},
        {"queue": "callbacks"},
        {"queue": "recovery"},
    ],
    ids=repr,
)
def test_options_that_nobody_can_have_meant_are_named(options):
    with pytest.raises(DeclarationError) as caught:
        process(**options)
    said = str(caught.value)
    assert next(iter(options)) in said
    assert "“Retrieve”" in said
    assert "“CRM”" in said
