"""The inbox: parked callbacks, failed executions and held executions in one list."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from atom.console.jobs import Jobs
from atom.console.problems import problem
from atom.execution import advice, operating
from atom.execution.operating import Done
from atom.overview import Overview
from atom.records import Execution
from atom.store import ExecutionStore

# So many are shown and chosen one by one.
_SHOWN: Final = 200
# So many of each kind are read to show how many there are and why: a page that stays quick.
_COUNTED: Final = 2_000
# So many of each kind are done at once where all that match are wanted.
_MOST: Final = 100_000
_WORDS: Final = {"replay": "Sending again", "retry": "Retrying", "dismiss": "Dismissing"}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that waits for a person."""

    execution_id: str
    kind: str  # parked, failed or held
    process: str
    why: str
    since: datetime
    host: str = ""
    cleanup_of: str = ""  # the execution after whose end it ran
    refusal: str = ""  # why it cannot be retried, as far as a list shows


def create_blueprint(store: ExecutionStore, jobs: Jobs) -> Blueprint:
    """Build the page, and what is done from there to many at once."""
    blueprint = Blueprint("inbox", __name__, url_prefix="/inbox")

    @blueprint.get("")
    def show() -> str:
        wanted = _wanted(request.args)
        items = list(_items(store, wanted, _COUNTED))
        overview = store.overview()
        groups = Counter((each.kind, each.process, each.why) for each in items)
        return render_template(
            "inbox.html",
            items=items[:_SHOWN],
            count=len(items),
            counted=_COUNTED if _largest(overview) > _COUNTED else None,
            groups=groups.most_common(20),
            wanted=wanted,
            job=jobs.latest,
        )

    @blueprint.post("")
    def act() -> Response | AnyResponse:
        wanted, action = _wanted(request.form), request.form.get("action", "")
        if action not in _WORDS:
            return problem(400, "Choose what is to be done: replay, retry or dismiss.")
        if "all" in request.form:
            ids = list(dict.fromkeys(each.execution_id for each in _items(store, wanted, _MOST)))
        else:
            ids = request.form.getlist("id")
        if not ids:
            flash("None is chosen.", "bad")
        elif not jobs.start(_WORDS[action], ids, _doing(store, action)):
            flash("Another one is still at work; stop it, or wait for its end.", "bad")
        return redirect(url_for(".show", **wanted), 303)

    @blueprint.post("/stop")
    def stop() -> AnyResponse:
        jobs.stop()
        return redirect(url_for(".show"), 303)

    return blueprint


def _doing(store: ExecutionStore, action: str) -> Callable[[str], Done]:
    if action == "replay":
        return lambda each: operating.replay(store, each)
    if action == "dismiss":
        return lambda each: operating.dismiss(store, each)
    return lambda each: operating.retry(store, each, from_start=False)


def _wanted(fields: Mapping[str, str]) -> dict[str, Any]:
    names = ("kind", "process", "why", "host")
    return {name: value for name in names if (value := fields.get(name, ""))}


def _items(store: ExecutionStore, wanted: Mapping[str, str], most: int) -> Iterator[Item]:
    """Those that are wanted, parked ones first: their flows stand still."""
    return (
        each
        for each in _all(store, wanted.get("kind", ""), most)
        if all(getattr(each, name) == value for name, value in wanted.items())
    )


def _all(store: ExecutionStore, kind: str, most: int) -> Iterator[Item]:
    parked: set[str] = set()
    if kind in ("", "parked"):
        for each in store.parked(most):
            parked.add(each.execution_id)
            process = f"{each.service}.{each.action}"
            yield Item(each.execution_id, "parked", process, each.answer, each.parked_at, each.host)
    if kind in ("", "failed"):
        for execution in store.failed(most):
            if execution.id not in parked:
                why = execution.error or execution.state.replace("_", " ")
                since = execution.finished_at or execution.accepted_at
                refusal = advice.retry(execution, from_start=False).refusal
                yield _item(execution, "failed", why, since, refusal)
    if kind in ("", "held"):
        for execution in store.held(most):
            since = execution.held_since or execution.accepted_at
            yield _item(execution, "held", execution.error or "", since)


def _item(execution: Execution, kind: str, why: str, since: datetime, refusal: str = "") -> Item:
    cleanup_of = execution.ending.execution_id if execution.ending else ""
    label = execution.label
    return Item(execution.id, kind, label, why, since, cleanup_of=cleanup_of, refusal=refusal)


def _largest(overview: Overview) -> int:
    return max(overview.parked, overview.failed, overview.held)
