"""`atom check`: the settings, the declared services, and what a deploy of them would change."""

import click

from atom.catalog import load_catalog
from atom.cli import against as earlier
from atom.cli.caller import authorization, credential_option
from atom.cli.listener_role import check_certificates
from atom.settings import Settings
from atom.store.encryption import Cipher
from atom.store.lazily import import_fsspec, import_sql_history


@click.command()
@click.option(
    "--against",
    metavar="URL|FILE",
    help="Compare with the services that flows use now: the URL of an Atom or of one of its "
    "services, or a file saved by `atom services --json`.",
)
@click.option("--service", metavar="NAME", help="With --against: compare this service only.")
@credential_option
@click.option("--json", "as_json", is_flag=True, help="With --against: one JSON document.")
def check(against: str | None, service: str | None, credential: str | None, as_json: bool) -> None:
    """Check the settings and import every declared service.

    With --against it also lists what flows that installed a service earlier would lose or have to
    change, and what is compatible. The exit code is 1 if anything breaks a flow.
    """
    if against is None and (service is not None or as_json):
        raise click.UsageError("--service and --json need --against.")
    settings = Settings.from_env()
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
