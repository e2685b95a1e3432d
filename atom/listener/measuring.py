"""Counting and timing the requests of flows, by what they asked for and how they were answered."""

import time
from typing import Final

from flask import Flask, Response, g, request

from atom.catalog import Catalog
from atom.listener.latency import LATENCY
from atom.metrics import REQUEST_SECONDS, REQUESTS, SYNC_WAITS, UNKNOWN
from atom.process import Process

_SERVICES: Final = "/fs/"
# What runs nothing: reading metadata is no work for the Atom.
_UNCOUNTED: Final = {"metadata", "openapi", "health"}


def install(app: Flask, catalog: Catalog) -> None:
    """Measure every request that may start an execution; before what else may refuse it."""

    @app.before_request
    def begin() -> None:
        g.began_at = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        if not request.path.startswith(_SERVICES) or request.blueprint in _UNCOUNTED:
            return response
        service, action = _names(catalog)
        REQUESTS.labels(service, action, _status(response)).inc()
        seconds = time.perf_counter() - g.began_at
        if response.status_code == 200 and "waited" not in g:
            LATENCY.add(seconds)
        REQUEST_SECONDS.labels(service, action, "yes" if "waited" in g else "no").observe(seconds)
        return response


def asks_for(process: Process) -> None:
    """Note which process the request is for; what is refused before has asked for none."""
    g.process = process


def is_duplicate() -> None:
    """Note that its execution was there already."""
    g.is_duplicate = True


def waited(process: Process, end: str) -> None:
    """Count a request that waited for its execution, and how that ended."""
    g.waited = True
    SYNC_WAITS.labels(process.service, process.action, end).inc()


def _names(catalog: Catalog) -> tuple[str, str]:
    """Of declared things only: a caller may make up any number of names."""
    process: Process | None = g.get("process")
    if process is not None:
        return process.service, process.action
    service = (request.view_args or {}).get("service", UNKNOWN)
    return service if service in catalog.services else UNKNOWN, UNKNOWN


def _status(response: Response) -> str:
    if response.status_code != 200:
        return str(response.status_code)
    return "duplicate" if g.get("is_duplicate") else "accepted"
