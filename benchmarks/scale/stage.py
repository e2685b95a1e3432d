"""An Atom whose roles come and go while it is measured, and all that is around it."""

import asyncio
import contextlib
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from redis import Redis

from atom.cli.embedded_redis import EmbeddedRedis
from atom.names import CALLBACKS, PROCESSES
from atom.settings import Settings
from atom.store import RedisStore
from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import flow_requests
from benchmarks.load import Load, accept_flows, callbacks_of, time_limit_seconds
from benchmarks.proc import tree_cpu_seconds
from benchmarks.scale.slow_server import SlowServer
from benchmarks.sink import CallbackSink
from benchmarks.stacks import Launch, Ports, Stack, running

_CONNECTIONS: Final = 32
_START_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.05


class Stage:
    """A listener of one process over two Redis servers, one of them as the broker.

    So what each of the two uses can be told apart; other roles are started when they are wanted.

    Recovery never runs here, for it would publish again what waits on purpose.
    """

    def __init__(
        self, stack: Stack, broker: EmbeddedRedis, sink: CallbackSink, slow: SlowServer
    ) -> None:
        self.stack, self.sink, self.slow = stack, sink, slow
        self.store = RedisStore(Settings(redis_url=stack.redis_url))
        self._broker_pid = broker.process.pid
        urls = (stack.redis_url, broker.url)
        self._servers = [Redis.from_url(url, decode_responses=True) for url in urls]

    def close(self) -> None:
        """Close the connections."""
        self.store.close()
        for each in self._servers:
            each.close()

    def broker_cpu_seconds(self) -> float | None:
        """What the broker has used; None where the system does not tell."""
        return tree_cpu_seconds([self._broker_pid])

    def redis_bytes(self) -> tuple[int, int]:
        """What store and broker hold in memory, and what went to and from them over the network."""
        memory = network = 0
        for each in self._servers:
            found = each.info()
            memory += found["used_memory"]
            network += found["total_net_input_bytes"] + found["total_net_output_bytes"]
        return memory, network

    async def start_processes(
        self, concurrency: int, pool: str = "prefork", role: str = "processes"
    ) -> None:
        """Start a worker of processes; returns when it is there."""
        options = ["--concurrency", str(concurrency), "--pool", pool]
        await self._start_worker(role, PROCESSES, *options)

    async def start_callbacks(self) -> None:
        """Start the worker `callbacks`; returns when it is there."""
        await self._start_worker("callbacks", CALLBACKS)

    def end(self, role: str) -> None:
        """End a role, which finishes what it runs."""
        self.stack.end_role(role)

    async def accept(self, flows: int, action: str = "Echo") -> Load:
        """Have so many flows accepted, whose callbacks the sink expects from then on."""
        port = self.stack.ports.listener
        requests = flow_requests(flows, port, self.sink.port, action)
        self.sink.expect(request.token for request in requests)
        return await accept_flows(requests, port, concurrency=_CONNECTIONS)

    async def warm(self, flows: int) -> None:
        """Have so many flows go all the way, by workers that end then."""
        await self.accept(flows)
        await self.start_processes(1)
        await self.start_callbacks()
        await self.all_called_back(flows)
        self.end("processes")
        self.end("callbacks")

    async def all_called_back(self, flows: int) -> None:
        """Until the callback of each of those flows has come."""
        await callbacks_of(flows, self.sink, time_limit_seconds(flows))

    def finished(self) -> int:
        """How many executions have ended since Redis began."""
        counters = self.store.overview().counters
        return sum(count for name, count in counters.items() if name.startswith("finished:"))

    async def until(self, look: Callable[[], bool], what: str, seconds: float) -> None:
        """Look again and again.

        Raises:
            BenchmarkError: a role ended, or it took longer than that.
        """
        end = time.monotonic() + seconds
        while not look():
            self.stack.check_alive()
            if time.monotonic() > end:
                raise BenchmarkError(f"Not within {seconds:.0f} s: {what}.")
            await asyncio.sleep(_POLL_SECONDS)

    async def _start_worker(self, role: str, queue: str, *options: str) -> None:
        before = {each.instance for each in self.store.presences(queue)}
        self.stack.start_role(role, ["atom", "worker", "--queues", queue, *options])
        await self.until(
            lambda: any(each.instance not in before for each in self.store.presences(queue)),
            f"the start of {role}",
            _START_SECONDS,
        )


@contextlib.asynccontextmanager
async def stage(wait_seconds: float) -> AsyncIterator[Stage]:
    """A stage whose processes wait that long, for as long as the block."""
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-broker-") as folder,
        EmbeddedRedis(Path(folder)) as broker,
        socket.create_server(("127.0.0.1", 0)) as bound,
    ):
        async with SlowServer() as slow, CallbackSink(bound) as sink:
            slow.seconds = wait_seconds

            def launch(redis_url: str, ports: Ports) -> Launch:
                environment = {
                    "ATOM_SERVICES": "benchmarks.services",
                    "ATOM_REDIS_URL": redis_url,
                    "ATOM_BROKER_URL": broker.url,
                    "ATOM_BIND": f"127.0.0.1:{ports.listener}",
                    "ATOM_CALLBACK_HOSTS": f"127.0.0.1:{ports.callbacks}",
                    "ATOM_LISTENER_PROCESSES": "1",
                    "BENCH_SLOW_PORT": str(slow.port),
                    "BENCH_WAIT_SECONDS": str(wait_seconds),
                }
                return Launch(environment, {"listener": ["atom", "listener"]})

            with running("scale", sink.port, launch) as stack:
                made = Stage(stack, broker, sink, slow)
                try:
                    yield made
                finally:
                    made.close()
