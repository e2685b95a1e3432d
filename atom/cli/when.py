"""A moment as an option of a command takes it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

_SPAN: Final = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class When(click.ParamType[datetime]):
    """A moment: ISO 8601, in UTC unless it says otherwise, or how long ago."""

    name = "WHEN"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it."""
        if isinstance(value, datetime):
            return value
        span = _SPAN.fullmatch(value.strip().removesuffix("ago").strip())
        try:
            if span is not None:
                return datetime.now(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
            moment = datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither a time such as 2026-01-31T08:00 nor a span such as 2h."
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
