"""The Atom that `atom up` runs in this directory, for the commands that want to talk to it."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import click

from atom.errors import StartupError
from atom.redaction import masked_url
from atom.secret_key_file import create_key_file, read_keys
from atom.settings import Settings
from atom.store.encryption import new_key

DIRECTORY: Final = Path(".atom")
# Under it, the key of an Atom without one in its settings.
_KEY_FILE: Final = "secret-key"
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


def with_key(settings: Settings, directory: Path = DIRECTORY, *, create: bool = False) -> Settings:
    """Return the settings with the key of the directory behind their own keys.

    Args:
        settings: with or without keys.
        directory: of the Atom.
        create: whether a key is created if there is none at all.

    Raises:
        SettingsError: the file of the key cannot be created or read.
    """
    path = directory / _KEY_FILE
    if create and not settings.secret_key:
        create_key_file(path, new_key)
    if not path.exists():
        return settings
    keys = dict.fromkeys((*settings.secret_key, *read_keys(path, "ATOM_SECRET_KEY")))
    return replace(settings, secret_key=tuple(keys))


def settings_of_running() -> Settings:
    """Return the settings, completed by those of the Atom that runs here.

    Redis, services and Flower are its own if none are set; its key is added. Without such an Atom
    the command prints to standard error which one it asks instead.
    """
    settings, running = Settings.from_env(), find()
    if "ATOM_REDIS_URL" in os.environ:
        is_here = running is not None and running.redis_url == settings.redis_url
        return with_key(settings) if is_here else settings
    if running is None:
        default = f"the Redis at {masked_url(settings.redis_url)}, the default of ATOM_REDIS_URL"
        click.echo(f"atom: {not_here(default, 'ATOM_REDIS_URL')}", err=True)
        return settings
    services = settings.services or tuple(running.services)
    link = settings.flower_link or running.flower_url
    here = replace(settings, redis_url=running.redis_url, services=services, flower_link=link)
    return with_key(here)


def not_here(default: str, variables: str) -> str:
    """Return the sentences for a command that found no running Atom in its folder.

    Args:
        default: what the command uses instead.
        variables: the settings that name another Atom.
    """
    folder = Path.cwd()
    file = folder / DIRECTORY / _FILE
    found = f"the Atom of {folder} does not run" if file.exists() else f"no Atom runs in {folder}"
    return (
        f"{found[0].upper()}{found[1:]}; this command uses {default}. For another Atom, run the "
        f"command in the folder of its `atom up`, or set {variables}."
    )
