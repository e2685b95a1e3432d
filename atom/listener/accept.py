"""The one way in: an execution becomes durable, then its request is answered."""

import logging
from collections.abc import Mapping
from typing import Any

from structlog.contextvars import bind_contextvars

from atom.errors import PublishFailed, StoreUnavailable, Unavailable, Unreadable, ValueTooLarge
from atom.flow.addresses import CallbackPolicy
from atom.logs import context_of
from atom.process import Process
from atom.protocol.message_actions import ServiceRequest
from atom.publisher import Publisher
from atom.records import NewExecution
from atom.redaction import parted
from atom.store import Accepted, Answer, ExecutionStore, Result, not_accepted
from atom.traces import current, describe

_log = logging.getLogger(__name__)


class Acceptor:
    """Stores executions, wakes their workers and decides how a request is answered."""

    def __init__(
        self,
        store: ExecutionStore,
        publisher: Publisher,
        callback_policy: CallbackPolicy,
        rates: Mapping[str, float],
    ) -> None:
        """Make one; `rates` are the requests per second of the services that have a limit."""
        self._store, self._publisher, self._callback_policy = store, publisher, callback_policy
        self._rates = rates

    def accept(
        self,
        process: Process,
        request: ServiceRequest,
        document: Mapping[str, Any],
        running_user: str | None,
    ) -> Accepted:
        """Make a request durable, to be published where it is new.

        Raises:
            InvalidRequest: its inputs or its callbackUri are wrong; nothing is stored.
            TooManyRequests: its tenant or service asks more often than it may.
            Unavailable: the store did not take it.
        """
        self._callback_policy.check_uri(request.callback_uri)
        process.check(request)
        public, private = parted(document, process.secret_names)
        return self._accept(
            NewExecution(
                service=process.service,
                action=process.action,
                tenant_id=request.tenant_id,
                state_id=request.state_id,
                token=request.token,
                callback_uri=request.callback_uri,
                authorization=running_user,
                request=public,
                private_request=private,
                queue=process.options.queue,
                trace=current(),
                version=process.version,
                profiles=process.profiles_digest,
                priority=process.options.priority,
                service_rate=self._rates.get(process.service, 0),
                timeout_seconds=process.options.timeout,
                sync_timeout_seconds=process.options.sync_timeout,
            )
        )

    def accept_synchronous(
        self,
        process: Process,
        document: Mapping[str, Any],
        *,
        tenant_id: str,
        state_id: str,
        running_user: str | None,
        wait_seconds: float,
    ) -> str:
        """Make a checked request durable that is answered in itself or not at all; returns its id.

        Raises:
            TooManyRequests: its tenant or service asks more often than it may.
            Unavailable: the store or the broker did not take it; it will not be run.
        """
        public, private = parted(document, process.secret_names)
        accepted = self._accept(
            NewExecution(
                service=process.service,
                action=process.action,
                tenant_id=tenant_id,
                state_id=state_id,
                token="",
                callback_uri="",
                authorization=running_user,
                request=public,
                private_request=private,
                queue=process.options.queue,
                trace=current(),
                version=process.version,
                profiles=process.profiles_digest,
                priority=process.options.priority,
                service_rate=self._rates.get(process.service, 0),
                timeout_seconds=process.options.timeout,
                sync_timeout_seconds=wait_seconds,
                is_synchronous=True,
            )
        )
        self.publish(process, accepted)
        return accepted.id

    def _accept(self, execution: NewExecution) -> Accepted:
        about = context_of(execution.id, execution)
        bind_contextvars(**about)
        describe(about)
        try:
            accepted = self._store.accept(execution)
        except (StoreUnavailable, ValueTooLarge) as error:
            _log.error("A request was refused: %s", error)
            raise not_accepted(execution, error) from error
        if not accepted.is_new:
            _log.info("Asked for again")
        return accepted

    def publish(self, process: Process, accepted: Accepted) -> None:
        """Wake a worker where it is its turn; without a broker recovery does it later.

        The log hears of the execution here: nobody who waits has to wait for that as well.
        """
        try:
            if accepted.is_out:
                self._publisher.publish(process.task_name, accepted.id, process.options.queue)
        except PublishFailed as error:
            _log.warning("Accepted, but not published (recovery will): %s", error)
        else:
            _log.info("Accepted")

    def wait(self, process: Process, execution_id: str) -> None:
        """Give the execution the time that its action's sync_timeout allows."""
        try:
            self._store.wait_finished(execution_id, process.options.sync_timeout)
        except StoreUnavailable as error:
            _log.warning("Waiting broke off: %s", error)

    def result(self, execution_id: str, wait_seconds: float) -> Result | bool:
        """What became of a synchronous execution; see `ExecutionStore.give_up`.

        Raises:
            Unavailable: the store does not say.
        """
        try:
            come = self._store.wait_result(execution_id, wait_seconds)
            return self._store.give_up(execution_id) if come is None else come
        except (StoreUnavailable, Unreadable) as error:
            _log.warning("Waiting broke off: %s", error)
            raise Unavailable(
                f"The result of execution {execution_id} could not be waited for; look for it in "
                "the history."
            ) from error

    def answer(self, execution_id: str) -> Answer:
        """Decide how a request that may be answered with WAIT is; see `ExecutionStore.answer`.

        Where the store does not say, the answer is WAIT: should the execution have ended, its
        callback follows.
        """
        try:
            return self._store.answer(execution_id)
        except (StoreUnavailable, Unreadable) as error:
            _log.warning("Answering WAIT: %s", error)
            return Answer(response=None)

    def confirm(self, execution_id: str) -> None:
        """Note that the inline answer was written."""
        try:
            self._store.confirm_answer(execution_id)
        except StoreUnavailable as error:
            _log.warning("Answered inline, a callback will follow all the same: %s", error)
