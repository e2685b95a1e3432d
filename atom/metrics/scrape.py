"""What one role tells Prometheus, and the small server of the roles that have none."""

import logging
import os
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from atom.endpoints import split_bind
from atom.metrics.measured import REGISTRY
from atom.metrics.sharing import Shared

_log = logging.getLogger(__name__)


class Scrape:
    """The metrics of a role: what its processes measured, and what other collectors add."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self, *others: Collector) -> None:
        self.registry: Final = CollectorRegistry()
        for each in (_Measured(), _Build(), *others):
            self.registry.register(each)

    def text(self) -> bytes:
        """All of them, in Prometheus's format for text."""
        return generate_latest(self.registry)


class _Measured(Collector):
    """What was measured, in all processes of the role."""

    def collect(self) -> Iterable[Metric]:
        if Shared.directory is None:
            return REGISTRY.collect()
        files: Any = MultiProcessCollector  # it has no types
        found: Iterable[Metric] = files(None, str(Shared.directory)).collect()
        return found


class Fixed(Collector):
    """One number of a role that does not change while it lives."""

    def __init__(self, name: str, meaning: str, value: float) -> None:
        self._metric = GaugeMetricFamily(name, meaning, value)

    def collect(self) -> Iterator[Metric]:
        """Tell it."""
        yield self._metric


class _Build(Collector):
    """Which version runs."""

    def collect(self) -> Iterator[Metric]:
        build = {"version": version("flow-atom"), "python": platform.python_version()}
        yield InfoMetricFamily("atom_build", "What runs here.", build)


def serve(bind: str, scrape: Scrape) -> None:
    """Answer `/metrics` at `host:port`, from a thread, until the process ends.

    An address that is taken costs the metrics, not the role.
    """
    host, port = split_bind("ATOM_METRICS_BIND", bind)
    try:
        server, _ = start_http_server(port, host, scrape.registry)
    except OSError as error:
        _log.error(
            "There are no metrics at ATOM_METRICS_BIND %s: %s", bind, error.strerror or error
        )
        return
    # The children of a pool would keep the address when this process is gone.
    os.register_at_fork(after_in_child=server.socket.close)
