"""`atom credentials`: who may call the services, and who may open the console."""

from collections.abc import Iterable
from typing import Any

import click
import orjson
from rich import box
from rich.table import Table

from atom.catalog import Catalog, load_what_loads
from atom.cli.output import wide_console
from atom.cli.running import settings_of_running
from atom.credentials import Credential, Role, create
from atom.store.credential_store import CredentialStore


@click.group()
def credentials() -> None:
    """Say who may call the services, and who may open the console."""


@credentials.command(name="create")
@click.argument("name")
@click.option(
    "--service",
    "services",
    multiple=True,
    help="A service it may call; all, where none is named. May be repeated.",
)
@click.option(
    "--role",
    type=click.Choice([each.value for each in Role]),
    help="For the console and the API beside it: what its owner may do there. Such "
    "a credential calls no service.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def create_(name: str, services: tuple[str, ...], role: str | None, as_json: bool) -> None:
    """Create a credential and print its token, once.

    On the connector, or at the console's login, NAME is the user name and the token the password.
    """
    settings = settings_of_running()
    credential, token = create(name, services, Role(role) if role else None)
    CredentialStore(settings).add(credential)
    _warn_of_undeclared(services, load_what_loads(settings.services))
    if as_json:
        click.echo(orjson.dumps({**_document(credential), "token": token}).decode())
        return
    click.echo(token)
    click.echo(
        f"User name {name}, password the token above. It is shown this once: only its hash is "
        f"kept. {'The console knows' if role else 'Listeners ask for'} it within 2 s.",
        err=True,
    )


@credentials.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def list_(as_json: bool) -> None:
    """List the credentials, without their tokens."""
    found = CredentialStore(settings_of_running()).all()
    if as_json:
        documents = [_document(each) for each in found]
        click.echo(orjson.dumps(documents, option=orjson.OPT_UTC_Z).decode())
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("Name", "Services", "Console", "Created (UTC)", "Revoked (UTC)"):
        table.add_column(heading, no_wrap=True)
    for each in found:
        revoked = f"{each.revoked_at:%Y-%m-%d %H:%M:%S}" if each.revoked_at else ""
        services = "" if each.role else ", ".join(each.services) or "all"
        created = f"{each.created_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(each.name, services, each.role or "", created, revoked)
    wide_console().print(table if found else "No credentials: callers are not asked for any.")


@credentials.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Refuse a credential from now on.

    With the last one revoked nobody may call; the services do not become open again.
    """
    CredentialStore(settings_of_running()).revoke(name)
    click.echo(f"Revoked {name}; it is refused within 2 s.", err=True)


def _warn_of_undeclared(services: Iterable[str], catalog: Catalog) -> None:
    """Warn of services that this Atom does not declare: they may be misspelt, or not yet there."""
    declared = ", ".join(catalog.services) or "no service"
    if catalog.failures:
        declared += f" (and {', '.join(catalog.failures)} could not be imported)"
    for service in services:
        if service not in catalog.services:
            click.echo(
                f"atom: warning: service “{service}” is not declared; this Atom declares "
                f"{declared}. If the name is wrong, revoke the credential and create another.",
                err=True,
            )


def _document(credential: Credential) -> dict[str, Any]:
    return {
        "name": credential.name,
        "services": list(credential.services),
        "role": credential.role,
        "created_at": credential.created_at,
        "revoked_at": credential.revoked_at,
    }
