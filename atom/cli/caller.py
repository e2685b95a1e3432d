"""The caller of a command: its credential for a service, and the operator's name."""

import getpass
from base64 import b64encode
from typing import Final

import click

credential_option: Final = click.option(
    "--credential",
    envvar="ATOM_CREDENTIAL",
    metavar="NAME:TOKEN",
    help="Where the service asks for one; better set as ATOM_CREDENTIAL.",
)


def authorization(credential: str | None) -> str | None:
    """Return the Authorization header of a credential, and None without one.

    Raises:
        BadParameter: the credential is not NAME:TOKEN.
    """
    if not credential:
        return None
    if ":" not in credential:
        raise click.BadParameter("A credential is NAME:TOKEN.", param_hint="--credential")
    return f"Basic {b64encode(credential.encode()).decode()}"


def operator_name() -> str:
    """Return the name of the user of this command, as the history shows it."""
    try:
        return f"{getpass.getuser()} (CLI)"
    except (OSError, KeyError):  # a container's user may have no name
        return "of the CLI"
