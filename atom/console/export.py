"""The executions of the list as files, for spreadsheets and programs."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import orjson
from flask import Blueprint, Response, request

from atom.console import asked as asking
from atom.console.problems import problem
from atom.execution.listing import document, every
from atom.history import ExecutionFilter
from atom.records import Execution
from atom.store import ExecutionStore

_MOST: Final = 100_000
_COLUMNS: Final = (
    *("id", "service", "action", "state", "accepted_at", "started_at", "finished_at", "attempts"),
    *("tenant_id", "flow_state_id", "worker", "version", "worker_version", "queue"),
    *("progress", "error"),
    *("callback_state", "delivered_at"),
)
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_TEXTS: Final = 500  # rows that are written at a time


def create_blueprint(store: ExecutionStore) -> Blueprint:
    """Build the files; they are written while they are read, and held nowhere as a whole."""
    blueprint = Blueprint("export", __name__)

    @blueprint.get("/executions.csv")
    def as_csv() -> Response:
        return _file(store, "csv", "text/csv; charset=utf-8")

    @blueprint.get("/executions.json")
    def as_json() -> Response:
        return _file(store, "json", "application/json")

    return blueprint


def _file(store: ExecutionStore, kind: str, content_type: str) -> Response:
    asked = asking.read(request)
    if asked.problems:
        return problem(400, " ".join(asked.problems.values()))
    write = _csv if kind == "csv" else _json
    response = Response(write(store, asked.filter), content_type=content_type)
    response.headers["Content-Disposition"] = f'attachment; filename="executions.{kind}"'
    return response


def _csv(store: ExecutionStore, wanted: ExecutionFilter) -> Iterator[str]:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(_COLUMNS)
    problems: list[str] = []
    executions = every(store, wanted, problems.append)
    for count, each in enumerate(islice(executions, _MOST), 1):
        fields = document(each, full=False)
        rows.writerow([_cell(fields[name]) for name in _COLUMNS])
        if count % _TEXTS == 0:
            yield _take(text)
    if next(executions, None) is not None:
        rows.writerow([f"There are more than {_MOST}: ask for less, by time or process."])
    rows.writerows([f"Some are missing: {why}"] for why in problems)
    yield _take(text)


def _json(store: ExecutionStore, wanted: ExecutionFilter) -> Iterator[bytes]:
    problems: list[str] = []
    executions = every(store, wanted, problems.append)
    separator = b'{"executions":[\n'
    for each in islice(executions, _MOST):
        yield separator + _line(each)
        separator = b",\n"
    is_complete = next(executions, None) is None and not problems
    beginning = b"" if separator == b",\n" else separator
    yield beginning + b'],"is_complete":' + orjson.dumps(is_complete) + b"}\n"


def _line(execution: Execution) -> bytes:
    return orjson.dumps(document(execution, full=False), option=orjson.OPT_UTC_Z)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _take(text: io.StringIO) -> str:
    written = text.getvalue()
    text.seek(0)
    text.truncate()
    return written
