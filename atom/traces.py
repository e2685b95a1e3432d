"""Traces: where a request comes from is stored with its execution, and goes on with its callback.

With the extra `tracing`, and where the standard OTEL_* variables name a collector, each part of the
way is a span of its own: accept, run, step, callback. Otherwise nothing is imported, and the
`traceparent` of a request is passed on as it came.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any, Final

_log = logging.getLogger(__name__)

HEADER: Final = "traceparent"

# W3C Trace Context, version 00: version, trace id, id of the parent, flags.
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_current: ContextVar[str] = ContextVar("traceparent", default="")


class Kind(StrEnum):
    """What a span is to the one before it."""

    SERVER = "SERVER"  # it answers a request
    CONSUMER = "CONSUMER"  # it does what a message asked for
    CLIENT = "CLIENT"  # it sends a request
    INTERNAL = "INTERNAL"


def traceparent_of(header: str | None) -> str:
    """A `traceparent` header as it may be stored and passed on; empty where it is none."""
    return header if header and _TRACEPARENT.fullmatch(header) else ""


def current() -> str:
    """The `traceparent` to store or to send; empty where nobody traces."""
    return _current.get()


@contextmanager
def span(
    name: str, kind: Kind, parent: str = "", attributes: Mapping[str, str | int] | None = None
) -> Iterator[None]:
    """Have the block be a span, and `current` what continues it.

    What the block raises ends the span as an error, by the name of its class: its text may hold a
    secret.

    Args:
        name: of the span.
        kind: what it is to its parent.
        parent: the `traceparent` it continues; the current span where it is empty.
        attributes: what is known of it at its start; no document, no secret.
    """
    sdk = _sdk()
    if sdk is None:
        token = _current.set(parent or _current.get())
        try:
            yield
        finally:
            _current.reset(token)
        return
    with sdk.span(name, kind.value, parent, _named(attributes or {})) as traceparent:
        token = _current.set(traceparent)
        try:
            yield
        finally:
            _current.reset(token)


def describe(attributes: Mapping[str, str | int]) -> None:
    """Add to what is known of the current span."""
    sdk = _sdk()
    if sdk is not None:
        sdk.describe(_named(attributes))


def fail(kind: str) -> None:
    """Mark the current span as an error although nothing is raised; `kind` is one word."""
    sdk = _sdk()
    if sdk is not None:
        sdk.fail(kind)


def flush(**_: Any) -> None:
    """Send what was not sent yet, before a process ends; for Celery's signals, too."""
    # Whether there is anything: asking must not begin it.
    if _sdk.cache_info().currsize and (sdk := _sdk()) is not None:
        sdk.flush()


def _named(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    return {f"atom.{name}": value for name, value in attributes.items()}


@cache
def _sdk() -> Any:
    """What makes the spans, begun at first use: that is after a role's processes were forked."""
    env = os.environ
    exporter = env.get("OTEL_TRACES_EXPORTER", "")
    is_disabled = exporter == "none" or env.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_disabled or not (exporter == "otlp" or any(env.get(each) for each in _ENDPOINTS)):
        return None
    try:
        return import_module("atom.open_telemetry")
    except ModuleNotFoundError as error:
        _log.warning(
            "OTEL_… asks for traces, which need the extra `tracing` "
            "(pip install 'flow-atom[tracing]'): %s",
            error,
        )
        return None
