"""Several roles as child processes of one: started, watched, started again, ended together."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from atom.errors import StartupError

# For a role to hand back and close what did not end in its time.
_CLOSING_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.1
_RESTART_SECONDS: Final = 1.0
# A role that ends this often within a minute will not get better by being started again.
_RESTARTS_PER_MINUTE: Final = 5


@dataclass
class _Child:
    role: str
    command: Sequence[str]
    is_extra: bool = False
    process: subprocess.Popen[str] | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=5))
    restarts: deque[float] = field(default_factory=lambda: deque(maxlen=_RESTARTS_PER_MINUTE))
    start_again_at: float = 0.0


class Supervisor:
    """Child processes, each in a process group of its own, their output marked by role."""

    def __init__(self, environment: Mapping[str, str], shutdown_seconds: float) -> None:
        self._environment = dict(environment)
        self._stop_seconds = shutdown_seconds + _CLOSING_SECONDS
        self._children: list[_Child] = []
        self._stop = threading.Event()
        self._impatient = False

    def start(self, role: str, command: Sequence[str], *, is_extra: bool = False) -> None:
        """Start a child; an extra one that ends again and again is left alone."""
        child = _Child(role, command, is_extra)
        self._children.append(child)
        self._launch(child)

    def stop_on_signals(self) -> None:
        """Let SIGINT and SIGTERM end `watch`; a second one does not wait for running work."""

        def handle(_signal: int, _frame: object) -> None:
            self._impatient = self._stop.is_set()
            self._stop.set()

        signal.signal(signal.SIGINT, handle)
        signal.signal(signal.SIGTERM, handle)

    @property
    def stopping(self) -> bool:
        """Whether a signal asked for the end."""
        return self._stop.is_set()

    def check_alive(self) -> None:
        """Notice a child that did not survive its start.

        Raises:
            StartupError: with its last words.
        """
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                time.sleep(_POLL_SECONDS)  # for the rest of its output to be read
                last = child.last_lines[-1] if child.last_lines else "it said nothing"
                last = last.removeprefix("atom: ")
                raise StartupError(f"The {child.role} did not start: {last}")

    def watch(self) -> None:
        """Keep every child running until a signal comes.

        Raises:
            StartupError: a child ends again and again.
        """
        while not self._stop.wait(_POLL_SECONDS):
            for child in self._children:
                if child.process is not None:
                    if child.process.poll() is not None:
                        self._plan_restart(child)
                elif time.monotonic() >= child.start_again_at:
                    self._launch(child)

    def stop(self) -> None:
        """End every child, softly at first, and whatever it left in its process group."""
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        end = time.monotonic() + self._stop_seconds
        while time.monotonic() < end and not self._impatient:
            if all(process.poll() is not None for process in running):
                break
            time.sleep(_POLL_SECONDS)
        for process in running:
            _kill_group(process)
            process.wait()

    def _launch(self, child: _Child) -> None:
        try:
            child.process = subprocess.Popen(
                child.command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                process_group=0,
            )
        except OSError as error:
            raise StartupError(f"The {child.role} did not start: {error}.") from error
        threading.Thread(
            target=self._forward, args=(child, child.process), name=child.role, daemon=True
        ).start()

    @staticmethod
    def _forward(child: _Child, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                text = line.rstrip()
                if text:
                    child.last_lines.append(text)
                    _say(child, text)

    def _plan_restart(self, child: _Child) -> None:
        if child.process is None:
            return
        status = child.process.returncode
        _kill_group(child.process)
        now = time.monotonic()
        if len(child.restarts) == child.restarts.maxlen and now - child.restarts[0] < 60:
            often = f"The {child.role} ended {len(child.restarts)} times in a minute."
            if not child.is_extra:
                raise StartupError(often)
            child.process, child.start_again_at = None, math.inf
            _say(child, f"{often} The rest goes on without it.")
            return
        child.restarts.append(now)
        child.process, child.start_again_at = None, now + _RESTART_SECONDS
        why = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
        _say(child, f"ended ({why}); it is started again")


def _say(child: _Child, text: str) -> None:
    sys.stdout.write(f"{child.role:<9} | {text}\n")
    sys.stdout.flush()


def _kill_group(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
