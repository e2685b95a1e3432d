"""The flow's Run API on the wire: requests that start and move a flow, and its answers read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from atom.protocol.values import (
    ContentType,
    boolean_text,
    date_time_text,
    engine_value,
    number_text,
    parse_boolean,
    parse_date_time,
    parse_decimal,
)
from atom.redaction import Secret

RUN_PATH: Final = "/api/run/1"
USERNAME_PASSWORD: Final = "USERNAME_PASSWORD"  # noqa: S105 (a kind of authentication)
WAIT: Final = "WAIT"
DONE: Final = "DONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRun:
    """Where a flow stands, as the platform last answered."""

    state_id: str
    """Identifies this run of the flow; `join` takes it."""

    invoke_type: str
    """DONE; WAIT while it waits for a Flow Service; FORWARD where a person has to go on."""

    outputs: Mapping[str, Any]
    """Plain values by name: text, Decimal, bool, datetime, dict, list of dicts."""

    join_url: str
    """Where a person joins this run."""

    status_code: int = 200
    """What the platform answered; others than 2xx only with `return_application_errors`."""

    error: str | None = None
    """What it said of such a status."""

    root_faults: Mapping[str, str] = field(default_factory=dict)
    """The faults that the flow ended with, by name."""

    wait_message: str | None = None
    state_token: str = field(default="", repr=False)

    @property
    def is_done(self) -> bool:
        """Whether the flow has ended."""
        return self.invoke_type == DONE

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for a Flow Service, so that asking again makes sense."""
        return self.invoke_type == WAIT


def start_request(
    flow_id: str, version_id: str | None, inputs: Mapping[str, Any], player_url: str
) -> dict[str, Any]:
    """The request that starts a flow.

    Raises:
        ValueError: an input is of a kind that no flow takes; the sentence names it.
    """
    return {
        "flowId": {"id": flow_id, "versionId": version_id},
        "inputs": [written(name, value) for name, value in inputs.items()],
        "annotations": {},
        "mode": "",
        "playerUrl": player_url,
        "joinPlayerUrl": player_url,
        "externalIdentifier": None,
    }


def forward_request(started: Mapping[str, Any]) -> dict[str, Any]:
    """The request that moves a flow on from where its start has left it."""
    return {
        "stateId": started.get("stateId"),
        "stateToken": started.get("stateToken"),
        "currentMapElementId": started.get("currentMapElementId"),
        "invokeType": "FORWARD",
        "mapElementInvokeRequest": {"selectedOutcomeId": None},
        "annotations": {},
    }


def authentication_request(
    context: Mapping[str, Any], username: str, password: str
) -> dict[str, Any]:
    """The request that logs a person in to a flow."""
    return {
        "loginUrl": context.get("loginUrl"),
        "username": username,
        "password": password,
        "token": None,
        "sessionToken": None,
        "sessionUrl": None,
        "instanceUrl": None,
    }


def asked_for_login(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The authorizationContext of an answer that asks who is there, else None."""
    if str(answer.get("statusCode") or "200") != "401":
        return None
    context = answer.get("authorizationContext")
    return context if isinstance(context, Mapping) else {}


def read_run(answer: Mapping[str, Any], join_url: str) -> FlowRun:
    """Where a flow stands, from the answer to a forward or a join.

    Args:
        answer: the parsed body.
        join_url: in case that the answer names none.
    """
    faults: dict[str, str] = {}
    for element in answer.get("mapElementInvokeResponses") or ():
        faults |= {name: str(text) for name, text in (element.get("rootFaults") or {}).items()}
    code = str(answer.get("statusCode") or "200")
    return FlowRun(
        state_id=str(answer.get("stateId") or ""),
        invoke_type=str(answer.get("invokeType") or "").upper(),
        outputs=read_all(answer.get("outputs") or ()),
        join_url=str(answer.get("joinFlowUri") or join_url),
        status_code=int(code) if code.isdecimal() else 200,
        root_faults=faults,
        wait_message=answer.get("waitMessage"),
        state_token=str(answer.get("stateToken") or ""),
    )


def written(name: str, value: Any) -> dict[str, Any]:
    """A plain value as an EngineValue.

    Raises:
        ValueError: it is of a kind that no flow takes; the sentence names it.
    """
    if isinstance(value, Mapping):
        return engine_value(name, ContentType.OBJECT, object_data=[_object(name, value, 0)])
    if isinstance(value, list | tuple):
        objects = [
            _object(f"{name}[{order}]", each, order) if isinstance(each, Mapping) else None
            for order, each in enumerate(value)
        ]
        if None in objects:
            raise ValueError(f"“{name}” is a list of something else than objects")
        return engine_value(
            name, ContentType.LIST, object_data=[each for each in objects if each is not None]
        )
    kind, text = _simple(name, value)
    return engine_value(name, kind, content_value=text)


def _simple(name: str, value: Any) -> tuple[ContentType, str | None]:
    match value:
        case None:
            return ContentType.STRING, None
        case Secret():
            return ContentType.PASSWORD, str(value)
        case str():
            return ContentType.STRING, value
        case bool():
            return ContentType.BOOLEAN, boolean_text(value)
        case int() | float() | Decimal():
            return ContentType.NUMBER, number_text(value)
        case date():  # a datetime is one as well
            return ContentType.DATE_TIME, date_time_text(value)
    raise ValueError(f"“{name}” is a {type(value).__name__}, which no flow takes")


def _object(name: str, value: Mapping[str, Any], order: int) -> dict[str, Any]:
    return {
        "externalId": None,
        "developerName": name,
        "order": order,
        "properties": [written(key, each) for key, each in value.items()],
    }


def read_all(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """EngineValues, or the properties of an object, as plain values by name."""
    return {str(each.get("developerName")): _read(each) for each in values}


def _read(value: Mapping[str, Any]) -> Any:
    kind, text = ContentType(str(value.get("contentType"))), value.get("contentValue")
    if kind.is_structure:
        objects = [read_all(each.get("properties") or ()) for each in value.get("objectData") or ()]
        if kind is ContentType.LIST:
            return objects
        return objects[0] if objects else None
    if text is None or (not text and not kind.is_text):
        return None
    match kind:
        case ContentType.NUMBER:
            return parse_decimal(text)
        case ContentType.BOOLEAN:
            return parse_boolean(text)
        case ContentType.DATE_TIME:
            return parse_date_time(text)
    return Secret(text) if kind.is_secret else text
