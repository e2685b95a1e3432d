"""How it stands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, render_template, url_for

from atom.catalog import Catalog
from atom.console.charts import chart
from atom.execution.pausing import EVERYTHING
from atom.overview import Overview
from atom.records import State
from atom.status import Finding, judge, take_stock
from atom.store import ExecutionStore

_MINUTES: Final = 60
_RESUME: Final = "atom listeners resume"
_BY_STATE: Final = "atom executions list --state "


@dataclass(frozen=True, slots=True)
class Help:
    """What helps against a finding here: a page to look at, or a target to resume."""

    link: str = ""
    resumes: str = ""


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
            findings=[(each, help_for(each)) for each in judge(situation)],
            finished=_finished(situation.overview),
            chart=chart(store.minutes(_MINUTES)),
            flower=flower_link,
        )

    return blueprint


def help_for(finding: Finding) -> Help:
    """What the console has for the command that helps; nothing where only the command does."""
    if finding.command == "atom callbacks list":
        return Help(link=url_for("inbox.show", kind="parked"))
    if finding.command == "atom executions list --inbox":
        return Help(link=url_for("inbox.show", kind="failed"))
    if finding.command.startswith(_BY_STATE):
        state = finding.command.removeprefix(_BY_STATE)
        return Help(link=url_for("executions.newest", state=state))
    if finding.command.startswith(_RESUME):
        return Help(resumes=finding.command.removeprefix(_RESUME).strip() or EVERYTHING)
    return Help()


def _finished(overview: Overview) -> Mapping[str, int]:
    """How many executions ended in each final state since the store was made."""
    return {state.value: overview.finished.get(state.value, 0) for state in State if state.is_final}
