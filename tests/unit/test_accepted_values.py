"""Requests that were accepted under one profile and are read under another."""

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, post_load, pre_load, validate, validates, validates_schema

from atom import FlowService, Profile, fields, testing
from atom.errors import InvalidRequest
from atom.protocol.message_actions import ServiceRequest
from tests.support.any_profiles import built, documents, specs

RECEIVED: list[Any] = []


def process_of(profile: type[Profile] | None) -> Any:
    service = FlowService("S")

    @service.message_action("Do", request=profile)
    def do(request, execution):
        RECEIVED.append(request)

    service.freeze()
    return service.message_processes["Do"]


def request_of(profile: type[Profile], document: dict[str, Any]) -> ServiceRequest:
    """Return a request that a listener with this profile accepts."""
    process = process_of(profile)
    request = ServiceRequest.read(
        {
            "token": "t",
            "tenantId": "tenant",
            "callbackUri": "https://flow.boomi.com/api/run/1/response",
            "inputs": process.write_inputs(document),
        }
    )
    process.check(request)
    return request


def received(
    profile: type[Profile], request: ServiceRequest, *, is_of_several_versions: bool = True
) -> Any:
    """Return what the process of another version receives."""
    execution = testing.execution(is_of_several_versions=is_of_several_versions)
    RECEIVED.clear()
    process_of(profile).call(request, execution, None)
    (loaded,) = RECEIVED
    return loaded


def warnings(caplog: Any) -> list[str]:
    return [
        record.getMessage().partition(": ")[2]
        for record in caplog.records
        if record.levelno == logging.WARNING
    ]


class Line(Profile):
    sku = fields.String(data_key="SKU", required=True)


class Order(Profile):
    number = fields.Integer(data_key="Number", required=True)
    amount = fields.String(data_key="Amount")
    customer = fields.String(data_key="Customer")
    box = fields.Nested(Line, data_key="Box")
    lines = fields.List(fields.Nested(Line), data_key="Lines")


ORDER = {
    "number": 7,
    "amount": "12 EUR",
    "customer": "Ada",
    "box": {"sku": "b"},
    "lines": [{"sku": "a"}, {"sku": "5"}],
}


def test_new_required_entry_has_no_value(caplog):
    class Later(Order):
        region = fields.String(data_key="Region", required=True)
        tags = fields.List(fields.Nested(Line), data_key="Tags", required=True)

    loaded = received(Later, request_of(Order, ORDER))
    assert loaded == {**ORDER, "region": None, "tags": []}
    assert warnings(caplog) == [
        "“Region” is required, but missing; it has no value",
        "“Tags” is required, but missing; it has no value",
    ]


def test_new_required_entry_is_no_error_within_one_version(caplog):
    class Later(Order):
        region = fields.String(data_key="Region", required=True)

    loaded = received(Later, request_of(Order, ORDER), is_of_several_versions=False)
    assert loaded["region"] is None


def test_new_required_entry_is_refused_at_acceptance():
    class Later(Order):
        region = fields.String(data_key="Region", required=True)

    with pytest.raises(InvalidRequest, match="Region: missing data for required field"):
        process_of(Later).check(request_of(Order, ORDER))


def test_removed_entry_is_ignored(caplog):
    class Later(Profile):
        number = fields.Integer(data_key="Number", required=True)

    assert received(Later, request_of(Order, ORDER)) == {"number": 7}
    assert warnings(caplog) == []


def test_new_optional_entry_has_its_default(caplog):
    class Later(Order):
        priority = fields.Integer(data_key="Priority", load_default=3)

    assert received(Later, request_of(Order, ORDER))["priority"] == 3
    assert warnings(caplog) == []


def test_readable_value_of_another_type_is_read(caplog):
    class Later(Order):
        number = fields.String(data_key="Number")

    assert received(Later, request_of(Order, ORDER))["number"] == "7"
    assert warnings(caplog) == []


def test_unreadable_value_is_its_raw_text(caplog):
    class Later(Order):
        amount = fields.Decimal(data_key="Amount", required=True)

    assert received(Later, request_of(Order, ORDER)) == ORDER
    assert warnings(caplog) == ["“Amount” cannot be read; its raw text is passed on"]


def test_unreadable_values_in_a_list_are_one_warning(caplog):
    class Item(Profile):
        sku = fields.Integer(data_key="SKU")
        quantity = fields.Integer(data_key="Quantity", required=True)

    class Later(Order):
        lines = fields.List(fields.Nested(Item), data_key="Lines")

    loaded = received(Later, request_of(Order, ORDER))
    assert loaded["lines"] == [{"sku": "a", "quantity": None}, {"sku": 5, "quantity": None}]
    assert warnings(caplog) == [
        "“Lines[].SKU” cannot be read; its raw text is passed on",
        "“Lines[].Quantity” is required, but missing; it has no value",
    ]


def test_text_that_became_an_object_is_its_raw_text(caplog):
    class Later(Order):
        customer = fields.Nested(Line, data_key="Customer")

    assert received(Later, request_of(Order, ORDER)) == ORDER
    assert warnings(caplog) == ["“Customer” cannot be read; its raw text is passed on"]


def test_object_that_became_a_text_is_json(caplog):
    class Later(Order):
        box = fields.String(data_key="Box")

    text = received(Later, request_of(Order, ORDER))["box"]
    assert '"contentValue":"b"' in text
    assert warnings(caplog) == ["“Box” cannot be read; its raw text is passed on"]


def test_list_that_became_an_object_is_json_if_it_has_several(caplog):
    class Later(Order):
        lines = fields.Nested(Line, data_key="Lines")

    one = {**ORDER, "lines": [{"sku": "a"}]}
    assert received(Later, request_of(Order, one))["lines"] == {"sku": "a"}
    assert warnings(caplog) == []
    text = received(Later, request_of(Order, ORDER))["lines"]
    assert '"contentValue":"a"' in text
    assert warnings(caplog) == ["“Lines” cannot be read; its raw text is passed on"]


def test_object_that_became_a_list_is_a_list_of_one():
    class Later(Order):
        box = fields.List(fields.Nested(Line), data_key="Box")

    assert received(Later, request_of(Order, ORDER))["box"] == [{"sku": "b"}]


def test_value_of_another_shape_is_no_value_within_one_version(caplog):
    request = request_of(Order, ORDER)

    class Same(Order):
        customer = fields.Nested(Line, data_key="Customer")

    loaded = received(Same, request, is_of_several_versions=False)
    assert loaded["customer"] is None
    assert warnings(caplog) == []


def test_new_validator_of_an_entry_lets_the_value_pass(caplog):
    class Later(Order):
        number = fields.Integer(data_key="Number", validate=validate.Range(min=10))
        lines = fields.List(fields.Nested(Line), data_key="Lines", validate=validate.Length(max=1))

    assert received(Later, request_of(Order, ORDER)) == ORDER
    assert warnings(caplog) == [
        "“Number” is refused by a validator; it is passed on as it is",
        "“Lines” is refused by a validator; it is passed on as it is",
    ]


def test_new_validator_of_the_profile_lets_the_values_pass(caplog):
    class Later(Order):
        @validates("number")
        def is_even(self, value, data_key):
            raise ValidationError("odd")

        @validates_schema
        def refuse(self, data, **kwargs):
            raise ValidationError("never")

    assert received(Later, request_of(Order, ORDER)) == ORDER
    assert warnings(caplog) == ["a validator refuses them; they are passed on as they are"]


def test_hooks_run_for_values_that_do_not_fit(caplog):
    class Later(Order):
        region = fields.String(data_key="Region", required=True)

        @pre_load
        def rename(self, data, **kwargs):
            return {**data, "Amount": data["Amount"].removesuffix(" EUR")}

        @post_load
        def double(self, data, **kwargs):
            return {**data, "number": 2 * data["number"]}

    loaded = received(Later, request_of(Order, ORDER))
    assert loaded == {**ORDER, "amount": "12", "number": 14, "region": None}


@pytest.mark.parametrize("error", [ValidationError("no"), KeyError("no")])
def test_hook_that_raises_is_left_out(caplog, error):
    class Inner(Line):
        @pre_load
        def refuse_before(self, data, **kwargs):
            data.clear()
            raise error

    class Later(Order):
        box = fields.Nested(Inner, data_key="Box")

        @post_load
        def refuse(self, data, **kwargs):
            raise error

    name = type(error).__name__
    assert received(Later, request_of(Order, ORDER)) == ORDER
    assert warnings(caplog) == [
        f"a pre_load hook of Inner raised {name} and is left out",
        f"a post_load hook of Later raised {name} and is left out",
    ]


def test_warning_does_not_have_the_value(caplog):
    class Before(Profile):
        password = fields.Password(data_key="Password")

    class Later(Profile):
        password = fields.Integer(data_key="Password")

    loaded = received(Later, request_of(Before, {"password": "canary"}))
    assert loaded == {"password": "canary"}
    assert "canary" not in caplog.text


def test_profile_that_was_removed_gives_no_values():
    assert received(None, request_of(Order, ORDER)) == {}


def test_configuration_value_that_is_new_or_changed(caplog):
    service = FlowService("S")
    service.configuration_value("Host", required=True)
    service.configuration_value("Port", fields.Integer, required=True)
    values = [{"developerName": "Port", "contentType": "ContentString", "contentValue": "auto"}]
    with pytest.raises(InvalidRequest, match="Host: missing data"):
        service.configuration.load(values)
    loaded = service.configuration.load_accepted(values, is_of_several_versions=False)
    assert loaded == {"Host": None, "Port": "auto"}
    assert warnings(caplog) == [
        "“Host” is required, but missing; it has no value",
        "“Port” cannot be read; its raw text is passed on",
    ]


class Thing(Profile):
    id = fields.String(data_key="ID")
    amount = fields.Integer(data_key="Amount", required=True)
    owner = fields.String(data_key="Owner", required=True)


def objects_of(**changes):
    properties = [{"developerName": "Amount", "contentValue": "many"}]
    return [{"externalId": "1", "developerName": "Thing", "properties": properties, **changes}]


@pytest.mark.parametrize("operation", ["save", "save_all", "delete"])
def test_records_of_an_accepted_request_are_never_refused(caplog, operation):
    service = FlowService("S")
    thing = service.data_action("Thing", profile=Thing, key="id")

    @getattr(thing, operation)
    def do(records, execution):
        RECEIVED.append(records)

    service.freeze()
    process = service.processes[f"Thing.{operation.removesuffix('_all')}"]
    request = process.read(
        {
            "objectDataType": {"developerName": "Thing"},
            "objectData": objects_of(),
        }
    )
    with pytest.raises(InvalidRequest):
        process.check(request)
    RECEIVED.clear()
    process.call(request, testing.execution(is_of_several_versions=True), None)
    record = RECEIVED[0][0] if operation == "save_all" else RECEIVED[0]
    missing = {} if operation == "delete" else {"owner": None}
    assert record == {"id": "1", "amount": "many", **missing}
    assert record.external_id == "1"
    assert "“Amount” cannot be read; its raw text is passed on" in warnings(caplog)


def test_called_process_gets_the_outputs_that_another_version_recorded(caplog):
    class Before(Profile):
        total = fields.String(data_key="Total")
        old = fields.String(data_key="Old")

    class Later(Profile):
        total = fields.Integer(data_key="Total", required=True)
        region = fields.String(data_key="Region", required=True)

    service = FlowService("S")
    service.message_action("Before", response=Before)(lambda request, execution: None)
    service.message_action("Later", response=Later)(lambda request, execution: None)
    outputs = service.message_processes["Before"].dump({"total": "7", "old": "x"})
    assert service.message_processes["Later"].read_outputs(outputs) == {
        "total": 7,
        "region": None,
    }


@given(st.data(), specs(2), specs(2), st.booleans())
def test_any_accepted_request_is_read_under_any_other_profile(data, before, later, is_other):
    if before and data.draw(st.booleans()):  # keep some entries as they were
        later = {**later, **dict(list(before.items())[:2])}
    request = request_of(built(before), data.draw(documents(before)))
    expected = process_of(built(before)).load(request.inputs)
    loaded = received(built(later), request, is_of_several_versions=is_other)
    assert loaded.keys() == later.keys()
    for name in before.keys() & later.keys():
        if before[name] == later[name]:
            assert loaded[name] == expected[name]
