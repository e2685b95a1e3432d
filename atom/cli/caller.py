"""The credential with which commands call a service, as a connector does."""

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
