"""The `atom` command: its subcommands, and how their errors are told."""

import logging
import os
import sys

import click

from atom.cli import (
    callbacks,
    check,
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
from atom.logs import configure_logging
from atom.settings import Settings
from atom.unknown_variables import unknown_variables

_ROLES = (roles.listener, roles.worker, roles.recovery, roles.console, roles.flower, roles.sandbox)


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
@click.pass_context
def main(context: click.Context) -> None:
    """An open, self-hosted Atom: Flow Services in plain Python, executed durably."""
    warnings = list(unknown_variables(os.environ))
    if warnings:
        _warn(warnings, context.invoked_subcommand or "atom")


def _warn(warnings: list[str], subcommand: str) -> None:
    """Print warnings as a command does, or log them as a role does."""
    if subcommand in [role.name for role in _ROLES]:
        settings = Settings.from_env()
        configure_logging(settings.log_level, settings.log_format, subcommand)
        for warning in warnings:
            logging.getLogger(__name__).warning("%s", warning)
    else:
        for warning in warnings:
            click.echo(f"atom: warning: {warning}", err=True)


for command in (
    up.up,
    *_ROLES,
    services.services,
    check.check,
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
