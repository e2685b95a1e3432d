"""What is declared."""

from typing import Any

from flask import Blueprint, render_template

from atom.catalog import Catalog
from atom.message_process import MessageProcess
from atom.process import Process


def create_blueprint(catalog: Catalog) -> Blueprint:
    """Build the pages of what a catalog declares."""
    blueprint = Blueprint("services", __name__, url_prefix="/services")

    @blueprint.get("")
    def show() -> str:
        described = [
            (service, [_action(each) for each in service.processes.values()])
            for service in catalog.services.values()
        ]
        return render_template("services.html", services=described)

    return blueprint


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
