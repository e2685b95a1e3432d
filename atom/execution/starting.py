"""Acceptance of executions that no flow waits for: their outcome goes to the history alone."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from structlog.contextvars import bound_contextvars

from atom.catalog import Catalog
from atom.errors import StoreUnavailable, ValueTooLarge
from atom.logs import context_of
from atom.message_process import MessageProcess
from atom.records import NewExecution
from atom.redaction import parted
from atom.store import Accepted, ExecutionStore, not_accepted

_log = logging.getLogger(__name__)

# What a process reads as the flow's callbackUri; nothing is sent there.
NOWHERE: Final = "about:blank"


def accept(
    catalog: Catalog,
    store: ExecutionStore,
    process: MessageProcess,
    document: Mapping[str, Any],
    *,
    running_user: str | None = None,
    origin: str = "",
) -> tuple[NewExecution, Accepted]:
    """Check a request and make it durable.

    Args:
        catalog: the declared services.
        store: where the execution is stored.
        process: the process to run.
        document: the ServiceRequest, with its secrets; the token is masked.
        running_user: the value of the Authorization header, if there is one.
        origin: the execution of which this is a copy.

    Raises:
        InvalidRequest: it does not fit the profile of the process; nothing is stored.
        TooManyRequests: its tenant or service asks more often than it may.
        Unavailable: it is not accepted now, or nobody knows whether it was.
    """
    request = process.read(document)
    process.check(request)
    public, private = parted(document, process.secret_names)
    new = NewExecution(
        service=process.service,
        action=process.action,
        tenant_id=request.tenant_id,
        state_id=request.state_id,
        token="",
        callback_uri="",
        authorization=running_user,
        request=public,
        private_request=private,
        queue=process.options.queue,
        version=process.version,
        profiles=process.profiles_digest,
        priority=process.options.priority,
        service_rate=catalog.service(process.service).requests_per_second,
        timeout_seconds=process.options.timeout,
        origin=origin,
    )
    with bound_contextvars(**context_of(new.id, new)):
        try:
            return new, store.accept(new)
        except (StoreUnavailable, ValueTooLarge) as error:
            _log.error("A request was refused: %s", error)
            raise not_accepted(new, error) from error
