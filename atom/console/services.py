"""What is declared, whether it takes requests, and what a flow platform sees of it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from atom.catalog import Catalog
from atom.errors import AtomError
from atom.execution import pausing
from atom.execution.pausing import EVERYTHING
from atom.message_process import MessageProcess
from atom.names import LISTENER
from atom.process import Process
from atom.settings import Settings
from atom.store import ExecutionStore


def create_blueprint(catalog: Catalog, store: ExecutionStore, settings: Settings) -> Blueprint:
    """Build the pages of what a catalog declares."""
    blueprint = Blueprint("services", __name__, url_prefix="/services")

    @blueprint.get("")
    def show() -> str:
        paused = store.paused()
        return render_template(
            "services.html",
            services=list(catalog.services.values()),
            failures=catalog.failures,
            paused=paused,
            paused_since={name: pausing.paused_since(paused, name) for name in catalog.services},
            listeners=store.present(LISTENER),
            workers=_workers(catalog, store),
        )

    @blueprint.get("/<name>")
    def one(name: str) -> str:
        service = catalog.services.get(name)
        if service is None:
            abort(404)
        paused = store.paused()
        return render_template(
            "service.html",
            service=service,
            url=f"{(settings.public_url or settings.listener).rstrip('/')}{service.path}",
            is_here_only=not settings.public_url,
            paused=paused,
            since=pausing.paused_since(paused, name),
            described=service.describe(),
            actions=[_action(each, paused) for each in service.processes.values()],
            workers=_workers(catalog, store),
        )

    @blueprint.post("/pause")
    def pause() -> AnyResponse:
        return _changed(lambda target: [pausing.pause(catalog, store, target)])

    @blueprint.post("/resume")
    def resume() -> AnyResponse:
        return _changed(lambda target: pausing.resume(catalog, store, target))

    return blueprint


def _changed(change: Callable[[str | None], Sequence[str]]) -> AnyResponse:
    """Do it to the target of the form, say what came of it, and go back to where it was asked."""
    service, target = request.form.get("service", ""), request.form.get("target", "")
    try:
        for told in change(None if target == EVERYTHING else target):
            flash(told, "good")
    except AtomError as error:
        flash(str(error), "bad")
    return redirect(url_for(".one", name=service) if service else url_for(".show"), 303)


def _workers(catalog: Catalog, store: ExecutionStore) -> Mapping[str, int]:
    """How many workers each queue has."""
    return {queue: len(store.present(queue)) for queue in sorted(catalog.queues())}


def _action(process: Process, paused: Mapping[str, datetime]) -> dict[str, Any]:
    """What the page says of one process; an object's type is shown as what it gives."""
    inputs, outputs = (
        (process.inputs, process.outputs)
        if isinstance(process, MessageProcess)
        else ((), process.entries)
    )
    return {
        "name": process.action,
        "target": process.task_name,
        "inputs": inputs,
        "outputs": outputs,
        "options": process.options,
        "has_cleanup": isinstance(process, MessageProcess) and process.on_end is not None,
        "since": pausing.paused_since(paused, process.service, process.action),
        "by_itself": process.task_name in paused,
    }
