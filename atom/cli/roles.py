"""`atom listener`, `worker`, `console` and so on: one role each, in the foreground."""

import importlib.util
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import click

from atom.catalog import load_catalog
from atom.cli.console_role import serve as serve_console
from atom.cli.listener_role import serve as serve_listener
from atom.endpoints import is_loopback, split_bind
from atom.errors import StartupError
from atom.health import answers_at
from atom.logs import configure_logging
from atom.names import CALLBACKS, PROCESSES, SANDBOX
from atom.presence import Announcer
from atom.sandbox import serve as serve_sandbox
from atom.server import check_free
from atom.settings import Settings
from atom.store.encryption import Cipher

_DELIVERY_THREADS = 8
_log = logging.getLogger(__name__)


@click.command()
def listener() -> None:
    """Accept requests from flows (under gunicorn) until SIGTERM."""
    serve_listener(Settings.from_env())


@click.command()
@click.option(
    "--queues",
    default=f"{PROCESSES},{CALLBACKS}",
    show_default=True,
    help="The queues to serve, comma-separated.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    help="How many at once; default: the cores, or 8 where it only delivers callbacks.",
)
@click.option(
    "--pool",
    type=click.Choice(["prefork", "threads", "solo"]),
    help="Default: prefork, or threads where it only delivers callbacks.",
)
@click.option(
    "--nice",
    type=click.IntRange(0, 19),
    default=10,
    show_default=True,
    help="How far it stands back for a listener that wants the same core: what asks waits for an "
    "answer, what is accepted is safe.",
)
def worker(queues: str, concurrency: int | None, pool: str | None, nice: int) -> None:
    """Run processes and deliver callbacks until SIGTERM."""
    names = [name.strip() for name in queues.split(",") if name.strip()]
    _check_queues(names)
    only_callbacks = names == [CALLBACKS]
    pool = pool or ("threads" if only_callbacks else "prefork")
    if concurrency is None:
        concurrency = _DELIVERY_THREADS if only_callbacks else os.cpu_count() or 1
    os.nice(nice)
    _become_worker(names, [f"--concurrency={concurrency}", f"--pool={pool}"])


@click.command()
def recovery() -> None:
    """Find what nobody is doing and see to it, every second, until SIGTERM."""
    _check_settings()
    _become(["-m", "atom.recovery"])  # without what this command has imported, most of it unneeded


@click.command()
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file that keeps its flows and installed services over a restart; in memory without "
    "one. Credentials and configuration values are kept with ATOM_SECRET_KEY only.",
)
def sandbox(database: Path | None) -> None:
    """Stand in for the flow platform, to try services, until SIGTERM."""
    settings = Settings.from_env()
    configure_logging(settings.log_level, settings.log_format, "sandbox")
    if database and not settings.secret_key:
        _log.warning(
            "No ATOM_SECRET_KEY is set: %s keeps no credential and no configuration value. After a "
            "restart of the sandbox they must be set again.",
            database,
        )
    host, port = split_bind("ATOM_SANDBOX_BIND", settings.sandbox_bind)
    answers_at(SANDBOX, host, port)
    announcer = Announcer(settings, SANDBOX)
    has_store = "ATOM_REDIS_URL" in os.environ  # it works without one
    if has_store:
        announcer.start()
    serve_sandbox(host, port, database, settings)
    if has_store:
        announcer.end()


@click.command()
def console() -> None:
    """Show people how it stands with executions, queues and services, until SIGTERM."""
    serve_console(Settings.from_env())


@click.command()
def flower() -> None:
    """Show the Celery tasks as they run (needs the extra `flower`) until SIGTERM."""
    settings = Settings.from_env()
    if not has_flower():
        raise StartupError("Flower is not installed: pip install 'flow-atom[flower]'.")
    host, port = split_bind("ATOM_FLOWER_BIND", settings.flower_bind)
    if not is_loopback(host) and not settings.flower_username:
        raise StartupError(
            f"ATOM_FLOWER_BIND {settings.flower_bind} is open to others, and nobody would be asked "
            "who looks: set ATOM_FLOWER_USERNAME and ATOM_FLOWER_PASSWORD, or listen on loopback "
            "(127.0.0.1:5555)."
        )
    if not f"{settings.flower_username}{settings.flower_password}".isascii():
        raise StartupError(
            "ATOM_FLOWER_USERNAME and ATOM_FLOWER_PASSWORD must be of ASCII characters: Flower "
            "refuses whoever sends others."
        )
    check_free("ATOM_FLOWER_BIND", host, port)
    _become(["-m", "workers.flower"])


def has_flower() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("flower") is not None


def _check_queues(names: Sequence[str]) -> None:
    """A queue that nothing is published to is a mistake, and its worker would idle for ever."""
    known = {PROCESSES, CALLBACKS, *load_catalog(Settings.from_env().services).queues()}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise click.UsageError(
            f"--queues: no process uses {', '.join(unknown) or 'an empty list'}; "
            f"there are {', '.join(sorted(known))}."
        )


def _check_settings() -> None:
    """Refuse a wrong key or a taken address of the metrics before this process is replaced.

    Raises:
        SettingsError, StartupError: naming the variable.
    """
    settings = Settings.from_env()
    Cipher(settings.secret_key)
    if settings.metrics_bind:
        check_free("ATOM_METRICS_BIND", *split_bind("ATOM_METRICS_BIND", settings.metrics_bind))


def _become_worker(queues: Sequence[str], options: Sequence[str]) -> NoReturn:
    """Replace this process by Celery's worker, so that signals reach it as they are."""
    _check_settings()
    # The pool's children leave SIGTERM to the main process: whoever ends a worker may well send it
    # to the whole process group.
    os.environ["REMAP_SIGTERM"] = "SIGQUIT"
    node = f"{'-'.join(queues)}-{os.getpid()}-{uuid4().hex[:4]}@{socket.gethostname()}"
    _become(
        [
            "-m",
            "celery",
            "--app=workers",
            "--quiet",  # no banner: it is neither a line of text nor of JSON
            "worker",
            f"--queues={','.join(queues)}",
            f"--hostname={node}",
            "--without-gossip",
            "--without-mingle",
            *options,
        ]
    )


def _become(arguments: Sequence[str]) -> NoReturn:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 (no shell, our own)
