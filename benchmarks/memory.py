"""What each process holds in memory, and what Redis holds for each execution."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from rich.table import Table

from benchmarks.flow_requests import flow_requests
from benchmarks.parts import Parameters, Ratios, Say, ratio, table, text
from benchmarks.scale.stage import stage
from benchmarks.scene import Scene, on_scene
from benchmarks.stacks import STACKS

_ROLES: Final[Mapping[str, Sequence[str]]] = {
    "baseline": ("gunicorn", "celery"),
    "atom": ("listener", "processes", "callbacks", "recovery"),
}
# Ours, and what does the same in the baseline.
_COMPARED: Final = {"listener": "gunicorn", "processes": "celery"}
_WARM_UP: Final = 100


@dataclass(frozen=True, slots=True)
class RoleMemory:
    """Of a role that has been at work; None where the system does not tell."""

    processes: int | None
    mb: float | None
    """Of all of them; a page that several share counts once (the Pss of Linux)."""
    mb_each: float | None


@dataclass(frozen=True, slots=True)
class RedisBytes:
    """What store and broker hold for each execution, beside its documents."""

    request: float
    response: float
    waiting: float
    """Accepted, with no worker there: beside the request."""
    finished: float
    """With its callback delivered: beside request and response."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of processes, and of Redis."""

    roles: Mapping[str, RoleMemory]
    redis: RedisBytes

    def figures(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    def ratios(self) -> Ratios:
        """What a process of a role holds, against the baseline's of the same kind."""
        return {
            f"memory_{role}": ratio(self.roles[role].mb_each, self.roles[other].mb_each)
            for role, other in _COMPARED.items()
        }

    def shown(self) -> Iterable[Table]:
        """Each role; Redis below."""
        shown = table("Memory", "role", "processes", "all (MiB)", "each (MiB)")
        for name, role in self.roles.items():
            shown.add_row(
                name, text(role.processes, "d"), text(role.mb, ".1f"), text(role.mb_each, ".1f")
            )
        redis = self.redis
        shown.caption = (
            f"Redis: {redis.waiting:,.0f} bytes for each execution that waits, beside a request of "
            f"{redis.request:,.0f}; {redis.finished:,.0f} for each that has ended, beside that and "
            f"a response of {redis.response:,.0f}"
        )
        yield shown


def measure_memory(parameters: Parameters, say: Say) -> Memory:
    """Processes on both stacks, Redis on an Atom whose workers come later.

    Raises:
        BenchmarkError: a request failed, or a callback was missing, wrong or came twice.
    """
    say(f"Memory: {parameters.flows} flows …")
    roles: dict[str, RoleMemory] = {}
    for name in STACKS:
        roles |= on_scene(name, partial(_roles, parameters=parameters))
    return Memory(roles, asyncio.run(_redis_bytes(parameters.flows)))


async def _roles(scene: Scene, parameters: Parameters) -> dict[str, RoleMemory]:
    await scene.warm(parameters.concurrency)
    await scene.send(parameters.flows, parameters.concurrency)
    found = {}
    for role in _ROLES[scene.stack.name]:
        count, mb = scene.stack.process_count(role), scene.stack.share_of_memory_mb(role)
        found[role] = RoleMemory(count, mb, ratio(mb, count))
    return found


async def _redis_bytes(flows: int) -> RedisBytes:
    async with stage(0) as on:
        await on.warm(_WARM_UP)
        before, _ = on.redis_bytes()
        (one,) = flow_requests(1, on.stack.ports.listener, on.sink.port)
        request = len(one.content.partition(b"\r\n\r\n")[2])  # as long as every other
        await on.accept(flows)
        waiting, _ = on.redis_bytes()
        await on.start_processes(1)
        await on.start_callbacks()
        await on.all_called_back(flows)
        finished, _ = on.redis_bytes()
        response = on.sink.received_bytes / flows
    return RedisBytes(
        request=request,
        response=response,
        waiting=(waiting - before) / flows - request,
        finished=(finished - before) / flows - request - response,
    )
