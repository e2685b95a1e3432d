"""A real Atom for tests: its roles as processes, its flow platform the sandbox."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from redis import Redis

from atom.cli.embedded_redis import EmbeddedRedis
from atom.flow.transport import Transport, TransportError
from atom.history import ExecutionFilter
from atom.names import CALLBACKS, KEY_PREFIX, PROCESSES, RECOVERY
from atom.records import Execution
from atom.sandbox import Flow, Platform, SandboxServer
from atom.settings import Settings
from atom.store import RedisStore
from tests.support.ports import free_port
from tests.support.rabbitmq import RabbitMQ
from tests.support.waiting import until

SERVICES = ",".join(f"tests.support.{name}" for name in ("services", "shop", "stubborn", "lasting"))
ROOT = Path(__file__).resolve().parent.parent.parent


class TestAtom:
    """Listener, workers and recovery over a Redis of their own; ends what it started."""

    __test__ = False

    def __init__(
        self,
        directory: Path,
        service: str = SERVICES,
        platform: Platform | None = None,
        broker: RabbitMQ | None = None,
        **env: str,
    ):
        self.directory = directory
        self.broker = broker
        self.redis = EmbeddedRedis(directory / "redis")
        self.redis.start()
        self.sandbox = SandboxServer(platform=platform)
        self.platform = self.sandbox.platform
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name[:5] != "ATOM_"},
            "ATOM_SERVICES": service,
            "ATOM_REDIS_URL": self.redis.url,
            "ATOM_BROKER_URL": broker.url if broker else "",
            "ATOM_BIND": f"127.0.0.1:{self.port}",
            "ATOM_CALLBACK_HOSTS": self.sandbox.url.removeprefix("http://"),
            # Far longer than a process waits for a CPU of a busy machine.
            "ATOM_LEASE_SECONDS": "10",
            "ATOM_PROGRESS_SECONDS": "0.1",
            "ATOM_LOG_FORMAT": "text",
            **env,
        }
        self.store = RedisStore(Settings(redis_url=self.redis.url))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str, on: Sequence[str] = (), **env: str) -> None:
        """Start a role; its output goes into a file that `log` reads.

        On another host, where `on` is what precedes a command there (`tests/support/hosts.py`).
        """
        with (self.directory / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [*on, sys.executable, "-m", "atom", *command],
                cwd=ROOT,
                env={**self.environment, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_all(self, worker: Sequence[str] = ("--concurrency=2",)) -> None:
        """Start every role and wait until all of them are there."""
        self.start("listener", "listener")
        self.start("worker", "worker", f"--queues={PROCESSES}", *worker)
        self.start("callbacks", "worker", f"--queues={CALLBACKS}")
        self.start("recovery", "recovery")
        for queue in (PROCESSES, CALLBACKS, RECOVERY):
            until(lambda queue=queue: self.store.present(queue), f"a worker for {queue}", 60)
        self.wait_for_listener(self.url)

    @staticmethod
    def wait_for_listener(url: str, path: str = "/ready") -> None:
        """Until a listener takes requests, or another role answers at its own path."""
        transport = Transport()
        until(lambda: _is_healthy(transport, f"{url}{path}"), f"{url}{path}", 60)
        transport.close()

    def run(
        self,
        action: str,
        inputs: dict[str, Any] | None = None,
        service: str = "Trial",
        **options: Any,
    ) -> Flow:
        """Run a flow with one action; returns once the request was answered."""
        return self.platform.run(f"{self.url}/fs/{service}", action, inputs or {}, **options)

    def execution_of(self, flow: Flow) -> Execution:
        """The one execution of a flow, as the store has it."""
        (found,) = self.store.find(2, ExecutionFilter(text=flow.id)).executions
        return found

    @contextlib.contextmanager
    def another_listener(self, **env: str) -> Iterator[str]:
        """A listener with settings of its own beside the first one; its URL."""
        bind = f"127.0.0.1:{free_port()}"
        name = f"listener-{bind}"
        self.start(name, "listener", ATOM_BIND=bind, **env)
        self.wait_for_listener(f"http://{bind}")
        yield f"http://{bind}"
        assert self.end(name) == 0, self.log(name).decode()

    def count_keys(self, kind: str) -> int:
        """How many keys of a kind (`file`, `execution`, …) there are in Redis."""
        with Redis.from_url(self.redis.url) as client:
            return sum(1 for _ in client.scan_iter(f"{KEY_PREFIX}{kind}:*", 1000))

    def log(self, name: str) -> bytes:
        """What a role printed so far."""
        path = self.directory / f"{name}.log"
        return path.read_bytes() if path.exists() else b""

    def logs(self) -> bytes:
        """What all roles printed so far."""
        return b"".join(path.read_bytes() for path in self.directory.glob("*.log"))

    def end(self, name: str) -> int:
        """End a role as a container runtime does; its exit code."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            return process.wait(120)
        finally:
            _kill_group(process)

    def kill(self, name: str) -> None:
        """Kill a role and its children without warning."""
        process = self.processes.pop(name)
        _kill_group(process)
        process.wait()

    def kill_main(self, name: str) -> None:
        """Kill a role's first process only; its children may go on for a while."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def orphans(self) -> list[int]:
        """The processes of this Atom that no running role has any more.

        They are known by its Redis URL, which no other has in its environment.
        """
        mark = f"ATOM_REDIS_URL={self.environment['ATOM_REDIS_URL']}".encode()
        groups = {process.pid for process in self.processes.values()}
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            pid = int(path.parent.name)
            with contextlib.suppress(OSError):  # it has just ended, or is not ours to read
                if mark in path.read_bytes().split(b"\0") and os.getpgid(pid) not in groups:
                    found.append(pid)
        return found

    def close(self) -> None:
        """End everything, as `atom up` does: softly at first, then for good.

        That a role ends cleanly is a test of its own; here it may have been broken on purpose.
        """
        for process in self.processes.values():
            process.terminate()
        try:
            for process in self.processes.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(15)
        finally:
            for name in list(self.processes):
                self.kill(name)
            for orphan in self.orphans():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
            self.store.close()
            self.sandbox.close()
            self.redis.stop()


def _is_healthy(transport: Transport, url: str) -> bool:
    try:
        return transport.get(url, {}).status == 200
    except TransportError:
        return False


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
