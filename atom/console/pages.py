"""How it stands, and what is declared."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, render_template

from atom.catalog import Catalog
from atom.message_process import MessageProcess
from atom.process import Process
from atom.records import Overview, State
from atom.status import judge, take_stock
from atom.store import ExecutionStore


def create_blueprint(
    catalog: Catalog, store: ExecutionStore, waiting: Callable[[str], int], flower_link: str
) -> Blueprint:
    """Build the pages.

    Args:
        catalog: what is declared here.
        store: what happened.
        waiting: how many messages the broker has in a queue; raises PublishFailed.
        flower_link: where Flower is; empty where there is none.
    """
    blueprint = Blueprint("pages", __name__)
    queues = catalog.queues()

    @blueprint.get("/")
    def overview() -> str:
        situation = take_stock(store, waiting, queues)
        return render_template(
            "overview.html",
            situation=situation,
            overview=situation.overview,
            findings=judge(situation),
            finished=_finished(situation.overview),
            flower=flower_link,
        )

    @blueprint.get("/services")
    def services() -> str:
        described = [
            (service, [_action(each) for each in service.processes.values()])
            for service in catalog.services.values()
        ]
        return render_template("services.html", services=described)

    @blueprint.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return blueprint


def _finished(overview: Overview) -> Mapping[str, int]:
    """How many executions ended in each final state since the store was made."""
    return {state.value: overview.finished.get(state.value, 0) for state in State if state.is_final}


def _action(process: Process) -> dict[str, Any]:
    """What the page says of one process; an object's type is shown as what it gives."""
    inputs, outputs = (
        (process.inputs, process.outputs)
        if isinstance(process, MessageProcess)
        else ((), process.entries)
    )
    return {
        "name": process.action,
        "inputs": inputs,
        "outputs": outputs,
        "queue": process.options.queue,
        "timeout": process.options.timeout,
    }
