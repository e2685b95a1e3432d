"""Running an execution: claim, call the process, write its outcome."""

import logging
from typing import Final

import orjson

from atom.catalog import Catalog
from atom.context import Execution
from atom.errors import AtomError, ClaimLost, Fault, InvalidRequest, NotFound
from atom.execution.journal import StoreJournal
from atom.execution.lease import Lease, LeaseKeeper
from atom.execution.wakeup import wake_callback
from atom.process import Process
from atom.protocol.message_actions import ServiceRequest, fault, forward
from atom.publisher import Publisher
from atom.records import Claim, State
from atom.store import ExecutionStore

_log = logging.getLogger(__name__)

FAILED: Final = "Failed"


class Runner:
    """Runs the executions that a worker is woken for."""

    def __init__(
        self,
        catalog: Catalog,
        store: ExecutionStore,
        publisher: Publisher,
        *,
        lease_seconds: float,
        max_attempts: int,
        worker: str,
    ) -> None:
        self._catalog, self._store, self._publisher = catalog, store, publisher
        self._keeper = LeaseKeeper(store, lease_seconds)
        self._max_attempts = max_attempts
        self._worker = worker

    def run(self, execution_id: str) -> str:
        """Run the execution unless somebody else does or did; returns what happened, in a word.

        A second delivery of one message, or one that comes after the end, changes nothing.
        """
        claim = self._store.claim(execution_id, self._worker)
        if claim is None:
            return "nothing to do"
        try:
            with self._keeper.keep(claim) as lease:
                state, response, error = self._outcome(claim, lease)
                due = self._store.finish(claim, state, orjson.dumps(response), error)
        except ClaimLost as lost:
            _log.warning("%s What this attempt did is dropped.", lost, extra=_marked(claim))
            return "lost"
        if due:
            wake_callback(self._publisher, claim.id)
        _log.info(
            "%s.%s %s at attempt %d",
            claim.service,
            claim.action,
            state.value,
            claim.attempt,
            extra=_marked(claim),
        )
        return state.value

    def _outcome(self, claim: Claim, lease: Lease) -> tuple[State, dict[str, object], str]:
        """Call the process; its final state, the ServiceResponse and the error for the history."""
        try:
            process = self._catalog.process(claim.service, claim.action)
        except NotFound as error:
            return self._broken(claim, None, f"{error} This worker does not serve it.")
        if claim.attempt > self._max_attempts:
            return self._broken(
                claim, process, f"Its worker was lost {claim.attempt - 1} times; it was given up."
            )
        try:
            outputs = self._call(process, claim, lease)
        except ClaimLost:
            raise
        except Fault as no:
            _log.info("Faulted: %s", no, extra=_marked(claim))
            response = fault(
                claim.token, claim.tenant_id, process.no_outputs(), {no.name: no.message}
            )
            return State.FAULTED, response, no.message
        except InvalidRequest as error:
            # Accepted by a listener with another version of the service.
            return self._broken(claim, process, str(error))
        except AtomError as error:
            _log.exception("The process failed", extra=_marked(claim))
            return self._broken(claim, process, str(error))
        except Exception as error:
            _log.exception("The process failed", extra=_marked(claim))
            return self._broken(claim, process, type(error).__name__)
        return State.COMPLETED, forward(claim.token, claim.tenant_id, outputs), ""

    def _call(self, process: Process, claim: Claim, lease: Lease) -> list[dict[str, object]]:
        request = ServiceRequest.from_json(claim.request)
        execution = Execution(
            claim.id,
            StoreJournal(claim, self._store, self._publisher, lease),
            process_name=process.task_name,
            tenant_id=claim.tenant_id,
            flow_state_id=claim.state_id,
            attempt=claim.attempt,
            deadline=claim.deadline,
        )
        return process.dump(process.function(process.load(request.inputs), execution))

    def _broken(
        self, claim: Claim, process: Process | None, error: str
    ) -> tuple[State, dict[str, object], str]:
        """The flow hears one safe sentence; what went wrong is for the log and the history."""
        _log.error("Failed: %s", error, extra=_marked(claim))
        message = f"{claim.action} could not be completed; look for execution {claim.id}."
        outputs = process.no_outputs() if process else []
        response = fault(claim.token, claim.tenant_id, outputs, {FAILED: message})
        return State.FAILED, response, error


def _marked(claim: Claim) -> dict[str, str]:
    return {"execution_id": claim.id}
