"""Running an execution: claim, call the process, write its outcome."""

import logging
from collections.abc import Callable
from typing import Any, Final

import orjson

from atom.catalog import Catalog
from atom.context import Circumstances, Execution
from atom.errors import (
    AtomError,
    ClaimLost,
    Fault,
    Faults,
    InvalidRequest,
    NotFound,
    StoreUnavailable,
)
from atom.execution.journal import StoreJournal
from atom.execution.lease import Lease, LeaseKeeper
from atom.execution.wakeup import wake_callback
from atom.process import Process
from atom.protocol.files import upload_of
from atom.protocol.message_actions import ServiceRequest, fault, sealed
from atom.protocol.requests import ConnectorRequest
from atom.protocol.running_user import RunningUser
from atom.publisher import Publisher
from atom.records import Claim, State
from atom.redaction import hiding, masked, redacted, secrets_in
from atom.store import ExecutionStore
from atom.store.files import FileStore

_log = logging.getLogger(__name__)

FAILED: Final = "Failed"

# What a synchronous request is answered with: the process said no, or it broke.
_REFUSED, _BROKEN = 409, 500

_Outcome = tuple[State, dict[str, Any], str]


class Runner:
    """Runs the executions that a worker is woken for."""

    def __init__(  # noqa: PLR0913 (made in one place, by keyword)
        self,
        catalog: Catalog,
        store: ExecutionStore,
        publisher: Publisher,
        files: FileStore,
        *,
        lease_seconds: float,
        max_attempts: int,
        worker: str,
        make_flow_client: Callable[[str], Any],
    ) -> None:
        self._catalog, self._store, self._publisher = catalog, store, publisher
        self._files = files
        self._keeper = LeaseKeeper(store, lease_seconds)
        self._max_attempts = max_attempts
        self._worker = worker
        self._make_flow_client = make_flow_client

    def run(self, execution_id: str) -> str:
        """Run the execution unless somebody else does or did; returns what happened, in a word.

        A second delivery of one message, or one that comes after the end, changes nothing.
        """
        claim = self._store.claim(execution_id, self._worker)
        if claim is None:
            return "nothing to do"
        process, document = self._process(claim), _document(claim)
        names = process.secret_names if process else frozenset()
        secrets = [*secrets_in(document, names), claim.authorization or ""]
        try:
            with hiding(secrets), self._keeper.keep(claim) as lease:
                state, response, error = self._outcome(claim, lease, process, document)
                due = self._finish(claim, state, response, redacted(error), names)
        except ClaimLost as lost:
            _log.warning("%s What this attempt did is dropped.", lost, extra=_marked(claim))
            return "lost"
        self._forget_upload(claim, document)
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

    def _process(self, claim: Claim) -> Process | None:
        try:
            return self._catalog.process(claim.service, claim.action)
        except NotFound:
            return None

    def _finish(
        self,
        claim: Claim,
        state: State,
        response: dict[str, Any],
        error: str,
        names: frozenset[str],
    ) -> bool:
        whole = sealed(response)
        public = orjson.dumps(masked(orjson.loads(whole), names)) if names else whole
        private = whole if public != whole else None
        return self._store.finish(claim, state, public, error, private)

    def _outcome(
        self, claim: Claim, lease: Lease, process: Process | None, document: dict[str, Any]
    ) -> _Outcome:
        """Call the process; its final state, the response and the error for the history."""
        if process is None:
            return self._broken(
                claim, None, f"This worker serves no “{claim.action}” of “{claim.service}”."
            )
        if claim.attempt > self._max_attempts:
            return self._broken(
                claim, process, f"Its worker was lost {claim.attempt - 1} times; it was given up."
            )
        request: ConnectorRequest | None = None
        try:
            request = process.read(document)
            execution = self._execution(claim, lease, process, request)
            response = process.call(
                request, execution, lambda upload: self._files.open(upload.id, upload.size)
            )
        except ClaimLost:
            raise
        except (Fault, Faults) as no:
            _log.info("Faulted: %s", no, extra=_marked(claim))
            faults = [Fault(redacted(each.message), each.name, each.entry) for each in no.faults]
            refusal = process.refusal(
                claim.token, claim.tenant_id, faults, request=request, status=_REFUSED
            )
            return State.FAULTED, refusal, str(no)
        except InvalidRequest as error:
            # Accepted by a listener with another version of the service.
            return self._broken(claim, process, str(error))
        except AtomError as error:
            _log.exception("The process failed", extra=_marked(claim))
            return self._broken(claim, process, str(error))
        except Exception as error:
            _log.exception("The process failed", extra=_marked(claim))
            return self._broken(claim, process, type(error).__name__)
        return State.COMPLETED, response, ""

    def _execution(
        self, claim: Claim, lease: Lease, process: Process, request: ConnectorRequest
    ) -> Execution:
        outcomes = request.outcomes if isinstance(request, ServiceRequest) else ()
        return Execution(
            claim.id,
            StoreJournal(claim, self._store, self._publisher, lease),
            process_name=process.task_name,
            tenant_id=claim.tenant_id,
            flow_state_id=claim.state_id,
            attempt=claim.attempt,
            deadline=claim.deadline,
            circumstances=Circumstances(
                user=RunningUser.parse(claim.authorization),
                culture=request.culture,
                configuration=process.configuration.load(request.configuration_values),
                properties=request.properties(
                    tenant_id=claim.tenant_id, running_user=claim.authorization
                ),
                outcomes=[each["developer_name"] for each in outcomes],
                flow=lambda: self._make_flow_client(claim.tenant_id),
            ),
        )

    def _broken(self, claim: Claim, process: Process | None, error: str) -> _Outcome:
        """The flow hears one safe sentence; what went wrong is for the log and the history."""
        _log.error("Failed: %s", error, extra=_marked(claim))
        faults = (
            Fault(f"{claim.action} could not be completed; look for execution {claim.id}.", FAILED),
        )
        if process is None:
            response = fault(claim.token, claim.tenant_id, (), faults)
        else:
            response = process.refusal(
                claim.token, claim.tenant_id, faults, request=None, status=_BROKEN
            )
        return State.FAILED, response, error

    def _forget_upload(self, claim: Claim, document: dict[str, Any]) -> None:
        """The content of an upload is needed until its execution has ended, and no longer."""
        upload = upload_of(document)
        if upload is None:
            return
        try:
            self._files.delete(upload.id)
        except StoreUnavailable as error:
            _log.warning("An upload stays until it expires: %s", error, extra=_marked(claim))


def _document(claim: Claim) -> dict[str, Any]:
    """The request as the flow sent it: the store keeps its token apart."""
    document: dict[str, Any] = orjson.loads(claim.request)
    if claim.token:
        document["token"] = claim.token
    return document


def _marked(claim: Claim) -> dict[str, str]:
    return {"execution_id": claim.id}
