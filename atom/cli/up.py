"""`atom up`: a whole Atom in one process tree, without Docker."""

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import click

from atom.catalog import Catalog, load_catalog
from atom.cli import running
from atom.cli.embedded_redis import EmbeddedRedis, free_port
from atom.cli.roles import has_flower
from atom.cli.supervisor import Supervisor
from atom.durations import duration
from atom.endpoints import split_bind
from atom.errors import StartupError, StoreUnavailable
from atom.flow.transport import Transport, TransportError
from atom.names import CALLBACKS, PROCESSES, RECOVERY
from atom.redaction import masked_url
from atom.server import check_free
from atom.settings import Settings
from atom.store import RedisStore

_REPORT_SECONDS: Final = 30.0


@click.command()
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), help="Processes at once; default: the cores."
)
def up(concurrency: int | None) -> None:
    """Run a whole Atom here: Redis, listener, workers, recovery, sandbox, console and Flower.

    Without ATOM_REDIS_URL it starts a Redis of its own, with its data under .atom/. Without
    ATOM_SECRET_KEY it creates a key there. Ctrl-C ends everything.
    """
    settings = _with_ports(Settings.from_env())
    if settings.tls_cert:
        raise StartupError(
            "ATOM_TLS_CERT is for `atom listener`: `atom up` speaks plain http on this machine. "
            "Leave the ATOM_TLS_ variables out here."
        )
    if settings.metrics_bind:
        click.echo(
            "ATOM_METRICS_BIND is ignored by `atom up`: its roles cannot share one address. The "
            f"listener answers http://{settings.bind}/metrics."
        )
    catalog = load_catalog(settings.services)
    running.refuse_second()
    settings = running.with_key(settings, create=True)
    check_free("ATOM_BIND", *split_bind("ATOM_BIND", settings.bind))
    check_free("ATOM_SANDBOX_BIND", *split_bind("ATOM_SANDBOX_BIND", settings.sandbox_bind))
    extras = list(_extras(settings))
    settings = _with_link(settings, extras)
    with _redis(settings) as settings:
        store = RedisStore(settings)
        _check_redis(store)
        _run(settings, catalog, store, extras, concurrency)
        store.close()


def _with_ports(settings: Settings) -> Settings:
    """Port 0 is any free one; callbacks may go to our own sandbox."""
    bind = _with_port("ATOM_BIND", settings.bind)
    sandbox_bind = _with_port("ATOM_SANDBOX_BIND", settings.sandbox_bind)
    return replace(
        settings,
        bind=bind,
        sandbox_bind=sandbox_bind,
        console_bind=_with_port("ATOM_CONSOLE_BIND", settings.console_bind),
        flower_bind=_with_port("ATOM_FLOWER_BIND", settings.flower_bind),
        callback_hosts=(*settings.callback_hosts, sandbox_bind),
    )


def _with_port(variable: str, bind: str) -> str:
    host, port = split_bind(variable, bind)
    return bind if port else f"{host}:{free_port()}"


def _extras(settings: Settings) -> Iterator[str]:
    """The roles that an Atom can do without, as far as they can run here."""
    roles = {"console": ("ATOM_CONSOLE_BIND", settings.console_bind)}
    if has_flower():
        roles["flower"] = ("ATOM_FLOWER_BIND", settings.flower_bind)
    for role, (variable, bind) in roles.items():
        try:
            check_free(variable, *split_bind(variable, bind))
        except StartupError as error:
            click.echo(f"Without the {role}. {error}")
        else:
            yield role


def _with_link(settings: Settings, extras: Sequence[str]) -> Settings:
    """Links lead to our own Flower, unless they are to lead elsewhere; it keeps what it saw."""
    if "flower" not in extras:
        return settings
    prefix = settings.flower_prefix.strip("/")
    return replace(
        settings,
        flower_link=settings.flower_link or f"http://{settings.flower_bind}/{prefix}".rstrip("/"),
        flower_database=settings.flower_database or str(running.DIRECTORY / "flower"),
    )


@contextlib.contextmanager
def _redis(settings: Settings) -> Iterator[Settings]:
    if "ATOM_REDIS_URL" in os.environ:
        yield settings
        return
    with EmbeddedRedis(running.DIRECTORY / "redis") as redis:
        yield replace(settings, redis_url=redis.url)


def _check_redis(store: RedisStore) -> None:
    try:
        store.ping()
    except StoreUnavailable as error:
        raise StartupError(f"{error}. Start it, or correct ATOM_REDIS_URL.") from None


def _run(
    settings: Settings,
    catalog: Catalog,
    store: RedisStore,
    extras: Sequence[str],
    concurrency: int | None,
) -> None:
    supervisor = Supervisor(_environment(settings), settings.shutdown_seconds)
    supervisor.stop_on_signals()
    queues = sorted({PROCESSES, *catalog.queues()})
    size = [f"--concurrency={concurrency}"] if concurrency else []
    atom = [sys.executable, "-m", "atom"]
    try:
        supervisor.start("listener", [*atom, "listener"])
        supervisor.start("worker", [*atom, "worker", f"--queues={','.join(queues)}", *size])
        supervisor.start("callbacks", [*atom, "worker", f"--queues={CALLBACKS}"])
        supervisor.start("recovery", [*atom, "recovery"])
        flows = running.DIRECTORY / "sandbox" / "flows.sqlite3"
        supervisor.start("sandbox", [*atom, "sandbox", f"--database={flows}"])
        if _wait_until_ready(settings, store, supervisor, {*queues, CALLBACKS, RECOVERY}):
            # Only now: nobody waits for them, and their start would slow the others' down.
            for role in extras:
                supervisor.start(role, [*atom, role], is_extra=True)
            here = _note(settings, extras)
            running.write(here)
            _greet(here, catalog)
            supervisor.watch()
        click.echo("Ending …")
    finally:
        supervisor.stop()
        running.forget()


def _environment(settings: Settings) -> dict[str, str]:
    """What the roles are told beside what we were told ourselves."""
    return {
        **os.environ,
        "ATOM_REDIS_URL": settings.redis_url,
        "ATOM_SECRET_KEY": ",".join(settings.secret_key),
        "ATOM_SECRET_KEY_FILE": "",  # its keys are among those
        "ATOM_BIND": settings.bind,
        "ATOM_SANDBOX_BIND": settings.sandbox_bind,
        "ATOM_CONSOLE_BIND": settings.console_bind,
        "ATOM_FLOWER_BIND": settings.flower_bind,
        "ATOM_FLOWER_LINK": settings.flower_link,
        "ATOM_FLOWER_DATABASE": settings.flower_database,
        "ATOM_CALLBACK_HOSTS": ",".join(settings.callback_hosts),
        # One address cannot be that of three roles; the listener's port has metrics too.
        "ATOM_METRICS_BIND": "",
        # Roles write into a pipe here, but people read it.
        "ATOM_LOG_FORMAT": "json" if settings.log_format == "json" else "text",
        "PYTHONUNBUFFERED": "1",
    }


def _note(settings: Settings, extras: Sequence[str]) -> running.Running:
    return running.Running(
        os.getpid(),
        settings.redis_url,
        f"http://{settings.bind}",
        f"http://{settings.sandbox_bind}",
        list(settings.services),
        console_url=f"http://{settings.console_bind}" if "console" in extras else "",
        flower_url=settings.flower_link,
    )


def _wait_until_ready(
    settings: Settings, store: RedisStore, supervisor: Supervisor, queues: set[str]
) -> bool:
    """Wait for every role, however slow the machine is. Returns False if a signal came first.

    Raises:
        StartupError: a role ended instead of starting.
    """
    transport = Transport(connect_timeout=1, read_timeout=5)
    missing: dict[str, str] = {
        "listener": f"http://{settings.bind}/health",
        "sandbox": f"http://{settings.sandbox_bind}/health",
    }
    begin = reported_at = time.monotonic()
    here = socket.gethostname()
    try:
        while not supervisor.stopping:
            supervisor.check_alive()
            missing = {role: url for role, url in missing.items() if not _answers(transport, url)}
            unserved = {
                queue
                for queue in queues
                if not any(each.endswith(f"@{here}") for each in store.present(queue))
            }
            if not missing and not unserved:
                return True
            if time.monotonic() - reported_at >= _REPORT_SECONDS:
                reported_at = time.monotonic()
                waited = duration(round(reported_at - begin))
                roles = ", ".join([*missing, *map(_role, sorted(unserved))])
                click.echo(f"Not ready after {waited}, still waiting for: {roles}", err=True)
            time.sleep(0.1)
        return False
    finally:
        transport.close()


def _role(queue: str) -> str:
    return queue if queue == RECOVERY else f"worker for {queue}"


def _answers(transport: Transport, url: str) -> bool:
    try:
        return transport.get(url, {}).status == 200
    except TransportError:
        return False


def _greet(here: running.Running, catalog: Catalog) -> None:
    lines = ["", "The Atom is up."]
    lines += [f"  {name:<10} {here.listener_url}{s.path}" for name, s in catalog.services.items()]
    where = {
        "sandbox": here.sandbox_url,
        "console": here.console_url,
        "flower": here.flower_url,
        "redis": masked_url(here.redis_url),
    }
    lines += [f"  {role:<10} {url}" for role, url in where.items() if url]
    lines += [
        "Try an action in another terminal: atom services, then atom invoke SERVICE ACTION.",
        "Ctrl-C ends it.",
        "",
    ]
    click.echo("\n".join(lines))
