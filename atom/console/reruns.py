"""Forms on the page of an execution that run it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from atom.catalog import Catalog
from atom.console.problems import problem
from atom.entries import EntryKey
from atom.errors import NotFound
from atom.execution import advice, operating
from atom.execution.copying import copy
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
        return show_outcome(copy(catalog, store, execution_id, _changed(catalog, found)))

    return blueprint


@dataclass(frozen=True, slots=True)
class CopyField:
    """An input in the form for a copy."""

    name: str
    is_secret: bool
    value: str | None  # None: it is not shown, and stays unless another one is given


def copy_fields(catalog: Catalog, execution: Execution) -> Sequence[CopyField] | None:
    """Return the inputs that a copy of an execution may change; None if it cannot be copied.

    Secrets and long texts are not shown. Objects and lists can be changed by the command alone.
    """
    if advice.copy_refusal(execution):
        return None
    try:
        process = catalog.process(execution.service, execution.action)
    except NotFound:
        return None
    if not isinstance(process, MessageProcess):
        return None
    values = {
        each.get("developerName"): each.get("contentValue")
        for each in (execution.request or {}).get("inputs") or ()
    }
    return [
        _field(entry.name, values.get(entry.name), is_secret=entry.name in process.secret_names)
        for entry in process.inputs
        if not entry.content_type.is_structure
    ]


def _field(name: str, value: object, *, is_secret: bool) -> CopyField:
    if is_secret or value == MASK:
        return CopyField(name, True, None)
    if isinstance(value, str) and len(value) <= _LONGEST_SHOWN and value.isprintable():
        return CopyField(name, False, value)
    return CopyField(name, False, None)


def _changed(catalog: Catalog, execution: Execution) -> dict[str, str]:
    """Return the inputs that the form changes."""
    return {
        field.name: value
        for field in copy_fields(catalog, execution) or ()
        if (value := request.form.get(f"input:{field.name}", field.value or ""))
        != (field.value or "")
    }


def show_outcome(done: Done) -> AnyResponse:
    """Return to the page of the execution, with the outcome of an action."""
    flash(f"{done.message[0].upper()}{done.message[1:]}.", "good" if done.is_done else "bad")
    shown = done.copy or done.execution_id
    return redirect(url_for("execution.show", execution_id=shown), 303)
