"""What was accepted, newest first."""

from typing import Final

from flask import Blueprint, abort, render_template, request, url_for

from atom.catalog import Catalog
from atom.history import ExecutionFilter
from atom.records import State
from atom.store import ExecutionStore

_PER_PAGE: Final = 50


def create_blueprint(catalog: Catalog, store: ExecutionStore) -> Blueprint:
    """Build the page of what the store has; the catalog's services can be chosen."""
    blueprint = Blueprint("executions", __name__, url_prefix="/executions")

    @blueprint.get("")
    def newest() -> str:
        state, service = _state(request.args.get("state", "")), request.args.get("service", "")
        older_than = request.args.get("older_than", "")
        wanted = ExecutionFilter(state=state, service=service)
        page = store.find(_PER_PAGE, wanted, older_than=older_than)
        older = ""
        if page.older:
            older = url_for(".newest", older_than=page.older, state=state, service=service or None)
        return render_template(
            "executions.html",
            executions=page.executions,
            older=older,
            states=list(State),
            # One that is not declared any more can still be asked for.
            services=sorted({*catalog.services, *filter(None, [service])}),
            state=state,
            service=service,
        )

    return blueprint


def _state(asked: str) -> State | None:
    if not asked:
        return None
    if asked not in list(State):
        abort(404)
    return State(asked)
