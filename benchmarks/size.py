"""What a flow costs that carries a larger document, beside reading and writing it as JSON."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import linear_regression
from typing import Any, Final

from rich.table import Table

from benchmarks.flow_requests import flow_requests
from benchmarks.load import send_flows
from benchmarks.parts import Parameters, Ratios, Say, ratio, table, text
from benchmarks.scene import Scene, on_scene

_KIB: Final = 1024
# How many bytes more than the 1.3 KB of other parts, and one in how many flows carries them.
_SIZES: Final = ((0, 1), (9 * _KIB, 1), (99 * _KIB, 4), (1023 * _KIB, 20))
_FEWEST_FLOWS: Final = 10
_JSON_REPEATS: Final = 20


@dataclass(frozen=True, slots=True)
class SizeFigures:
    """Flows whose requests have one size."""

    kib: float
    cpu_ms: float | None
    """Of all the stack, for each."""
    json_ms: float
    """What the standard library's json takes to read such a request and write it again."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """From small to large."""

    sizes: Sequence[SizeFigures]

    def figures(self) -> list[dict[str, Any]]:
        """Each size."""
        return [asdict(each) for each in self.sizes]

    def ratios(self) -> Ratios:
        """What a KiB more costs a flow, against what it costs json."""
        kib = [each.kib for each in self.sizes]
        cpu = slope(kib, [each.cpu_ms for each in self.sizes])
        return {"size_cpu_of_json": ratio(cpu, slope(kib, [each.json_ms for each in self.sizes]))}

    def shown(self) -> Iterable[Table]:
        """Each size, and the slope."""
        shown = table("Documents", "KiB", "CPU per flow (ms)", "json (ms)")
        for each in self.sizes:
            shown.add_row(f"{each.kib:.1f}", text(each.cpu_ms, ".1f"), f"{each.json_ms:.2f}")
        of_json = text(self.ratios()["size_cpu_of_json"], ".1f")
        shown.caption = f"A KiB more costs a flow {of_json} times what it costs json"
        yield shown


def slope(sizes: Sequence[float], costs: Sequence[float | None]) -> float | None:
    """What one more costs, by least squares; None where a cost is not known."""
    known = [cost for cost in costs if cost is not None]
    return None if len(known) < len(costs) else linear_regression(sizes, known).slope


def measure_size(parameters: Parameters, say: Say) -> Sizes:
    """One size after the other, on one Atom.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    say("Documents of 1 KiB to 1 MiB …")
    return on_scene("atom", partial(_sizes, parameters=parameters))


async def _sizes(scene: Scene, parameters: Parameters) -> Sizes:
    await scene.warm(parameters.concurrency)
    found = []
    for more_bytes, share in _SIZES:
        flows = max(_FEWEST_FLOWS, parameters.flows // share)
        requests = flow_requests(flows, scene.port, scene.sink.port, "Digest", more_bytes)
        body = requests[0].content.partition(b"\r\n\r\n")[2]
        before = scene.stack.cpu_seconds()
        await send_flows(requests, scene.sink, scene.port, concurrency=parameters.concurrency)
        after = scene.stack.cpu_seconds()
        used = None if before is None or after is None else (after - before) * 1000 / flows
        found.append(SizeFigures(len(body) / _KIB, used, _json_ms(body)))
    return Sizes(found)


def _json_ms(body: bytes) -> float:
    """The best of some tries."""
    took = []
    for _ in range(_JSON_REPEATS):
        begin = time.process_time()
        json.dumps(json.loads(body))
        took.append(time.process_time() - begin)
    return min(took) * 1000
