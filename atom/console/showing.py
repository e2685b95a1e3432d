"""How values are shown on pages: the filters of the templates."""

from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from flask import Flask

from atom.durations import duration

# What a page shows of a document; the whole of it may be megabytes.
_SHOWN_CHARACTERS: Final = 200_000


def install(app: Flask) -> None:
    """Give the filters to every template."""
    app.jinja_env.filters.update(clock=clock, document=document, duration=duration, span=span)


def clock(moment: datetime | None) -> str:
    """A time for people, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def span(length: timedelta | None) -> str:
    """How long something took, in no more than two units."""
    if length is None:
        return ""
    return duration(length.total_seconds())


def document(value: Any) -> str:
    """A JSON document for people, cut where it is too long to be read."""
    return cut(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), _SHOWN_CHARACTERS)


def cut(text: str, longest: int) -> str:
    """Return the text, cut to this number of characters with the command that shows all of it."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n… (`atom executions show ID --json` shows all of it)"
