"""`atom check`: the settings, the declared services, and what a deploy of them would change."""

from typing import Final

import click

from atom.catalog import load_catalog
from atom.cli import against as earlier
from atom.cli import in_flight as unfinished
from atom.cli.caller import authorization, credential_option
from atom.cli.listener_role import check_certificates
from atom.cli.running import settings_of_running
from atom.settings import Settings
from atom.store.encryption import Cipher
from atom.store.lazily import import_fsspec, import_sql_history

_MOST_REPLAYED: Final = 1000


@click.command()
@click.option(
    "--against",
    metavar="URL|FILE",
    help="Compare with the services that flows use now: the URL of an Atom or of one of its "
    "services, or a file saved by `atom services --json`.",
)
@click.option(
    "--in-flight",
    is_flag=True,
    help="Replay the journals of unfinished executions against the code on disk.",
)
@click.option(
    "--service", metavar="NAME", help="With --against or --in-flight: check this service only."
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=1),
    help=f"With --in-flight: the number of executions, newest first (default: {_MOST_REPLAYED}).",
)
@credential_option
@click.option(
    "--json", "as_json", is_flag=True, help="With --against or --in-flight: one JSON document."
)
def check(
    against: str | None,
    in_flight: bool,
    service: str | None,
    limit: int | None,
    credential: str | None,
    as_json: bool,
) -> None:
    """Check the settings and import every declared service.

    With --against it also lists what flows that installed a service earlier would lose or have to
    change, and what is compatible. The exit code is 1 if anything breaks a flow.

    With --in-flight it also predicts, for each unfinished execution in Redis, whether the code on
    disk can continue it. No step runs, and nothing in Redis is changed. Code of a process outside
    of its steps does run. The exit code is 1 if an execution would be held or fail, or cannot be
    read.
    """
    _check_options(against, service, limit, in_flight=in_flight, as_json=as_json)
    settings = settings_of_running() if in_flight else Settings.from_env()
    _check_environment(settings)
    catalog = load_catalog(settings.services)
    if not as_json:
        actions = sum(1 for _ in catalog.processes())
        names = ", ".join(catalog.services)
        click.echo(
            f"Settings and {len(catalog.services)} service(s) are right: {names}; "
            f"{actions} action(s)."
        )
    if against is not None:
        earlier.check(catalog, against, service, authorization(credential), as_json=as_json)
    if in_flight:
        unfinished.check(catalog, settings, service, limit or _MOST_REPLAYED, as_json=as_json)


def _check_options(
    against: str | None,
    service: str | None,
    limit: int | None,
    *,
    in_flight: bool,
    as_json: bool,
) -> None:
    """Refuse options that do not belong together.

    Raises:
        UsageError: naming them.
    """
    if against is not None and in_flight:
        raise click.UsageError("--against and --in-flight exclude each other.")
    if against is None and not in_flight and (service is not None or as_json):
        raise click.UsageError("--service and --json need --against or --in-flight.")
    if limit is not None and not in_flight:
        raise click.UsageError("--limit needs --in-flight.")


def _check_environment(settings: Settings) -> None:
    """Refuse settings that a role would refuse when it starts: keys, files and missing extras.

    Raises:
        AtomError: naming the setting.
    """
    Cipher(settings.secret_key)
    check_certificates(settings)
    if settings.file_store:
        import_fsspec()
    if settings.history_url:
        import_sql_history()
