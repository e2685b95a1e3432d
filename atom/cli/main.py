"""The `atom` command: its subcommands, and how their errors are told."""

import logging
import sys

import click

from atom.cli import (
    callbacks,
    credentials,
    executions,
    invoke,
    listeners,
    profile,
    roles,
    secret_key,
    services,
    status,
    up,
)
from atom.errors import AtomError


class _Told(click.Group):
    """A mistake of the user's is one sentence and exit code 1, never a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AtomError as error:
            logging.getLogger(__name__).debug("What was behind it", exc_info=True)
            click.echo(f"atom: {error}", err=True)
            sys.exit(1)
        except BrokenPipeError:
            sys.exit(0)


@click.group(cls=_Told, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="flow-atom", prog_name="atom")
def main() -> None:
    """An open, self-hosted Atom: Flow Services in plain Python, executed durably."""


for command in (
    up.up,
    roles.listener,
    roles.worker,
    roles.recovery,
    roles.console,
    roles.flower,
    roles.sandbox,
    services.services,
    services.check,
    invoke.invoke,
    status.status,
    executions.executions,
    callbacks.callbacks,
    listeners.listeners,
    credentials.credentials,
    secret_key.secret_key,
    profile.profile,
):
    main.add_command(command)
