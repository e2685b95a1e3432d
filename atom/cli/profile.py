"""`atom profile`: the Python of a profile, from what describes its document."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from atom.errors import DeclarationError
from atom.profile_source import read_sample, read_schema, write_profiles
from atom.profile_source.structure import Described

_FILE = click.argument("file", type=click.File(encoding="utf-8"))
_NAME = click.option("--name", help="The name of the class; made from the file's by default.")


@click.group()
def profile() -> None:
    """Print a profile's Python, made from an example or a schema of its document."""


@profile.command(name="from-json")
@_FILE
@_NAME
def from_json(file: TextIO, name: str | None) -> None:
    """Make profiles from an example JSON document; FILE may be - for standard input.

    An example shows neither what is required nor what null stands for: look the result over.
    What no flow can hold is left out; a comment in the source and a note on standard error say so.
    """
    _print(read_sample, file, name)


@profile.command(name="from-schema")
@_FILE
@_NAME
def from_schema(file: TextIO, name: str | None) -> None:
    """Make profiles from a JSON Schema; FILE may be - for standard input.

    Types, formats and what is required are taken over; other constraints are not. What no flow can
    hold is left out; a comment in the source and a note on standard error say so.
    """
    _print(read_schema, file, name)


def _print(
    read: Callable[[str, str], tuple[Described, ...]], file: TextIO, name: str | None
) -> None:
    name = name or _class_name(file.name)
    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{file.name} is not UTF-8: {error.reason}.") from None
    source = write_profiles(read(text, name), name)
    click.echo(source.text, nl=False)
    for remark in source.remarks:
        click.echo(f"atom: {remark}", err=True)


def _class_name(file_name: str) -> str:
    words = re.findall(r"[a-zA-Z0-9]+", Path(file_name).stem) if file_name != "<stdin>" else []
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if name.isidentifier() else "Document"
