"""The Atom that `atom up` runs in this directory, for the commands that want to talk to it."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from atom.errors import StartupError
from atom.settings import Settings

DIRECTORY: Final = Path(".atom")
_FILE: Final = "running.json"


@dataclass(frozen=True, slots=True)
class Running:
    """Where a running Atom is."""

    pid: int
    redis_url: str
    listener_url: str
    sandbox_url: str
    services: list[str]
    console_url: str = ""  # empty where it does not run
    flower_url: str = ""


def write(running: Running, directory: Path = DIRECTORY) -> None:
    """Leave a note of it; for this user alone, since the URL may hold a password."""
    path = directory / _FILE
    directory.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(running)))


def forget(directory: Path = DIRECTORY) -> None:
    """Take the note back."""
    (directory / _FILE).unlink(missing_ok=True)


def find(directory: Path = DIRECTORY) -> Running | None:
    """The Atom that runs here, if one does."""
    try:
        running = Running(**json.loads((directory / _FILE).read_text()))
        os.kill(running.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return running


def refuse_second(directory: Path = DIRECTORY) -> None:
    """Keep two Atoms from sharing one directory.

    Raises:
        StartupError: one runs here already.
    """
    running = find(directory)
    if running is not None:
        raise StartupError(
            f"An Atom runs in this directory already (process {running.pid}, listener "
            f"{running.listener_url}); stop it first."
        )


def settings_of_running() -> Settings:
    """The settings; Redis, services and Flower are those of the Atom here where none are set."""
    settings = Settings.from_env()
    running = find()
    if running is None or "ATOM_REDIS_URL" in os.environ:
        return settings
    services = settings.services or tuple(running.services)
    link = settings.flower_link or running.flower_url
    return replace(settings, redis_url=running.redis_url, services=services, flower_link=link)
