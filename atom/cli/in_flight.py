"""`atom check --in-flight`: what a deploy of the code means for unfinished executions."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import click

from atom.catalog import Catalog
from atom.cli.output import print_json
from atom.entries import EntryKey
from atom.errors import NotFound
from atom.execution.in_flight import Forecast, Forecaster, Part, Prediction
from atom.flow.clients import FlowClients
from atom.names import process_task
from atom.settings import Settings
from atom.store import open_store
from atom.store.files import file_store

_MOST_IDS: Final = 3
_HEADINGS: Final = {
    Prediction.CONTINUES: "continue",
    Prediction.RUNS_NEW_ENTRY: "would newly run an entry that stands before recorded entries",
    Prediction.HELD: "would be held",
    Prediction.FAILS: "would fail",
    Prediction.UNREADABLE: "cannot be read",
}


def check(
    catalog: Catalog, settings: Settings, service: str | None, limit: int, *, as_json: bool
) -> None:
    """Print the forecasts of each action; the exit code is 1 if an execution would not continue.

    Args:
        catalog: the services that would be deployed.
        settings: of the Atom that runs.
        service: the only service to check.
        limit: the number of executions to replay, newest first.
        as_json: print one JSON document.

    Raises:
        NotFound: the service is neither declared nor has unfinished executions.
    """
    store = open_store(settings)
    try:
        unfinished = store.unfinished(limit, service or "")
        if service is not None and service not in catalog.services and not unfinished.total:
            raise NotFound(
                f"No service “{service}” is declared, and none of its executions is unfinished."
            )
        forecaster = Forecaster(
            catalog, store, file_store(settings), make_flow_client=FlowClients(settings)
        )
        forecasts = [*filter(None, map(forecaster.forecast, unfinished.ids))]
    finally:
        store.close()
    is_good = all(each.prediction.is_good for each in forecasts)
    omitted = max(0, unfinished.total - limit)
    if as_json:
        print_json(
            {
                "ok": is_good,
                "checked": len(forecasts),
                "omitted": omitted,
                "actions": [_summary(name, some) for name, some in _by_action(forecasts)],
                "executions": [_document(each) for each in forecasts],
            }
        )
    else:
        _print(forecasts, omitted)
    if not is_good:
        sys.exit(1)


def _by_action(forecasts: Iterable[Forecast]) -> Iterator[tuple[str, list[Forecast]]]:
    for name, some in groupby(sorted(forecasts, key=_label), key=_label):
        yield name, list(some)


def _label(forecast: Forecast) -> str:
    name = process_task(forecast.service, forecast.action)
    suffix = {Part.ACTION: "", Part.ITEM: " (item of a map)", Part.CLEANUP: " (cleanup)"}
    return name + suffix[forecast.part]


def _summary(name: str, forecasts: Sequence[Forecast]) -> dict[str, Any]:
    """Return the JSON of an action."""
    groups: dict[str, list[dict[str, Any]]] = {each.value: [] for each in Prediction}
    for prediction, detail, some in _groups(forecasts):
        groups[prediction.value].append({"detail": detail, "count": len(some)})
    return {
        "name": name,
        "executions": len(forecasts),
        **{
            prediction.value: sum(each.prediction is prediction for each in forecasts)
            for prediction in Prediction
        },
        "details": {name: each for name, each in groups.items() if each and name != "continues"},
        "not_reached": {str(key): count for key, count in _not_reached(forecasts).items()},
    }


def _document(forecast: Forecast) -> dict[str, Any]:
    return {
        "id": forecast.execution_id,
        "service": forecast.service,
        "action": forecast.action,
        "part": forecast.part,
        "version": forecast.version,
        "prediction": forecast.prediction,
        "entry": forecast.entry and forecast.entry._asdict(),
        "reason": forecast.reason,
        "not_reached": [key._asdict() for key in forecast.unreached],
    }


def _groups(forecasts: Iterable[Forecast]) -> Iterator[tuple[Prediction, str, list[Forecast]]]:
    """Yield the forecasts by prediction and detail: the new entry, or the reason."""
    order = list(Prediction)

    def place(forecast: Forecast) -> tuple[int, str]:
        entry = forecast.entry
        return order.index(forecast.prediction), forecast.reason or (_named(entry) if entry else "")

    for (index, detail), some in groupby(sorted(forecasts, key=place), key=place):
        yield order[index], detail, list(some)


def _not_reached(forecasts: Iterable[Forecast]) -> Mapping[EntryKey, int]:
    """Count the records that executions which continue do not ask for any more."""
    counts: dict[EntryKey, int] = {}
    for each in forecasts:
        for key in each.unreached if each.prediction is Prediction.CONTINUES else ():
            counts[key] = counts.get(key, 0) + 1
    return counts


def _named(key: EntryKey) -> str:
    return f"“{key.name}” (occurrence {key.occurrence})"


def _print(forecasts: Sequence[Forecast], omitted: int) -> None:
    """Print each action with its predictions, then the totals."""
    for name, some in _by_action(forecasts):
        click.echo(f"\n{name}: {len(some)} unfinished execution(s)")
        for prediction, detail, members in _groups(some):
            colon = ": " if detail else ""
            click.echo(f"  {len(members):>5}  {_HEADINGS[prediction]}{colon}{detail}")
            if not prediction.is_good:
                click.echo(f"         {_ids(members)}")
        for key, count in _not_reached(some).items():
            click.echo(f"         record {_named(key)} is no longer asked for, in {count}")
    if omitted:
        click.echo(f"\n{omitted} older execution(s) were not checked; see --limit.")
    bad = sum(not each.prediction.is_good for each in forecasts)
    click.echo(
        f"\nReplayed {len(forecasts)} unfinished execution(s): {len(forecasts) - bad} would "
        f"continue, {bad} would not."
    )


def _ids(forecasts: Sequence[Forecast]) -> str:
    ids = ", ".join(each.execution_id for each in forecasts[:_MOST_IDS])
    more = len(forecasts) - _MOST_IDS
    return f"{ids} and {more} more" if more > 0 else ids
