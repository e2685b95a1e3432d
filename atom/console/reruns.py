"""Forms on the page of an execution that run it again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from atom.catalog import Catalog
from atom.console.problems import problem
from atom.entries import EntryKey
from atom.errors import NotFound
from atom.execution import advice, operating
from atom.execution.copying import RequestPart, copy, request_parts
from atom.execution.operating import Done
from atom.message_process import MessageProcess
from atom.records import Execution
from atom.redaction import MASK
from atom.store import ExecutionStore

_MOST_DIGITS: Final = 9
_LONGEST_SHOWN: Final = 500


def create_blueprint(catalog: Catalog, store: ExecutionStore) -> Blueprint:
    """Build the forms over the declared services and a store."""
    blueprint = Blueprint("reruns", __name__, url_prefix="/executions/<execution_id>")

    @blueprint.post("/retry-from-step")
    def retry_from_step(execution_id: str) -> AnyResponse:
        if store.get(execution_id) is None:
            return problem(404, "There is no such execution, or it has outlived its retention.")
        number = request.form.get("occurrence", "1")
        if not number.isdecimal() or len(number) > _MOST_DIGITS:
            return problem(400, "The occurrence of the step is not a number.")
        step = EntryKey(request.form.get("step", ""), int(number))
        drops_signals = "drop_signals" in request.form
        done = operating.retry(store, execution_id, from_step=step, drops_signals=drops_signals)
        return show_outcome(done)

    @blueprint.post("/copy")
    def copy_(execution_id: str) -> AnyResponse:
        found = store.get(execution_id)
        if found is None:
            return problem(404, "There is no such execution, or it has outlived its retention.")
        changes = (_changed(catalog, found, part) for part in ("inputs", "configurationValues"))
        return show_outcome(copy(catalog, store, execution_id, *changes))

    return blueprint


@dataclass(frozen=True, slots=True)
class CopyField:
    """A value in the form for a copy: an input, or a configuration value of the service."""

    label: str
    name: str  # of the field in the form
    is_secret: bool = False
    value: str | None = None  # None: it is not shown, and stays unless another one is given
    is_missing: bool = False  # its secrets were deleted, so a copy needs another value


def copy_fields(catalog: Catalog, execution: Execution) -> Sequence[CopyField] | None:
    """Return the values that a copy of an execution may change; None if it cannot be copied.

    Secrets and long texts are not shown. Objects and lists can be changed by the command alone,
    except for those whose secrets were deleted: their fields take JSON.
    """
    if advice.copy_refusal(execution):
        return None
    try:
        process = catalog.process(execution.service, execution.action)
    except NotFound:
        return None
    if not isinstance(process, MessageProcess):
        return None
    return [field for part in request_parts(process) for field in _fields(process, part, execution)]


def _fields(
    process: MessageProcess, part: RequestPart, execution: Execution
) -> Iterator[CopyField]:
    request = execution.request or {}
    are_deleted = execution.secrets is not None and execution.secrets.are_deleted
    missing = part.masked_names(request) if are_deleted else ()
    values = {
        value.get("developerName"): value.get("contentValue") for value in part.values(request)
    }
    for entry in part.entries:
        name, value = f"{part.key}:{entry.name}", values.get(entry.name)
        label = entry.name if part.key == "inputs" else f"{entry.name} ({part.noun})"
        if entry.name in missing:
            hint = " (JSON)" if entry.content_type.is_structure else ""
            yield CopyField(f"{label}{hint}", name, is_secret=True, is_missing=True)
        elif entry.content_type.is_structure:
            continue
        elif entry.name in process.secret_names or value == MASK:
            yield CopyField(label, name, is_secret=True)
        elif isinstance(value, str) and len(value) <= _LONGEST_SHOWN and value.isprintable():
            yield CopyField(label, name, value=value)
        else:
            yield CopyField(label, name)


def _changed(catalog: Catalog, execution: Execution, part: str) -> dict[str, str]:
    """Return the values that the form changes in a part of the request."""
    return {
        field.name.removeprefix(f"{part}:"): value
        for field in copy_fields(catalog, execution) or ()
        if field.name.startswith(f"{part}:")
        and (value := request.form.get(field.name, field.value or "")) != (field.value or "")
    }


def show_outcome(done: Done) -> AnyResponse:
    """Return to the page of the execution, with the outcome of an action."""
    flash(f"{done.message[0].upper()}{done.message[1:]}.", "good" if done.is_done else "bad")
    shown = done.copy or done.execution_id
    return redirect(url_for("execution.show", execution_id=shown), 303)
