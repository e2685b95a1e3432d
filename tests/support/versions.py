"""Versions of one service on disk, and an Atom whose worker changes from one to the next."""

import json
from pathlib import Path
from typing import Any

from atom.names import PROCESSES
from tests.support.operating import run_atom
from tests.support.roles import TestAtom
from tests.support.waiting import until

MODULE = "versioned"


class Deploys:
    """The versions of a service, each a directory with one module of the same name."""

    def __init__(self, directory: Path, **env: str) -> None:
        self._directory = directory
        self._count = 0
        self.atom = TestAtom(directory / "atom", MODULE, **env)

    def write(self, text: str) -> str:
        """Write a version; return the directory that belongs on the Python path."""
        self._count += 1
        directory = self._directory / f"version{self._count}"
        directory.mkdir()
        (directory / f"{MODULE}.py").write_text(text)
        return str(directory)

    def start(self, text: str, *worker: str) -> None:
        """Start every role with the first version."""
        self.atom.environment["PYTHONPATH"] = self.write(text)
        self.atom.start_all(worker or ("--concurrency=2",))

    def check(self, text: str, *options: str) -> tuple[int, str]:
        """Return the exit code and the output of `atom check --in-flight` with a version."""
        environment = {**self.atom.environment, "PYTHONPATH": self.write(text)}
        result = run_atom(environment, "check", "--in-flight", *options)
        assert "Traceback" not in result.stderr, result.stderr
        return result.returncode, result.stdout or result.stderr

    def forecasts(self, text: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Return the exit code and the forecasts for a version, by execution id."""
        code, output = self.check(text, "--json")
        return code, {each["id"]: each for each in json.loads(output)["executions"]}

    def deploy(self, text: str, *worker: str, roles: tuple[str, ...] = ("listener",)) -> None:
        """End the worker and these roles as a container runtime does, and start a new version."""
        self.atom.environment["PYTHONPATH"] = self.write(text)
        for role in roles:
            assert self.atom.end(role) == 0, self.atom.log(role).decode()
            self.atom.start(role, role)
        assert self.atom.end("worker") == 0, self.atom.log("worker").decode()
        self.atom.start(
            "worker", "worker", f"--queues={PROCESSES}", *(worker or ("--concurrency=2",))
        )
        until(lambda: self.atom.store.present(PROCESSES), "the new worker", 60)
        if "listener" in roles:
            self.atom.wait_for_listener(self.atom.url)
