"""The stacks as real processes, each with a Redis of its own, on free loopback ports."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from atom.cli.embedded_redis import EmbeddedRedis, free_port
from atom.settings import Settings
from benchmarks.errors import BenchmarkError
from benchmarks.proc import (
    tree_cpu_seconds,
    tree_memory_mb,
    tree_share_of_memory_mb,
    tree_size,
)

_ROOT: Final = Path(__file__).resolve().parent.parent
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.05
_SHOWN_LINES: Final = 15


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a stack listens, and where its callbacks go."""

    listener: int
    callbacks: int


@dataclass(frozen=True, slots=True)
class Launch:
    """What a stack consists of: one environment, and a command for each role."""

    environment: Mapping[str, str]
    commands: Mapping[str, Sequence[str]]


def baseline(redis_url: str, ports: Ports) -> Launch:
    """Return Flask under gunicorn, and a Celery worker of two processes."""
    app = "benchmarks.baseline.app"
    celery = f"celery -A {app}:celery worker -c 2 -E --without-gossip --without-mingle"
    return _by_hand(redis_url, ports, app, {"celery": celery.split()})


def _dramatiq(redis_url: str, ports: Ports) -> Launch:
    """Return the baseline with dramatiq: as many processes, and its default number of threads."""
    app = "benchmarks.baseline.dramatiq_app"
    worker = f"dramatiq {app} --processes 2 --threads 8"
    return _by_hand(redis_url, ports, app, {"dramatiq": worker.split()})


def _by_hand(redis_url: str, ports: Ports, app: str, worker: Mapping[str, Sequence[str]]) -> Launch:
    """Return a Flask app under gunicorn as one would deploy it by hand, with its worker."""
    gunicorn = f"gunicorn -k gthread -w 2 --threads 8 --keep-alive 75 --no-control-socket {app}:app"
    bind = ["--bind", f"127.0.0.1:{ports.listener}"]
    return Launch(
        {"BASELINE_BROKER_URL": redis_url}, {"gunicorn": [*gunicorn.split(), *bind], **worker}
    )


def atom(redis_url: str, ports: Ports) -> Launch:
    """Every role, with default settings."""
    return Launch(
        {
            "ATOM_SERVICES": "benchmarks.services",
            "ATOM_REDIS_URL": redis_url,
            "ATOM_BIND": f"127.0.0.1:{ports.listener}",
            "ATOM_CALLBACK_HOSTS": f"127.0.0.1:{ports.callbacks}",
        },
        {
            "listener": ["atom", "listener"],
            "processes": ["atom", "worker", "--queues", "processes", "--concurrency", "2"],
            "callbacks": ["atom", "worker", "--queues", "callbacks"],
            "recovery": ["atom", "recovery"],
        },
    )


def _alone(redis_url: str, ports: Ports) -> Launch:
    """Atom's listener, and nobody who works on what it accepts."""
    whole = atom(redis_url, ports)
    return Launch(whole.environment, {"listener": whole.commands["listener"]})


def _empty(_redis_url: str, ports: Ports) -> Launch:
    """What gunicorn and Flask take, configured as Atom's listener has them by default."""
    options = {
        "bind": f"127.0.0.1:{ports.listener}",
        "workers": Settings.listener_processes,
        "worker-class": "atom.server.worker.Worker",
        "threads": Settings.listener_threads,
        "keep-alive": 75,
    }
    command = ["gunicorn", "--preload", "--no-control-socket"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return Launch({}, {"gunicorn": [*command, "benchmarks.empty.app:app"]})


_LAUNCHES: Final[Mapping[str, Callable[[str, Ports], Launch]]] = {
    "baseline": baseline,
    "dramatiq": _dramatiq,
    "atom": atom,
    "alone": _alone,
    "empty": _empty,
}
# The stacks that do the same work by hand. Every part compares with the first one.
PEERS: Final = ("baseline", "dramatiq")
STACKS: Final = ("baseline", "atom")
REDIS: Final = "redis"


@contextlib.contextmanager
def running(
    name: str, callback_port: int, launch: Callable[[str, Ports], Launch] | None = None
) -> Iterator["Stack"]:
    """Run a stack for as long as the block; nothing of it stays behind.

    One of `PEERS`, `atom`, `alone`, `empty`, or another one, which the launch (of Redis URL and
    ports) describes.

    A BenchmarkError that leaves the block carries the last lines of the stack's logs.

    Raises:
        BenchmarkError: it does not start.
        StartupError: there is no Redis to start.
    """
    with (
        tempfile.TemporaryDirectory(prefix=f"benchmark-{name}-") as folder,
        EmbeddedRedis(Path(folder) / "redis") as redis,
    ):
        ports = Ports(free_port(), callback_port)
        stack = Stack(name, ports, Path(folder), redis)
        try:
            stack.start((launch or _LAUNCHES[name])(redis.url, ports))
            yield stack
        except BenchmarkError as error:
            raise BenchmarkError(f"{name}: {error}", stack.last_lines()) from error
        finally:
            stack.stop()


class Stack:
    """The processes of one stack, each the leader of a process group of its own."""

    def __init__(self, name: str, ports: Ports, folder: Path, redis: EmbeddedRedis) -> None:
        self.name = name
        self.ports = ports
        self._folder = folder
        self.redis_url = redis.url
        self._redis_pid = redis.process.pid
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._environment: Mapping[str, str] = {}

    def start(self, launch: Launch) -> None:
        """Start every process and wait until the listener takes connections."""
        self._environment = {**_clean_environment(), **launch.environment}
        for role, command in launch.commands.items():
            self.start_role(role, command)
        end = time.monotonic() + _START_SECONDS
        while not self._listens():
            self.check_alive()
            if time.monotonic() > end:
                raise BenchmarkError(f"No connection to the listener after {_START_SECONDS:.0f} s.")
            time.sleep(_POLL_SECONDS)

    def start_role(self, role: str, command: Sequence[str]) -> None:
        """Start one process more, with a log of its own; what it needs may take a while."""
        with self._log(role).open("wb") as log:
            self._processes[role] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=_ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # as `atom up` and a shell do
            )

    def end_role(self, role: str) -> None:
        """End one process softly, then whatever is left of its group."""
        self._end([self._processes.pop(role)])

    def check_alive(self) -> None:
        """Notice a process that ended on its own.

        Raises:
            BenchmarkError: naming it.
        """
        for role, process in self._processes.items():
            if process.poll() is not None:
                raise BenchmarkError(f"{role} ended with exit code {process.returncode}.")

    def cpu_seconds(self, *roles: str) -> float | None:
        """What these roles (all, Redis included) have used; None where the system does not tell."""
        return tree_cpu_seconds(self._pids(*roles))

    def memory_mb(self, role: str) -> float | None:
        """What the processes of a role hold now; None where the system does not tell."""
        return tree_memory_mb(self._pids(role))

    def share_of_memory_mb(self, *roles: str) -> float | None:
        """The same of several roles, with a page that processes share counted once."""
        return tree_share_of_memory_mb(self._pids(*roles))

    def process_count(self, role: str) -> int | None:
        """How many processes a role is; None where the system does not tell."""
        return tree_size(self._pids(role))

    def _pids(self, *roles: str) -> list[int]:
        pids = {REDIS: self._redis_pid}
        pids |= {role: process.pid for role, process in self._processes.items()}
        return [pids[role] for role in roles or pids]

    def last_lines(self) -> str:
        """The end of every log that has one."""
        parts = []
        for role in self._processes:
            lines = self._log(role).read_text(errors="replace").splitlines()
            parts += [f"{role:>10} | {line}" for line in lines[-_SHOWN_LINES:]]
        return "\n".join(parts)

    def stop(self) -> None:
        """End every process softly, then whatever is left of its group."""
        self._end(list(self._processes.values()))

    @staticmethod
    def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
        try:
            for process in processes:
                process.terminate()
            end = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < end and any(process.poll() is None for process in processes):
                time.sleep(_POLL_SECONDS)
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _listens(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.ports.listener), 1),
        ):
            return True
        return False

    def _log(self, role: str) -> Path:
        return self._folder / f"{role}.log"


def _clean_environment() -> dict[str, str]:
    """Ours, without what would make this run differ from the next."""
    settings = ("ATOM_", "BASELINE_", "CELERY", "GUNICORN_", "FLASK_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    # requests would send even a loopback callback through a proxy.
    return kept | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
