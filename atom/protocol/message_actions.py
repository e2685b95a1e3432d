"""Message actions on the wire: the ServiceRequest that asks, the ServiceResponses that answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import fields, validate

from atom.protocol.wire import EngineValues, WireSchema, load, parse_json, sentence

_HEADER_SAFE: Final = validate.Regexp(
    r"[\x21-\x7e]+\Z", error="may hold printable ASCII characters only"
)


class OutcomeSchema(WireSchema):
    """One outcome the flow's step offers."""

    id = fields.String(load_default=None, allow_none=True)
    developer_name = fields.String(data_key="developerName", load_default="", allow_none=True)


class ServiceRequestSchema(WireSchema):
    """The part of a ServiceRequest that an Atom reads."""

    token = fields.String(required=True, validate=validate.Length(1, 1000))
    tenant_id = fields.String(
        data_key="tenantId", required=True, validate=[validate.Length(1, 100), _HEADER_SAFE]
    )
    state_id = fields.String(
        data_key="stateId", load_default="", allow_none=True, validate=validate.Length(max=100)
    )
    callback_uri = fields.String(
        data_key="callbackUri", required=True, validate=validate.Length(1, 2000)
    )
    execution_mode = fields.String(data_key="executionMode", load_default=None, allow_none=True)
    culture = fields.Raw(load_default=None)
    inputs = EngineValues(load_default=list, allow_none=True)
    outcomes = fields.List(fields.Nested(OutcomeSchema), load_default=list, allow_none=True)
    configuration_values = EngineValues(
        data_key="configurationValues", load_default=list, allow_none=True
    )


_SERVICE_REQUEST: Final = ServiceRequestSchema()


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """What a flow sends to run a message action."""

    token: str
    tenant_id: str
    state_id: str
    callback_uri: str
    execution_mode: str | None
    culture: Any
    inputs: list[dict[str, Any]]
    outcomes: list[dict[str, Any]]
    configuration_values: list[dict[str, Any]]

    @classmethod
    def from_json(cls, body: bytes) -> "ServiceRequest":
        """Read a request body.

        Raises:
            MalformedRequest: it is not JSON.
            InvalidRequest: a field is missing or wrong.
        """
        loaded = load(_SERVICE_REQUEST, parse_json(body), "ServiceRequest")
        for nullable in ("inputs", "outcomes", "configuration_values"):
            loaded[nullable] = loaded[nullable] or []
        loaded["state_id"] = loaded["state_id"] or ""
        return cls(**loaded)


def service_response(
    invoke_type: str,
    token: str,
    tenant_id: str,
    *,
    wait_message: str | None = None,
    outputs: Sequence[Mapping[str, Any]] = (),
    root_faults: Mapping[str, str] | None = None,
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
        "selectedOutcomeId": None,
        "rootFaults": {name: sentence(message) for name, message in (root_faults or {}).items()},
        "valueFaults": [],
        "mode": None,
    }


def wait(token: str, tenant_id: str, message: str | None) -> dict[str, Any]:
    """The flow shows the message and waits for a callback."""
    shown = None if message is None else sentence(message)
    return service_response("WAIT", token, tenant_id, wait_message=shown)


def forward(token: str, tenant_id: str, outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The flow takes its next step with every declared output."""
    return service_response("FORWARD", token, tenant_id, outputs=outputs)


def fault(
    token: str,
    tenant_id: str,
    outputs: Sequence[Mapping[str, Any]],
    faults: Mapping[str, str],
) -> dict[str, Any]:
    """The flow goes on with a fault; the outputs are declared but without values."""
    return service_response("FORWARD", token, tenant_id, outputs=outputs, root_faults=faults)
