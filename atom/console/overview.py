"""How it stands."""

from collections.abc import Callable, Mapping

from flask import Blueprint, render_template

from atom.catalog import Catalog
from atom.records import Overview, State
from atom.status import judge, take_stock
from atom.store import ExecutionStore


def create_blueprint(
    catalog: Catalog, store: ExecutionStore, waiting: Callable[[str], int], flower_link: str
) -> Blueprint:
    """Build the page.

    Args:
        catalog: whose queues need workers.
        store: what happened.
        waiting: how many messages the broker has in a queue; raises PublishFailed.
        flower_link: where Flower is; empty where there is none.
    """
    blueprint = Blueprint("overview", __name__)
    queues = catalog.queues()

    @blueprint.get("/")
    def show() -> str:
        situation = take_stock(store, waiting, queues)
        return render_template(
            "overview.html",
            situation=situation,
            overview=situation.overview,
            findings=judge(situation),
            finished=_finished(situation.overview),
            flower=flower_link,
        )

    return blueprint


def _finished(overview: Overview) -> Mapping[str, int]:
    """How many executions ended in each final state since the store was made."""
    return {state.value: overview.finished.get(state.value, 0) for state in State if state.is_final}
