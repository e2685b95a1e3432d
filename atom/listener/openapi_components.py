"""The protocol's own structures as OpenAPI schemas, which every service shares."""

from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow.fields import Field

from atom.protocol.data_actions import ObjectDataRequestSchema, Objects
from atom.protocol.files import FileDataRequestSchema
from atom.protocol.message_actions import ServiceRequestSchema
from atom.protocol.query_filter import Comparison, Criteria
from atom.protocol.values import ContentType
from atom.protocol.wire import EngineValues

_TEXT_OR_NULL: Final = {"type": ["string", "null"]}


def add_components(spec: APISpec, plugin: MarshmallowPlugin) -> None:
    """Describe the requests, from their wire schemas, and the answers."""
    converter = plugin.converter
    if converter is None:  # it is made by APISpec
        raise AssertionError("the plugin was not initialised")
    converter.add_attribute_function(_wire_lists)  # type: ignore[no-untyped-call]
    components = spec.components
    for name, schema in (
        ("ServiceRequest", ServiceRequestSchema),
        ("ObjectDataRequest", ObjectDataRequestSchema),
        ("FileDataRequest", FileDataRequestSchema),
    ):
        components.schema(name, schema=schema)
    for name, described in (
        ("EngineValue", _engine_value()),
        ("MObject", _object()),
        ("ListFilter", _list_filter()),
        ("ServiceResponse", _service_response()),
        ("ObjectDataResponse", _object_data_response()),
        ("ServiceProblem", _service_problem()),
    ):
        components.schema(name, described)


def _wire_lists(self: OpenAPIConverter, field: Field[Any], **_: Any) -> dict[str, Any]:
    """What apispec cannot know of the wire's own fields."""
    element = {EngineValues: "EngineValue", Objects: "MObject"}.get(type(field))
    if element is not None:
        return {"type": ["array", "null"], "items": ref(element)}
    if field.data_key == "listFilter":
        return {"anyOf": [ref("ListFilter"), {"type": "null"}]}
    return {}


def _engine_value() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A named value; a simple one has a contentValue, any other objectData.",
        "required": ["developerName"],
        "properties": {
            "developerName": {"type": "string", "minLength": 1},
            "contentType": {"enum": [*ContentType, None]},
            "contentValue": _TEXT_OR_NULL,
            "objectData": {"type": ["array", "null"], "items": ref("MObject")},
        },
    }


def _object() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "internalId": _TEXT_OR_NULL,
            "externalId": _TEXT_OR_NULL,
            "developerName": _TEXT_OR_NULL,
            "properties": {"type": ["array", "null"], "items": ref("EngineValue")},
        },
    }


def _service_response() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["invokeType", "token", "tenantId"],
        "properties": {
            "invokeType": {"enum": ["WAIT", "FORWARD"]},
            "token": {"type": "string"},
            "tenantId": {"type": "string"},
            "waitMessage": _TEXT_OR_NULL,
            "outputs": {"type": "array", "items": ref("EngineValue")},
            "selectedOutcomeId": _TEXT_OR_NULL,
            "rootFaults": {"type": "object", "additionalProperties": {"type": "string"}},
            "valueFaults": {"type": "array", "items": {"type": "object"}},
        },
    }


def _object_data_response() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["objectData", "hasMoreResults"],
        "properties": {
            "objectData": {"type": "array", "items": ref("MObject")},
            "hasMoreResults": {"type": "boolean"},
        },
    }


def _list_filter() -> dict[str, Any]:
    column = {"columnName": {"type": "string", "minLength": 1}}
    any_case = "upper or lower case"
    condition = {
        "type": "object",
        "required": ["columnName", "criteriaType"],
        "properties": {
            **column,
            "criteriaType": {"enum": list(Criteria), "description": any_case},
            "contentValue": _TEXT_OR_NULL,
        },
    }
    order = {
        "type": "object",
        "required": ["columnName"],
        "properties": {**column, "direction": {"enum": ["ASC", "DESC", None]}},
    }
    count = {"type": ["integer", "null"], "minimum": 0, "maximum": 2**31 - 1}
    return {
        "type": "object",
        "properties": {
            "id": {"type": ["string", "null"], "description": "of the one object to get"},
            "comparisonType": {"enum": [*Comparison, None], "description": any_case},
            "where": {"type": ["array", "null"], "items": condition},
            "filterByProvidedObjects": {
                "type": ["boolean", "null"],
                "description": "load only the objects of objectData",
            },
            "listFilters": {"type": ["array", "null"], "items": ref("ListFilter")},
            "orderBy": {"type": ["array", "null"], "items": order},
            "limit": {**count, "description": "0 and null: no limit"},
            "offset": count,
            "search": _TEXT_OR_NULL,
            "searchCriteria": {
                "type": ["array", "null"],
                "items": {"type": "object", "required": ["columnName"], "properties": column},
            },
        },
    }


def _service_problem() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["kind", "uri", "statusCode", "message"],
        "properties": {
            "kind": {"const": "service"},
            "uri": {"type": "string"},
            "statusCode": {"type": "integer"},
            "message": {"type": "string", "maxLength": 500},
            "action": {"type": ["string", "null"]},
        },
    }


def ref(name: str) -> dict[str, Any]:
    """A reference to one of the components."""
    return {"$ref": f"#/components/schemas/{name}"}
