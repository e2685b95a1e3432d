"""`atom secret-key`: a key that encrypts what the store keeps."""

from pathlib import Path

import click

from atom.secret_key_file import create_key_file
from atom.store.encryption import new_key


@click.command(name="secret-key")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the key to this file instead (mode 0600); a file that exists is left as it is.",
)
def secret_key(path: Path | None) -> None:
    """Print a new key for ATOM_SECRET_KEY, or create the file of ATOM_SECRET_KEY_FILE."""
    if path:
        is_new = create_key_file(path, new_key)
        click.echo(f"{path} {'was created' if is_new else 'exists and was left as it is'}.")
        return
    click.echo(new_key())
    click.echo(
        "Set ATOM_SECRET_KEY to it for every role and for this command, and keep it elsewhere as "
        "well: what it has encrypted nobody can read without it. To change keys, put the new one "
        "before the old one, separated by a comma.",
        err=True,
    )
