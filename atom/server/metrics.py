"""The metrics of an HTTP server for Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from atom.server.traffic import Traffic


class TrafficCollector(Collector):
    """Connections by stage, closed ones by reason, and threads, of all processes together."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def collect(self) -> Iterator[Metric]:
        """Read the counts."""
        stages = GaugeMetricFamily("atom_connections", "Open connections.", labels=["stage"])
        for stage, count in self._traffic.stages().items():
            stages.add_metric([stage], count)
        yield stages
        closed = CounterMetricFamily(
            "atom_connections_closed",
            "Connections that the server closed, by the limit they exceeded.",
            labels=["reason"],
        )
        for reason, count in self._traffic.closed().items():
            closed.add_metric([reason], count)
        yield closed
        threads, busy = self._traffic.threads()
        yield GaugeMetricFamily(
            "atom_listener_threads", "Requests that can be answered at once.", threads
        )
        yield GaugeMetricFamily(
            "atom_listener_busy_threads", "Requests that are being answered.", busy
        )
