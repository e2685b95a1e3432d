"""A real RabbitMQ of our own on loopback: nothing of the system is touched or needed.

Its node, its ports, its cookie, its data and the port mapper of Erlang are its own. Debian's
package is what is looked for; its scripts run under any user.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

import amqp
import pytest

from tests.support.ports import free_port
from tests.support.waiting import until

_SCRIPTS = Path("/usr/lib/rabbitmq/bin")
_START_SECONDS = 90
# RabbitMQ 3.10 on one node may start without a leader for a quorum queue, and then never has one
# (rabbitmq-server#10070). What helps is what its users do: call for an election. Without spaces,
# since its scripts take words apart.
_ELECTIONS = (
    "spawn(fun()->F=fun(F)->timer:sleep(1000),catch[ra:trigger_election(amqqueue:get_pid(Q))"
    "||Q<-rabbit_amqqueue:list_by_type(rabbit_quorum_queue)],F(F)end,F(F)end)"
)
_STOP_SECONDS = 30


def absence() -> str:
    """Why there is none here, or nothing."""
    if not (_SCRIPTS / "rabbitmq-server").exists():
        return "there is no RabbitMQ (Debian: rabbitmq-server)"
    if shutil.which("epmd") is None:
        return "there is no epmd (Debian: erlang-base)"
    return ""


def require(test: str) -> None:
    """Leave out a test where there is none; CI has to have one."""
    why = absence()
    if why and "CI" not in os.environ:
        pytest.skip(f"{test} is left out: {why}")
    assert not why


class RabbitMQ:
    """A server with one node, whose data stay in the directory.

    As a context manager it runs for as long as the block.
    """

    def __init__(self, directory: Path, *, arguments: str = "") -> None:
        self._directory = directory.absolute()
        self._arguments = arguments  # of Erlang
        self._port, self._distribution_port, self._mapper_port = (free_port() for _ in range(3))
        self._mapper: subprocess.Popen[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    @property
    def log(self) -> str:
        path = self._directory / "rabbit.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it and wait until it answers; again with the same data after a stop."""
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "plugins").write_text("[].\n")
        (self._directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self._port}\ndisk_free_limit.absolute = 1MB\n"
        )
        if self._mapper is None:
            mapper = ["epmd", "-port", str(self._mapper_port), "-address", "127.0.0.1"]
            self._mapper = self._run(mapper, "epmd.log")
        self.process = self._run([str(_SCRIPTS / "rabbitmq-server")], "out.log")
        until(self._answers, "RabbitMQ to answer", _START_SECONDS)

    def stop(self) -> None:
        """End it; what it holds is on disk."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it without a warning."""
        if self.process is not None:
            _kill_group(self.process)
            self.process = None

    def close(self) -> None:
        """End it, and its port mapper."""
        self.stop()
        if self._mapper is not None:
            _kill_group(self._mapper)
            self._mapper = None

    def control(self, *command: str) -> str:
        """What `rabbitmqctl` says."""
        return subprocess.run(
            [str(_SCRIPTS / "rabbitmqctl"), "--quiet", *command],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout

    def messages(self) -> dict[str, int]:
        """How many are in each queue, delivered to somebody or not."""
        listed = self.control("list_queues", "name", "messages", "--no-table-headers")
        pairs = (line.split("\t") for line in listed.splitlines() if "\t" in line)
        return {name: int(count) for name, count in pairs}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"RabbitMQ ended: {(self._directory / 'out.log').read_text()}")
        try:
            with amqp.Connection(f"127.0.0.1:{self._port}", connect_timeout=5):
                return True
        except (OSError, amqp.AMQPError):
            return False

    @property
    def _environment(self) -> dict[str, str]:
        here = self._directory
        settings = {
            "NODENAME": "atom@localhost",
            "NODE_PORT": str(self._port),
            "NODE_IP_ADDRESS": "127.0.0.1",
            "DIST_PORT": str(self._distribution_port),
            "MNESIA_BASE": str(here / "data"),
            "LOG_BASE": str(here),
            "LOGS": str(here / "rabbit.log"),
            "CONFIG_FILE": str(here / "rabbitmq.conf"),
            "CONF_ENV_FILE": str(here / "no-environment"),
            "ENABLED_PLUGINS_FILE": str(here / "plugins"),
            "ALLOW_INPUT": "1",  # without a shell around it that waits
            # It does not turn round and round while it waits for work.
            "SERVER_ADDITIONAL_ERL_ARGS": (
                f"-eval {_ELECTIONS} -noinput -start_epmd false "
                "+sbwt none +sbwtdcpu none +sbwtdio none "
                f"-kernel inet_dist_use_interface {{127,0,0,1}} {self._arguments}"
            ),
        }
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(here),  # of the cookie
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            **{f"RABBITMQ_{name}": value for name, value in settings.items()},
        }

    def _run(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self._directory / log).open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
