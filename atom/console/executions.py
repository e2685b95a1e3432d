"""What was accepted, newest first."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from atom.catalog import Catalog
from atom.console import asked as asking
from atom.console.asked import Asked
from atom.history import ExecutionFilter, Page
from atom.records import State
from atom.store import ExecutionStore

_PER_PAGE: Final = 50
_MOST_NEWER: Final = 50
_MOST_OFFERED: Final = 200


def create_blueprint(catalog: Catalog, store: ExecutionStore) -> Blueprint:
    """Build the page of what the store has; what the catalog declares can be chosen."""
    blueprint = Blueprint("executions", __name__, url_prefix="/executions")

    @blueprint.get("")
    def newest() -> str:
        asked = asking.read(request)
        first = request.args.get("first", "")
        older_than = request.args.get("older_than", "")
        page, counts = Page([]), None
        if not asked.problems:
            page = store.find(_PER_PAGE, asked.filter, older_than=first or older_than)
            counts = store.count_states(replace(asked.filter, state=None))
        return render_template(
            "executions.html",
            asked=asked,
            page=page,
            counts=counts,
            states=list(State),
            offered=_offered(catalog, store),
            now=datetime.now(UTC),
            is_first_page=not older_than,
            newer=_newer(store, asked, page) if first else "",
            # The same rows again, whatever came since: what is read does not move away.
            again=url_for(".newest", **asked.but(first=page.first)),
        )

    @blueprint.post("")
    def find() -> AnyResponse:
        """Look for what somebody has in hand: an id, or a token, which no URL should hold."""
        text = request.form.get("text", "").strip()
        page = store.find(2, ExecutionFilter(text=text)) if text else Page([])
        found = page.executions
        if not found:
            # Not said again: it may be a token.
            sentence = "No execution has that as its id, flow state or token."
            flash(f"{sentence} {page.problem}".strip(), "bad")
            return redirect(url_for(".newest"), 303)
        if len(found) == 1:
            return redirect(url_for("execution.show", execution_id=found[0].id), 303)
        state_id = found[0].flow_state_id
        shared = text if state_id.startswith(text) else state_id
        return redirect(url_for(".newest", text=shared), 303)

    return blueprint


def _offered(catalog: Catalog, store: ExecutionStore) -> dict[str, list[str]]:
    """What can be chosen: what ran, declared or not, and what is declared."""
    processes = [each.split(".", 1) for each in store.known_processes()]
    services = catalog.services.values()
    return {
        "service": sorted({*catalog.services, *(service for service, _ in processes)}),
        "action": sorted(
            {
                *(name for each in services for name in each.processes),
                *(name for _, name in processes),
            }
        ),
        "tenant": list(store.known_tenants())[:_MOST_OFFERED],
        "version": sorted({each.version for each in services}),
    }


def _newer(store: ExecutionStore, asked: Asked, page: Page) -> str:
    """How many came before the first one that is shown; empty where none did."""
    if not page.executions:
        return ""
    first = page.executions[0]
    since = max(filter(None, (first.accepted_at, asked.filter.since)))
    found = store.find(_MOST_NEWER + 1, replace(asked.filter, since=since)).executions
    ids = [each.id for each in found]
    count = ids.index(first.id) if first.id in ids else len(ids)
    return f"{_MOST_NEWER}+" if count > _MOST_NEWER else str(count or "")
