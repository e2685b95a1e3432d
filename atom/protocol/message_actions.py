"""Message actions on the wire: the ServiceRequest that asks, the ServiceResponses that answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from marshmallow import fields, validate

from atom.errors import Fault
from atom.protocol.prepared_schema import PreparedSchema
from atom.protocol.requests import (
    LONGEST_ID,
    ConnectorRequest,
    RequestSchema,
    header_safe,
    none_as_empty,
)
from atom.protocol.wire import EngineValues, WireSchema, load, sentence
from atom.redaction import Secret


class OutcomeSchema(WireSchema):
    """One outcome the flow's step offers."""

    id = fields.String(load_default=None, allow_none=True)
    developer_name = fields.String(data_key="developerName", load_default="", allow_none=True)


class ServiceRequestSchema(RequestSchema):
    """The part of a ServiceRequest that an Atom reads."""

    token = fields.String(required=True, validate=validate.Length(1, 1000))
    tenant_id = fields.String(data_key="tenantId", required=True, validate=header_safe(LONGEST_ID))
    callback_uri = fields.String(
        data_key="callbackUri", required=True, validate=validate.Length(1, 2000)
    )
    execution_mode = fields.String(data_key="executionMode", load_default=None, allow_none=True)
    inputs = EngineValues(load_default=list, allow_none=True)
    outcomes = fields.List(fields.Nested(OutcomeSchema), load_default=list, allow_none=True)


_SERVICE_REQUEST: Final = PreparedSchema(ServiceRequestSchema())


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest(ConnectorRequest):
    """What a flow sends to run a message action."""

    token: str = field(repr=False)
    tenant_id: str
    callback_uri: str
    execution_mode: str | None
    inputs: list[dict[str, Any]] = field(repr=False)
    outcomes: list[dict[str, Any]]

    @classmethod
    def read(cls, document: Any) -> "ServiceRequest":
        """Check a parsed body.

        Raises:
            InvalidRequest: a field is missing or wrong.
        """
        loaded = load(_SERVICE_REQUEST, document, "ServiceRequest")
        return cls(**none_as_empty(loaded, "inputs", "outcomes"))

    def properties(self, *, tenant_id: str, running_user: str | None) -> dict[str, str]:
        """See ConnectorRequest."""
        named = ConnectorRequest.properties(self, tenant_id=tenant_id, running_user=running_user)
        named["inflowtoken"] = Secret(self.token)
        named["inflowcallbackuri"] = self.callback_uri
        named["inflowexecutionmode"] = self.execution_mode or ""
        return named


def service_response(  # noqa: PLR0913 (the fields of the wire, by keyword)
    invoke_type: str,
    token: str,
    tenant_id: str,
    *,
    wait_message: str | None = None,
    outputs: Sequence[Mapping[str, Any]] = (),
    outcome_id: str | None = None,
    root_faults: Mapping[str, str] | None = None,
    value_faults: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A ServiceResponse as it goes over the wire, as an answer or as a callback."""
    return {
        "token": token,
        "tenantId": tenant_id,
        "culture": None,
        "annotations": {},
        "invokeType": invoke_type,
        "waitMessage": wait_message,
        "outputs": list(outputs),
        "selectedOutcomeId": outcome_id,
        "rootFaults": {name: sentence(message) for name, message in (root_faults or {}).items()},
        "valueFaults": list(value_faults),
        "mode": None,
    }


def wait(token: str, tenant_id: str, message: str | None) -> dict[str, Any]:
    """The flow shows the message and waits for a callback."""
    shown = None if message is None else sentence(message)
    return service_response("WAIT", token, tenant_id, wait_message=shown)


def forward(
    token: str,
    tenant_id: str,
    outputs: Sequence[Mapping[str, Any]],
    outcome_id: str | None = None,
) -> dict[str, Any]:
    """The flow takes its next step, along the outcome if one is chosen, with every output."""
    return service_response("FORWARD", token, tenant_id, outputs=outputs, outcome_id=outcome_id)


def fault(
    token: str,
    tenant_id: str,
    outputs: Sequence[Mapping[str, Any]],
    faults: Sequence[Fault],
    inputs: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The flow goes on with faults; the outputs are declared but without values.

    Faults of values refer to the `inputs` of the request.
    """
    return service_response(
        "FORWARD",
        token,
        tenant_id,
        outputs=outputs,
        root_faults={each.name: each.message for each in faults if each.entry is None},
        value_faults=[_value_fault(each, inputs) for each in faults if each.entry is not None],
    )


def _value_fault(no: Fault, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Names the value of the flow, and the property in it, by the ids that came with the input."""
    name, _, nested = (no.entry or "").partition(".")
    value = next((each for each in inputs if each.get("developerName") == name), {})
    property_id = value.get("typeElementPropertyId")
    for each in _properties(value) if nested else ():
        if each.get("developerName") == nested:
            property_id = each.get("typeElementPropertyId") or property_id
            break
    return {
        "valueElementToReferenceId": value.get("valueElementId"),
        "valueElementTypeElementPropertyToReferenceId": property_id,
        "faultCode": no.name,
        "faultMessage": sentence(no.message),
    }


def _properties(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    objects = value.get("objectData") or ()
    return [each for element in objects for each in element.get("properties") or ()]


def sealed(response: Mapping[str, Any]) -> bytes:
    """A ServiceResponse as it is stored: without the token, which is a secret of its own place."""
    return orjson.dumps({name: value for name, value in response.items() if name != "token"})


def unsealed(stored: bytes, token: str) -> bytes:
    """A stored ServiceResponse with its token, as it goes over the wire."""
    return b'{"token":' + orjson.dumps(token) + b"," + stored[1:]
