"""Starting an execution that no flow waits for: its outcome goes to the history alone."""

import logging
from collections.abc import Mapping

from structlog.contextvars import bound_contextvars

from atom.catalog import Catalog
from atom.errors import InvalidRequest, NotFound, PublishFailed
from atom.execution.input_texts import values_of
from atom.execution.starting import NOWHERE, accept
from atom.logs import context_of
from atom.message_process import MessageProcess
from atom.publisher import Publisher
from atom.redaction import MASK
from atom.store import ExecutionStore

_log = logging.getLogger(__name__)


class Starter:
    """Stores executions and wakes their workers."""

    def __init__(self, catalog: Catalog, store: ExecutionStore, publisher: Publisher) -> None:
        self._catalog, self._store, self._publisher = catalog, store, publisher

    def start(
        self,
        process_id: str,
        tenant_id: str,
        inputs: Mapping[str, str | None],
        configuration: Mapping[str, str | None],
    ) -> str:
        """Start an execution of a message action; returns its id.

        Args:
            process_id: `<Service>.<Action>`.
            tenant_id: as the process sees it.
            inputs: by name, as texts; an object or a list as JSON.
            configuration: values of the service's configuration, by name.

        Raises:
            NotFound: there is no such process.
            InvalidRequest: it cannot be started so, or what it was given is wrong.
            TooManyRequests: its tenant or service asks more often than it may.
            Unavailable: it is not accepted now, or nobody knows whether it was.
        """
        process = self._process(process_id)
        where = f"“{process_id}”"
        values = values_of(
            process.configuration.entries, configuration, f"{where} has no configuration value"
        )
        document = {
            "token": MASK,
            "tenantId": tenant_id,
            "callbackUri": NOWHERE,
            "inputs": values_of(process.inputs, inputs, f"{where} has no input"),
            "configurationValues": values,
        }
        new, accepted = accept(self._catalog, self._store, process, document)
        with bound_contextvars(**context_of(new.id, new)):
            try:
                if accepted.is_out:
                    self._publisher.publish(process.task_name, new.id, process.options.queue)
            except PublishFailed as error:
                _log.warning("Accepted, but not published (recovery will): %s", error)
            else:
                _log.info("Accepted")
        return new.id

    def _process(self, process_id: str) -> MessageProcess:
        service, _, action = process_id.partition(".")
        try:
            process = self._catalog.process(service, action)
        except NotFound:
            raise NotFound(
                f"There is no process “{process_id}” here; Process/query lists those there are."
            ) from None
        if not isinstance(process, MessageProcess):
            raise InvalidRequest(
                f"“{process_id}” answers its caller in the request itself; only message actions "
                "can be started here."
            )
        return process
