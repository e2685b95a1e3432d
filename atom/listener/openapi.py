"""`GET /fs/<Service>/openapi.json`: the service for everybody else, as OpenAPI 3.1.

What every request has comes from the protocol's own wire schemas; what an action takes and gives
from the entries of its profiles, the same that its metadata is made of.
"""

from collections.abc import Container, Iterator, Sequence
from typing import Any, Final

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response

from atom.catalog import Catalog
from atom.data_action import DataAction, Operation
from atom.file_resource import FileOperation
from atom.listener.openapi_components import add_components, ref
from atom.message_process import MessageProcess
from atom.protocol.metadata import action_path
from atom.protocol.objects import Entry
from atom.protocol.problems import PROBLEM_KIND_HEADER
from atom.service import FlowService

_JSON: Final = "application/json"
_PROBLEMS: Final = {
    "400": "The request is not what it should be; the message names the field",
    "401": "No credentials, or wrong ones",
    "403": "The credentials are for other services",
    "404": "The service has nothing for this request",
    "405": "Not with this method, or not at all",
    "413": "The request or the file is too large",
    "415": "The body has another content type",
    "429": "The tenant or the service has more requests per second than it may",
    "503": "Not accepted for the moment; the message says if it may be stored already",
}
_SYNCHRONOUS_PROBLEMS: Final = {
    **_PROBLEMS,
    "409": "The process says no, in its own words",
    "500": "The process broke; the message has the execution's id",
    "504": "No result within ATOM_SYNC_SECONDS; the message has the execution's id",
}


def create_blueprint(catalog: Catalog) -> Blueprint:
    """The OpenAPI document of every service; it cannot change, so it is written out once."""
    blueprint = Blueprint("openapi", __name__)
    described = {name: orjson.dumps(openapi(service)) for name, service in catalog.services.items()}

    @blueprint.get("/fs/<service>/openapi.json")
    def describe(service: str) -> Response:
        return Response(described[catalog.service(service).name], mimetype=_JSON)

    return blueprint


def openapi(service: FlowService) -> dict[str, Any]:
    """The OpenAPI document of a service."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title=service.name,
        version=service.version,
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": service.summary},
        servers=[{"url": service.path}],
        # A listener on loopback may be open; one that is not asks for Basic credentials.
        security=[{"basic": []}, {}],
    )
    spec.components.security_scheme("basic", {"type": "http", "scheme": "basic"})
    add_components(spec, plugin)
    spec.path("/health", operations={"get": _reading("Whether work can be accepted", {"503"})})
    spec.path("/openapi.json", operations={"get": _reading("This document", {"401", "403"})})
    for path in ("/metadata", "/metadata/install"):
        spec.path(path, operations={"post": _metadata()})
    for process in service.message_processes.values():
        spec.path(f"/{action_path(process.action)}", operations={"post": _message(process)})
    if service.data_actions:
        _add_data(spec, service)
    if service.file_resources:
        _add_files(spec, service)
    return spec.to_dict()


def _reading(summary: str, problems: set[str]) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {"200": _answer(summary, {"type": "object"}), **_refusals(problems)},
    }


def _metadata() -> dict[str, Any]:
    return {
        "summary": "What a flow platform learns when it installs the connector",
        "requestBody": {"content": {_JSON: {"schema": {"type": "object"}}}},
        "responses": {
            "200": _answer("The DescribeServiceResponse", {"type": "object"}),
            **_refusals({"400", "401", "403", "404", "413", "415"}),
        },
    }


def _message(process: MessageProcess) -> dict[str, Any]:
    asked = {"inputs": _values(process.inputs)}
    return {
        "summary": process.description.summary,
        "operationId": process.action,
        "tags": ["message actions"],
        "requestBody": _body(_request("ServiceRequest", process.configuration.entries, asked)),
        "responses": {
            "200": _answer(
                "WAIT, and the result in a callback; or the result",
                {
                    "allOf": [
                        ref("ServiceResponse"),
                        {"properties": {"outputs": _values(process.outputs)}},
                    ]
                },
            ),
            **_refusals(_PROBLEMS),
        },
    }


def _add_data(spec: APISpec, service: FlowService) -> None:
    def operation(summary: str, offered: set[Operation]) -> dict[str, Any] | None:
        types = [each for each in service.data_actions.values() if offered & set(each.processes)]
        return _object_operation(summary, types, service.configuration.entries) if types else None

    load = operation("Load objects", {Operation.GET, Operation.QUERY})
    save = operation("Save objects", {Operation.SAVE})
    delete = operation("Delete objects", {Operation.DELETE})
    for path, operations in (
        ("/data", {"post": load, "put": save}),
        ("/data/delete", {"post": delete}),
    ):
        offered = {method: each for method, each in operations.items() if each is not None}
        if offered:
            spec.path(path, operations=offered)


def _object_operation(
    summary: str, types: Sequence[DataAction], configured: Sequence[Entry]
) -> dict[str, Any]:
    names = [each.object_type.name for each in types]
    objects = {"type": "array", "items": {"anyOf": [_object(each) for each in types]}}
    asked = {
        "objectDataType": {"properties": {"developerName": {"enum": names}}},
        "objectData": {"anyOf": [objects, {"type": "null"}]},
    }
    return {
        "summary": summary,
        "tags": ["data actions"],
        "requestBody": _body(_request("ObjectDataRequest", configured, asked)),
        "responses": {
            "200": _answer("The objects", _object_answer(objects)),
            **_refusals(_SYNCHRONOUS_PROBLEMS),
        },
    }


def _add_files(spec: APISpec, service: FlowService) -> None:
    for path, operation, summary in (
        ("/file", FileOperation.LIST, "List files"),
        ("/file/content", FileOperation.UPLOAD, "Upload a file"),
    ):
        resources = [
            each for each in service.file_resources.values() if operation in each.processes
        ]
        if not resources:
            continue
        asked = {"resourcePath": {"enum": [each.path for each in resources]}}
        request = _request("FileDataRequest", service.configuration.entries, asked)
        body = _body(request) if operation is FileOperation.LIST else _multipart(request)
        objects = {"type": "array", "items": ref("MObject")}
        spec.path(
            path,
            operations={
                "post": {
                    "summary": summary,
                    "tags": ["file resources"],
                    "requestBody": body,
                    "responses": {
                        "200": _answer("The files", _object_answer(objects)),
                        **_refusals(_SYNCHRONOUS_PROBLEMS),
                    },
                }
            },
        )


def _multipart(request: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["FileDataRequest", "file"],
        "properties": {
            "FileDataRequest": request,
            "file": {"type": "string", "contentMediaType": "application/octet-stream"},
        },
    }
    encoding = {"FileDataRequest": {"contentType": _JSON}}
    return {
        "required": True,
        "content": {"multipart/form-data": {"schema": schema, "encoding": encoding}},
    }


def _request(name: str, configured: Sequence[Entry], asked: dict[str, Any]) -> dict[str, Any]:
    """A request of the protocol, and what this service makes of its fields."""
    properties = {"configurationValues": _values(configured), **asked}
    return {"allOf": [ref(name), {"properties": properties}]}


def _object_answer(objects: dict[str, Any]) -> dict[str, Any]:
    return {"allOf": [ref("ObjectDataResponse"), {"properties": {"objectData": objects}}]}


def _object(data_action: DataAction) -> dict[str, Any]:
    described = data_action.object_type
    return {
        "title": described.name,
        "description": data_action.summary,
        "allOf": [ref("MObject"), {"properties": {"properties": _values(described.entries)}}],
    }


def _values(entries: Sequence[Entry]) -> dict[str, Any]:
    """A list of EngineValues (or of properties) that may hold each of these entries."""
    if not entries:
        return {"type": ["array", "null"], "items": ref("EngineValue")}
    return {
        "type": ["array", "null"],
        "items": {"anyOf": [*_each(entries)]},
    }


def _each(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        content: dict[str, Any] = {"contentValue": {"type": ["string", "null"]}}
        if entry.content_type.is_structure:
            inner = {"type": "object", "properties": {"properties": _values(entry.entries)}}
            content = {"objectData": {"type": ["array", "null"], "items": inner}}
        yield {
            "type": "object",
            "title": entry.name,
            "description": "required" if entry.required else "optional",
            "required": ["developerName"],
            "properties": {
                "developerName": {"const": entry.name},
                "contentType": {"enum": [entry.content_type, None]},
                **content,
            },
        }


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {_JSON: {"schema": schema}}}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _refusals(statuses: Container[str]) -> dict[str, Any]:
    header = {PROBLEM_KIND_HEADER: {"schema": {"const": "service"}}}
    return {
        status: {**_answer(description, ref("ServiceProblem")), "headers": header}
        for status, description in _SYNCHRONOUS_PROBLEMS.items()
        if status in statuses
    }
