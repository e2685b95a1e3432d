"""The one way in: an execution becomes durable, then its request is answered."""

import logging
from collections.abc import Collection
from uuid import uuid4

from atom.errors import PublishFailed, StoreUnavailable, Unavailable
from atom.flow.addresses import check_callback_uri
from atom.process import Process
from atom.protocol.message_actions import ServiceRequest
from atom.publisher import Publisher
from atom.records import NewExecution
from atom.store import Answer, ExecutionStore

_log = logging.getLogger(__name__)


class Acceptor:
    """Stores executions, wakes their workers and decides how a request is answered."""

    def __init__(
        self, store: ExecutionStore, publisher: Publisher, callback_hosts: Collection[str]
    ) -> None:
        self._store, self._publisher, self._callback_hosts = store, publisher, callback_hosts

    def accept(
        self, process: Process, request: ServiceRequest, body: bytes, authorization: str | None
    ) -> tuple[str, bool]:
        """Make the request durable; returns the execution id and whether it is a new one.

        Raises:
            InvalidRequest: its inputs or its callbackUri are wrong; nothing is stored.
            Unavailable: the store did not take it.
        """
        check_callback_uri(request.callback_uri, self._callback_hosts)
        process.load(request.inputs)
        execution = NewExecution(
            id=str(uuid4()),
            service=process.service,
            action=process.action,
            tenant_id=request.tenant_id,
            state_id=request.state_id,
            token=request.token,
            callback_uri=request.callback_uri,
            authorization=authorization,
            request=body,
            timeout_seconds=process.options.timeout,
            sync_timeout_seconds=process.options.sync_timeout,
        )
        try:
            stored_id = self._store.accept(execution)
        except StoreUnavailable as error:
            _log.error("A request was refused: %s", error)
            raise Unavailable(
                "The execution could not be stored; nothing was started. Try again."
            ) from error
        return stored_id, stored_id == execution.id

    def publish(self, process: Process, execution_id: str) -> None:
        """Wake a worker; without a broker recovery does it later."""
        try:
            self._publisher.publish(process.task_name, execution_id, process.options.queue)
        except PublishFailed as error:
            _log.warning(
                "Accepted, but not published (recovery will): %s",
                error,
                extra={"execution_id": execution_id},
            )

    def wait(self, process: Process, execution_id: str) -> None:
        """Give the execution the time that its action's sync_timeout allows."""
        try:
            self._store.wait_finished(execution_id, process.options.sync_timeout)
        except StoreUnavailable as error:
            _log.warning("Waiting broke off: %s", error, extra={"execution_id": execution_id})

    def answer(self, execution_id: str) -> Answer:
        """Decide how a synchronous request is answered; see `ExecutionStore.answer`.

        Where the store does not say, the answer is WAIT: should the execution have ended, its
        callback follows.
        """
        try:
            return self._store.answer(execution_id)
        except StoreUnavailable as error:
            _log.warning("Answering WAIT: %s", error, extra={"execution_id": execution_id})
            return Answer(response=None)

    def confirm(self, execution_id: str) -> None:
        """Note that the inline answer was written."""
        try:
            self._store.confirm_answer(execution_id)
        except StoreUnavailable as error:
            _log.warning(
                "Answered inline, a callback will follow all the same: %s",
                error,
                extra={"execution_id": execution_id},
            )
