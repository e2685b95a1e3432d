"""Forms on the page of an execution that run it again."""

from typing import Final

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from atom.console.problems import problem
from atom.entries import EntryKey
from atom.execution import operating
from atom.execution.operating import Done
from atom.store import ExecutionStore

_MOST_DIGITS: Final = 9


def create_blueprint(store: ExecutionStore) -> Blueprint:
    """Build the forms over a store."""
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

    return blueprint


def show_outcome(done: Done) -> AnyResponse:
    """Return to the page of the execution, with the outcome of an action."""
    flash(f"{done.message[0].upper()}{done.message[1:]}.", "good" if done.is_done else "bad")
    return redirect(url_for("execution.show", execution_id=done.execution_id), 303)
