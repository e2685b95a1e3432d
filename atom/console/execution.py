"""All that is known of one execution."""

from flask import Blueprint, abort, render_template

from atom.names import flower_url
from atom.store import ExecutionStore


def create_blueprint(store: ExecutionStore, flower_link: str) -> Blueprint:
    """Build the page.

    Args:
        store: what happened.
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
            execution=found,
            log=store.log(execution_id),
            flower=flower_url(flower_link, execution_id),
        )

    return blueprint
