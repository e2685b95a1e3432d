"""Copies of executions: new executions with the same request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import orjson

from atom.catalog import Catalog
from atom.errors import InvalidRequest, NotFound, RequestRefused, Unreadable
from atom.execution import advice
from atom.execution.input_texts import values_of
from atom.execution.operating import Done
from atom.execution.starting import NOWHERE, accept
from atom.message_process import MessageProcess
from atom.names import process_task
from atom.protocol.objects import Entry
from atom.records import Execution
from atom.redaction import MASK, has_mask
from atom.store import ExecutionStore

_NONE: Final[Mapping[str, str]] = MappingProxyType({})

_Values = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RequestPart:
    """A list of values in a request: its inputs, or the configuration values of its service."""

    key: str  # of the request
    noun: str
    option: str  # of the command that gives values
    entries: Sequence[Entry]  # as the profile of the process declares them

    def values(self, request: Mapping[str, Any]) -> _Values:
        """Return the EngineValues of a request."""
        values = request.get(self.key)
        return values if isinstance(values, list) else []

    def masked_names(self, request: Mapping[str, Any]) -> list[str]:
        """Return the names of the declared values that are masked, in whole or in part."""
        names = {value.get("developerName") for value in self.values(request) if has_mask(value)}
        return [entry.name for entry in self.entries if entry.name in names]


def request_parts(process: MessageProcess) -> tuple[RequestPart, RequestPart]:
    """Return the parts of a request that a copy may change: inputs and configuration values."""
    configuration = process.configuration.entries
    return (
        RequestPart("inputs", "input", "--set", process.inputs),
        RequestPart("configurationValues", "configuration value", "--set-config", configuration),
    )


def copy(
    catalog: Catalog,
    store: ExecutionStore,
    execution_id: str,
    inputs: Mapping[str, str] = _NONE,
    configuration: Mapping[str, str] = _NONE,
) -> Done:
    """Start a new execution with the request of another one; its result goes to the history.

    Secrets of the request that were deleted have to be among the given values. Recovery publishes
    the copy within a second, as it does a retry.

    Args:
        catalog: the declared services; the profile of the process checks the request.
        store: the store of both executions.
        execution_id: the execution that is copied; it need not have ended.
        inputs: texts by the names of inputs, instead of those of the request.
        configuration: the same of configuration values.
    """
    execution = store.get(execution_id)
    refusal = advice.copy_refusal(execution)
    if execution is None or refusal:
        return Done(execution_id, False, f"cannot be copied: {refusal}")
    try:
        copied = _copy(catalog, store, execution, (inputs, configuration))
    except (RequestRefused, Unreadable) as error:
        return Done(execution_id, False, f"cannot be copied: {str(error).removesuffix('.')}")
    message = f"copied as {copied}; its result goes to the history alone"
    return Done(execution_id, True, message, copied)


def _copy(
    catalog: Catalog,
    store: ExecutionStore,
    execution: Execution,
    changes: tuple[Mapping[str, str], Mapping[str, str]],
) -> str:
    process = _process(catalog, execution)
    stored = store.request(execution.id)
    if stored is None:
        raise InvalidRequest(advice.NO_REQUEST)
    whole = orjson.loads(stored.content)
    # A running user in the body is masked once the secrets are deleted.
    document = {key: value for key, value in whole.items() if value != MASK}
    document |= {"token": MASK, "callbackUri": NOWHERE}
    parts = request_parts(process)
    for part, new_values in zip(parts, changes, strict=True):
        document[part.key] = _replaced(process, part, part.values(document), new_values)
    if execution.secrets is not None:
        _check_secrets(execution, parts, document)
    user, origin = stored.authorization, execution.id
    new, _ = accept(catalog, store, process, document, running_user=user, origin=origin)
    return new.id


def _process(catalog: Catalog, execution: Execution) -> MessageProcess:
    name = process_task(execution.service, execution.action)
    try:
        process = catalog.process(execution.service, execution.action)
    except NotFound:
        raise NotFound(f"no service here declares {name}; set ATOM_SERVICES") from None
    if not isinstance(process, MessageProcess):
        raise InvalidRequest(f"{name} answers its caller in the request; only message actions can")
    return process


def _replaced(
    process: MessageProcess, part: RequestPart, values: _Values, new_values: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """Return the EngineValues of a request, some of them replaced by new values."""
    owner = process.task_name if part.key == "inputs" else process.service
    written = values_of(part.entries, new_values, f"{owner} has no {part.noun}")
    kept = [value for value in values if value.get("developerName") not in new_values]
    return [*kept, *(value for value in written if value["developerName"] in new_values)]


def _check_secrets(
    execution: Execution, parts: Sequence[RequestPart], document: dict[str, Any]
) -> None:
    """Refuse a request without some of its secrets, and drop those that nobody asks for any more.

    Raises:
        InvalidRequest: it names the values that have to be given.
    """
    if missing := " and ".join(_missing(parts, document)):
        reason = advice.deleted_secrets(execution)
        raise InvalidRequest(f"{reason}; give new values for {missing}")
    for part in parts:
        document[part.key] = [value for value in part.values(document) if not has_mask(value)]


def _missing(parts: Sequence[RequestPart], document: Mapping[str, Any]) -> Iterator[str]:
    for part in parts:
        if names := part.masked_names(document):
            plural = "s" if len(names) > 1 else ""
            quoted = ", ".join(f"“{name}”" for name in names)
            yield f"the {part.noun}{plural} {quoted} ({part.option})"
