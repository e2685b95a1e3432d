"""ExecutionRequest, executeProcess and cancelExecution."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from flask import Blueprint, Response, request

from atom.catalog import Catalog
from atom.errors import InvalidRequest, NotFound
from atom.execution import operating
from atom.execution.input_texts import simple_text
from atom.platform_api.names import check_atom
from atom.platform_api.problems import answer, error
from atom.platform_api.requests import json_object, named_text
from atom.platform_api.starting import Starter
from atom.store import ExecutionStore

# The account is what the process sees as its tenant, and so is held to what a tenant's id may be.
_LONGEST_ACCOUNT: Final = 100
_WHAT: Final = ("processId", "processName", "atomId")


def create_blueprint(catalog: Catalog, store: ExecutionStore, starter: Starter) -> Blueprint:
    """What starts executions, and ends them."""
    blueprint = Blueprint("execution_requests", __name__)

    @blueprint.post("/<account>/ExecutionRequest")
    def create(account: str) -> Response:
        asked = json_object(*_WHAT, "DynamicProcessProperties", "ProcessProperties")
        names = "DynamicProcessProperties", "DynamicProcessProperty"
        execution_id = start(account, asked, _properties(asked, *names), _configuration(asked))
        url = f"{request.url_root}{quote(account)}/ExecutionRecord/async/{execution_id}"
        document = {
            "@type": "ExecutionRequest",
            "processId": _process_id(asked),
            "atomId": asked.get("atomId"),
            "requestId": execution_id,
            "recordUrl": url,
        }
        return answer({name: value for name, value in document.items() if value is not None})

    @blueprint.post("/<account>/executeProcess")
    def execute(account: str) -> Response:
        """The older way, which answers nothing: its properties are the dynamic ones."""
        asked = json_object(*_WHAT, "ProcessProperties")
        start(account, asked, _properties(asked, "ProcessProperties", "ProcessProperty"), {})
        return Response(mimetype="application/json")

    def start(
        account: str,
        asked: Mapping[str, Any],
        inputs: Mapping[str, str | None],
        configuration: Mapping[str, str | None],
    ) -> str:
        _check_account(account)
        refusal = check_atom(asked.get("atomId"))
        if refusal:
            raise InvalidRequest(refusal)
        return starter.start(_process_id(asked), account, inputs, configuration)

    @blueprint.post("/<account>/cancelExecution/<execution_id>")
    def cancel(account: str, execution_id: str) -> Response:
        done = operating.cancel(catalog, store, execution_id)
        if not done.is_done and store.get(execution_id) is None:
            raise NotFound(f"There is no execution {execution_id} (or it outlived its retention).")
        said = f"{execution_id}: {done.message}."
        return answer({"message": said}, 202) if done.is_done else error(409, said)

    return blueprint


def _check_account(account: str) -> None:
    is_header_safe = all("!" <= each <= "~" for each in account)
    if not is_header_safe or len(account) > _LONGEST_ACCOUNT:
        raise InvalidRequest(
            f"An account is 1 to {_LONGEST_ACCOUNT} printable ASCII characters: its processes see "
            "it as their tenant."
        )


def _process_id(asked: Mapping[str, Any]) -> str:
    """A process is named as it is called, so either field will do."""
    named = {named_text(asked, "processId"), named_text(asked, "processName")} - {""}
    if len(named) != 1:
        raise InvalidRequest("Name the process to run in “processId”, and no other beside it.")
    return named.pop()


def _configuration(asked: Mapping[str, Any]) -> dict[str, str | None]:
    """Process properties belong to a component: here to the service, as its configuration."""
    service = _process_id(asked).partition(".")[0]
    found: dict[str, str | None] = {}
    for component in _members(asked, "ProcessProperties", "ProcessProperty"):
        if component.get("componentId") not in (None, service):
            raise InvalidRequest(
                f"The componentId of a ProcessProperty is the process's service, “{service}”; its "
                "values are the configuration values of that."
            )
        found |= _properties({"values": component}, "values", "ProcessPropertyValue")
    return found


def _properties(asked: Mapping[str, Any], outer: str, inner: str) -> dict[str, str | None]:
    """Properties by name, whichever way they are written."""
    found: dict[str, str | None] = {}
    for each in _members(asked, outer, inner):
        name = named_text(each, "name", "Name", "key", "Key")
        if not name or name in found:
            why = f"The property “{name}” is given twice." if name else "It has none."
            raise InvalidRequest(f"Each {inner} needs a name of its own. {why}")
        value = each.get("value", each.get("Value"))
        found[name] = None if value is None else simple_text(value, name)
    return found


def _members(asked: Mapping[str, Any], outer: str, inner: str) -> Iterator[Mapping[str, Any]]:
    holder = asked.get(outer) or {}
    members = (holder.get(inner) or []) if isinstance(holder, Mapping) else None
    for each in [members] if isinstance(members, Mapping) else members or ():
        if not isinstance(each, Mapping):
            members = None
            break
        yield each
    if members is None:
        raise InvalidRequest(f"{outer} holds a list “{inner}” of objects.")
