"""What a bare Celery message costs: published by one process, consumed by the baseline's worker."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from celery import Celery

from benchmarks.errors import BenchmarkError
from benchmarks.parts import Parameters, Ratios, Say, text
from benchmarks.scene import Scene, on_scene

_APP: Final = "benchmarks.baseline.app"
_WARM_UP: Final = 100
_WAIT_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Noop:
    """Messages whose task does nothing."""

    published_per_second: float
    per_second: float
    """From the first that was published to the last that was consumed."""
    cpu_ms_per_message: float | None
    """Of publisher, worker and Redis."""

    def figures(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    def ratios(self) -> Ratios:
        """None: this is itself what others can be compared with."""
        return {}

    def shown(self) -> Iterable[str]:
        """One sentence."""
        yield (
            f"A bare Celery message: {self.published_per_second:.0f} published a second, "
            f"{self.per_second:.0f} published and consumed a second, "
            f"{text(self.cpu_ms_per_message, '.2f')} ms of CPU each, Redis included."
        )


def measure_noop(parameters: Parameters, say: Say) -> Noop:
    """Publish as many messages as there are flows.

    Raises:
        BenchmarkError: they were not consumed.
    """
    say(f"No-op: {parameters.flows} messages …")
    return on_scene("baseline", partial(_measure, messages=parameters.flows))


async def _measure(scene: Scene, messages: int) -> Noop:
    return await asyncio.to_thread(_noop, scene, messages)


def _noop(scene: Scene, messages: int) -> Noop:
    url = scene.stack.redis_url
    with Celery("publisher", broker=url, backend=url, set_as_current=False) as app:
        _publish(app, _WARM_UP)
        _wait_for_the_last(app)
        own, others, begin = time.process_time(), scene.stack.cpu_seconds(), time.perf_counter()
        _publish(app, messages)
        published = time.perf_counter() - begin
        _wait_for_the_last(app)
        seconds = time.perf_counter() - begin
        own, after = time.process_time() - own, scene.stack.cpu_seconds()
    cpu = None if others is None or after is None else (own + after - others) * 1000 / messages
    return Noop(messages / published, messages / seconds, cpu)


def _publish(app: Celery, messages: int) -> None:
    for _ in range(messages):
        app.send_task(f"{_APP}.noop", ignore_result=True)


def _wait_for_the_last(app: Celery) -> None:
    """One more message, which is answered: the queue keeps its order."""
    try:
        app.send_task(f"{_APP}.get_thing", ["last"]).get(timeout=_WAIT_SECONDS)
    except Exception as error:
        raise BenchmarkError(f"A task was not answered: {error!r}.") from error
