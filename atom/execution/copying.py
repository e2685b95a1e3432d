"""Copies of executions: new executions with the same request."""

from collections.abc import Mapping
from typing import Any

import orjson

from atom.catalog import Catalog
from atom.errors import InvalidRequest, NotFound, RequestRefused, Unreadable
from atom.execution import advice
from atom.execution.input_texts import values_of
from atom.execution.operating import Done
from atom.execution.starting import NOWHERE, accept
from atom.message_process import MessageProcess
from atom.names import process_task
from atom.records import Execution
from atom.redaction import MASK
from atom.store import ExecutionStore


def copy(
    catalog: Catalog, store: ExecutionStore, execution_id: str, inputs: Mapping[str, str]
) -> Done:
    """Start a new execution with the request of another one; its result goes to the history.

    Recovery publishes it within a second, as it does a retry.

    Args:
        catalog: the declared services; the profile of the process checks the request.
        store: the store of both executions.
        execution_id: the execution that is copied; it need not have ended.
        inputs: texts by the names of inputs, instead of those of the request.
    """
    execution = store.get(execution_id)
    refusal = advice.copy_refusal(execution)
    if execution is None or refusal:
        return Done(execution_id, False, f"cannot be copied: {refusal}")
    try:
        copied = _copy(catalog, store, execution, inputs)
    except (RequestRefused, Unreadable) as error:
        return Done(execution_id, False, f"cannot be copied: {str(error).removesuffix('.')}")
    message = f"copied as {copied}; its result goes to the history alone"
    return Done(execution_id, True, message, copied)


def _copy(
    catalog: Catalog, store: ExecutionStore, execution: Execution, inputs: Mapping[str, str]
) -> str:
    process = _process(catalog, execution)
    stored = store.request(execution.id)
    if stored is None:
        raise InvalidRequest(advice.NO_REQUEST)
    document = orjson.loads(stored.content)
    document |= {"token": MASK, "callbackUri": NOWHERE}
    document["inputs"] = _with_inputs(process, document.get("inputs") or [], inputs)
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


def _with_inputs(
    process: MessageProcess, values: list[dict[str, Any]], inputs: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the EngineValues of a request with others in place of some."""
    given = values_of(process.inputs, inputs, f"{process.task_name} has no input")
    replaced = {
        value["developerName"]: value for value in given if value["developerName"] in inputs
    }
    kept = [each for each in values if each.get("developerName") not in replaced]
    return [*kept, *replaced.values()]
