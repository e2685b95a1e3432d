"""Docker Compose as the trial uses it: a project of its own, on ports of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = "flow-atom-trial"


class Compose:
    """Runs `docker compose …` and shows what it runs."""

    def __init__(self, settings: Path) -> None:
        self._base = ["docker", "compose", "-p", PROJECT, "--env-file", str(settings)]

    def __call__(self, *words: str, shown: bool = True) -> str:
        """Run a command; what it printed on standard output.

        Raises:
            SystemExit: it failed; it says how.
        """
        if shown:
            tell("$ docker compose", *words)
        done = subprocess.run(
            [*self._base, *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"docker compose {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def address(self, service: str, port: int) -> str:
        """Where a port of a service is reached from outside."""
        return f"http://{self('port', service, str(port), shown=False).strip()}"

    def atom(self, *words: str) -> Any:
        """An `atom … --json` command inside; its document."""
        return json.loads(self("exec", "-T", "recovery", "atom", *words, "--json", shown=False))

    def containers(self) -> list[dict[str, Any]]:
        """Every container of the project."""
        lines = self("ps", "--all", "--format", "json", shown=False).splitlines()
        return [json.loads(line) for line in lines]


def docker(*words: str) -> bytes:
    """Run a docker command; what it printed."""
    return subprocess.run(["docker", *words], capture_output=True, check=True).stdout


def until(is_so: Callable[[], Any], what: str, seconds: float = 180) -> Any:
    """Wait for something; what it came to.

    Raises:
        SystemExit: it did not come.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = is_so()
        if found:
            return found
        time.sleep(0.5)
    sys.exit(f"{what} did not come within {seconds:.0f} s")


def check(holds: bool, what: str) -> None:
    """Say that something holds.

    Raises:
        SystemExit: it does not.
    """
    if not holds:
        sys.exit(f"NOT SO: {what}")
    tell("  ok:", what)


def tell(*words: Any) -> None:
    """A line of the transcript."""
    print(time.strftime("%H:%M:%S"), *words, flush=True)  # noqa: T201
