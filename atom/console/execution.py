"""All that is known of one execution, and what a person may do to it."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, abort, g, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from atom.catalog import Catalog
from atom.console.actions import awaited_signal, offered, refusals
from atom.console.curl import curl
from atom.console.documents import parts
from atom.console.problems import problem
from atom.console.reruns import copy_fields, show_outcome
from atom.console.timeline import timeline
from atom.errors import MalformedRequest
from atom.execution import advice, operating
from atom.execution.listing import MOST_COPIES
from atom.execution.operating import Done
from atom.names import flower_url
from atom.records import CallbackState, Execution, State
from atom.store import ExecutionStore

_MOST_CHILDREN: Final = 100


def create_blueprint(
    catalog: Catalog, store: ExecutionStore, listener_url: str, flower_link: str
) -> Blueprint:
    """Build the page.

    Args:
        catalog: what is declared; for the outputs that a cancelled flow gets.
        store: what happened.
        listener_url: where the request can be sent again.
        flower_link: where Flower is; empty where there is none.
    """
    blueprint = Blueprint("execution", __name__, url_prefix="/executions/<execution_id>")

    @blueprint.get("")
    def show(execution_id: str) -> str:
        found = store.get(execution_id)
        if found is None:
            abort(404)
        return render_template(
            "execution.html",
            **_shown(store, found),
            copy_fields=copy_fields(catalog, found),
            curl="" if found.ending else _curl(listener_url, found),
            flower=flower_url(flower_link, execution_id),
        )

    @blueprint.post("/<any(cancel, retry, restart, replay, dismiss):action>")
    def act(execution_id: str, action: str) -> AnyResponse:
        if store.get(execution_id) is None:
            return problem(404, "There is no such execution, or it has outlived its retention.")
        drops_signals = "drop_signals" in request.form
        return show_outcome(_do(catalog, store, execution_id, action, drops_signals=drops_signals))

    @blueprint.post("/signal")
    def signal(execution_id: str) -> AnyResponse:
        name, text = request.form.get("name", "").strip(), request.form.get("event", "").strip()
        if not name:
            return problem(400, "The name of the signal is missing.")
        try:
            event = operating.event_of(text or "null")
        except MalformedRequest as error:
            return problem(400, f"The event is not JSON: {error}")
        return show_outcome(operating.signal(store, execution_id, name, event, _operator()))

    return blueprint


def _shown(store: ExecutionStore, execution: Execution) -> dict[str, Any]:
    """Return the content of the page that follows from the store alone."""
    family = store.children(execution.id) if execution.children else ()
    children = [member for member in family if not member.ending]
    cleanups = [member for member in family if member.ending]
    copies = store.copies(execution)
    log = store.log(execution.id)
    return {
        "execution": execution,
        "cleanups": cleanups,
        "copies": copies[:MOST_COPIES],
        "copy_count": len(copies),
        "child_count": len(children),
        "children": sorted(children, key=_is_well)[:_MOST_CHILDREN],
        "child_states": Counter(child.state.value for child in children),
        "log": log,
        "timeline": timeline(execution, log, datetime.now(UTC), cleanups),
        "is_live": any(map(_is_live, (execution, *cleanups))),
        "actions": offered(execution, family),
        "refusals": list(refusals(execution, family)),
        "can_retry_from_step": advice.can_retry_from_step(execution, family),
        "awaited_signal": awaited_signal(execution),
        "documents": {"Request": parts(execution.request), "Response": parts(execution.response)},
    }


def _operator() -> str:
    """Return the name of the operator; without a login there is only the console's."""
    return f"{g.user.name} (console)" if g.user else "of the console"


def _curl(listener_url: str, execution: Execution) -> str:
    return curl(listener_url, execution.service, execution.action, execution.request or {})


def _is_well(child: Execution) -> bool:
    return child.state is State.COMPLETED


def _do(
    catalog: Catalog, store: ExecutionStore, execution_id: str, action: str, *, drops_signals: bool
) -> Done:
    if action == "cancel":
        return operating.cancel(catalog, store, execution_id)
    if action == "replay":
        return operating.replay(store, execution_id)
    if action == "dismiss":
        return operating.dismiss(store, execution_id)
    from_start = action == "restart"
    return operating.retry(
        store, execution_id, from_start=from_start, drops_signals=drops_signals and from_start
    )


def _is_live(execution: Execution) -> bool:
    """Whether something may happen to it without anybody doing anything."""
    is_sent = execution.callback_state in (CallbackState.DUE, CallbackState.DELIVERING)
    return is_sent or not execution.state.is_final
