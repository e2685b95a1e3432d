"""A moment as an option of a command takes it."""

from datetime import datetime
from typing import Any

import click

from atom.history import read_moment


class When(click.ParamType[datetime]):
    """A moment: ISO 8601, in UTC unless it says otherwise, or how long ago."""

    name = "WHEN"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it."""
        if isinstance(value, datetime):
            return value
        try:
            return read_moment(value)
        except ValueError as error:
            self.fail(str(error))
