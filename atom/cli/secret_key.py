"""`atom secret-key`: a key to encrypt with what the store keeps."""

import click

from atom.store.encryption import new_key


@click.command(name="secret-key")
def secret_key() -> None:
    """Print a new key for ATOM_SECRET_KEY."""
    click.echo(new_key())
    click.echo(
        "Set ATOM_SECRET_KEY to it for every role and for this command, and keep it elsewhere as "
        "well: what it has encrypted nobody can read without it. To change keys, put the new one "
        "before the old one, separated by a comma.",
        err=True,
    )
