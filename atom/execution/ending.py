"""Ending an execution from outside: its deadline has passed, or a person cancels it."""

import logging
from collections.abc import Sequence
from typing import Any, Final

from structlog.contextvars import bound_contextvars

from atom.catalog import Catalog
from atom.errors import Fault, NotFound
from atom.logs import context_of
from atom.protocol.message_actions import fault, sealed
from atom.records import Ended, Envelope
from atom.store import ExecutionStore

_log = logging.getLogger(__name__)

TIMED_OUT: Final = "TimedOut"
CANCELLED: Final = "Cancelled"

# What a request that is answered with an HTTP status gets.
_TIMED_OUT_STATUS: Final = 504
_CANCELLED_STATUS: Final = 409


def time_out(catalog: Catalog, store: ExecutionStore, execution_id: str) -> Ended | None:
    """End an execution that passed its deadline; its flow hears so. None where it has not."""
    envelope = store.envelope(execution_id)
    if envelope is None:
        return None
    message = f"{envelope.action} took too long; look for execution {execution_id}."
    response = _refusal(catalog, envelope, Fault(message, TIMED_OUT), _TIMED_OUT_STATUS)
    with bound_contextvars(**context_of(execution_id, envelope)):
        ended = store.time_out(execution_id, sealed(response), message)
        _tell(ended, envelope, logging.WARNING, "timed out")
    return ended


def cancel(catalog: Catalog, store: ExecutionStore, execution_id: str) -> Ended | None:
    """End an execution that is under way, and its children; its flow hears so.

    Its cleanup is not cancelled: that runs after the end.

    None where it is not; its children are ended all the same, for whoever ended it before may have
    died before them. Children that are not ended here do not begin any more.
    """
    envelope = store.envelope(execution_id)
    if envelope is None:
        return None
    message = f"{envelope.action} was cancelled by the operator."
    response = _refusal(catalog, envelope, Fault(message, CANCELLED), _CANCELLED_STATUS)
    with bound_contextvars(**context_of(execution_id, envelope)):
        ended = store.cancel(execution_id, sealed(response), message)
        _tell(ended, envelope, logging.INFO, "cancelled")
    for child in store.children(execution_id):
        if not child.state.is_final and child.ending is None:  # its cleanup has just been created
            cancel(catalog, store, child.id)
    return ended


def child_refusal(faults: Sequence[Fault]) -> dict[str, Any]:
    """The response of a child that did not complete: its parent reads it, and no flow."""
    return {"faults": [(each.message, each.name, each.entry) for each in faults]}


def _refusal(catalog: Catalog, envelope: Envelope, no: Fault, status: int) -> dict[str, Any]:
    if envelope.parentage is not None:
        return child_refusal((no,))
    token = ""  # nobody needs to know it here: a response is stored without
    try:
        process = catalog.process(envelope.service, envelope.action)
    except NotFound:
        return fault(token, envelope.tenant_id, (), (no,))
    return process.refusal(token, envelope.tenant_id, (no,), request=None, status=status)


def _tell(ended: Ended | None, envelope: Envelope, level: int, how: str) -> None:
    if ended is not None:
        was = ended.was.value
        _log.log(level, "%s.%s %s (it was %s)", envelope.service, envelope.action, how, was)
