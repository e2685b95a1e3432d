"""The floor under accepting: the same requests to a route that does nothing, same gunicorn."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.flow_requests import flow_requests
from benchmarks.load import accept_flows, percentile
from benchmarks.rounds import Parameters, Round, middle
from benchmarks.stacks import empty, running


@dataclass(frozen=True, slots=True)
class FloorFigures:
    """How long the route took to answer: for one caller, and for as many as a stack had."""

    alone_p50_ms: float
    p50_ms: float


def measure_floor(parameters: Parameters) -> FloorFigures:
    """Start it, warm it, measure it, stop it.

    Raises:
        BenchmarkError: a request was not answered.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as bound,
        running("empty", bound.getsockname()[1], empty) as stack,
    ):
        port = stack.ports.listener

        def ask(flows: int, concurrency: int) -> float:
            requests = flow_requests(flows, port, stack.ports.callbacks)
            load = asyncio.run(accept_flows(requests, port, concurrency=concurrency))
            return percentile(load.latencies, 50) * 1000

        ask(100, parameters.concurrency)
        return FloorFigures(ask(200, 1), ask(parameters.flows, parameters.concurrency))


def over_the_floor(
    rounds: Sequence[Round], floors: Sequence[FloorFigures]
) -> dict[str, float | None]:
    """Accepting by Atom as a multiple of the floor, of medians.

    At many at once Atom's workers have the same cores meanwhile; the empty route has them alone.
    """
    alone, many = (
        middle(rounds, "atom", "accept_alone_p50_ms"),
        middle(rounds, "atom", "accept_p50_ms"),
    )
    return {
        "accept_alone_p50_of_empty": alone and alone / median(each.alone_p50_ms for each in floors),
        "accept_p50_of_empty": many and many / median(each.p50_ms for each in floors),
    }
