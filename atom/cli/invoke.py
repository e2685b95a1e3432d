"""`atom invoke`: call a message action as a flow would."""

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import orjson
from rich.console import Console

from atom.cli import running
from atom.cli.caller import authorization, credential_option
from atom.cli.flow_view import run_flow, show_flow
from atom.redaction import masked_url
from atom.sandbox import SandboxClient
from atom.settings import Settings


@click.command()
@click.argument("service")
@click.argument("action")
@click.option(
    "-i",
    "--input",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An input; an object or a list is given as JSON. May be repeated.",
)
@click.option(
    "--inputs",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON file with an object of inputs.",
)
@click.option(
    "-c",
    "configuration_pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="A configuration value of the service; a secret is better given by --config. "
    "May be repeated.",
)
@click.option(
    "--config",
    "configuration_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON file with an object of configuration values.",
)
@click.option(
    "--listener",
    envvar="ATOM_LISTENER_URL",
    metavar="URL",
    help="Default: ATOM_LISTENER_URL, else of `atom up` here, else ATOM_BIND.",
)
@click.option(
    "--sandbox",
    envvar="ATOM_SANDBOX_URL",
    metavar="URL",
    help="Default: ATOM_SANDBOX_URL, else of `atom up` here, else ATOM_SANDBOX_BIND.",
)
@credential_option
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to watch the flow.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document at the end.")
def invoke(  # noqa: PLR0913 (one for each argument and option)
    service: str,
    action: str,
    pairs: tuple[str, ...],
    file: Path | None,
    configuration_pairs: tuple[str, ...],
    configuration_file: Path | None,
    listener: str | None,
    sandbox: str | None,
    credential: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Call ACTION of SERVICE as a flow would: the WAIT, the progress, the outputs.

    The exit code is 0 if the flow resumed without a fault. If the execution failed, its error and
    traceback follow, provided that its Redis is known here: an Atom runs in this folder, or
    ATOM_REDIS_URL is set.
    """
    inputs = _values("-i", pairs, "--inputs", file)
    configuration = _values("-c", configuration_pairs, "--config", configuration_file)
    listener, sandbox = _addresses(listener, sandbox)
    service_url = f"{listener.rstrip('/')}/fs/{quote(service, safe='')}"
    client = SandboxClient(sandbox, authorization=authorization(credential))
    try:
        what = client, service_url, action, inputs
        if as_json:
            document = run_flow(*what, configuration=configuration, timeout_seconds=timeout)
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
            well = document["status"] == "done"
        else:
            well = show_flow(Console(), *what, configuration=configuration, timeout_seconds=timeout)
    finally:
        client.close()
    sys.exit(0 if well else 1)


def _addresses(listener: str | None, sandbox: str | None) -> tuple[str, str]:
    """Return the URLs of listener and sandbox: given ones, else of the Atom here, else settings."""
    if listener and sandbox:
        return listener, sandbox
    settings, here = Settings.from_env(), running.find()
    if here is not None:
        return listener or here.listener_url, sandbox or here.sandbox_url
    listener, sandbox = listener or settings.listener, sandbox or settings.sandbox
    default = f"the listener at {masked_url(listener)} and the sandbox at {masked_url(sandbox)}"
    variables = "ATOM_LISTENER_URL and ATOM_SANDBOX_URL"
    click.echo(f"atom: {running.not_here(default, variables)}", err=True)
    return listener, sandbox


def _values(
    option: str, pairs: tuple[str, ...], file_option: str, file: Path | None
) -> dict[str, Any]:
    """Return the values of a file, and over them those of the command line."""
    return {**_from_file(file_option, file), **dict(_pair(option, pair) for pair in pairs)}


def _from_file(option: str, file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        document = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise click.BadParameter(f"{file} is not valid JSON: {error}", param_hint=option) from None
    if not isinstance(document, dict):
        raise click.BadParameter(f"{file} must hold a JSON object.", param_hint=option)
    return document


def _pair(option: str, pair: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not name or not equals:
        raise click.BadParameter("a value is given as NAME=VALUE.", param_hint=option)
    if not value.startswith(("{", "[")):
        return name, value
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise click.BadParameter(f"{name} is not valid JSON: {error}", param_hint=option) from None
