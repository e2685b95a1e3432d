"""The preparation of an attempt: its process, its document and its execution object.

A worker and a dry replay share it, so that both call a process alike.
"""

from collections.abc import Callable
from typing import Any

import orjson

from atom.catalog import Catalog
from atom.context import Circumstances, Execution, Journal
from atom.errors import NotFound
from atom.execution.children import child_process
from atom.execution.cleanup import Cleanup
from atom.process import Process
from atom.protocol.message_actions import ServiceRequest
from atom.protocol.requests import ConnectorRequest
from atom.protocol.running_user import RunningUser
from atom.records import Claim
from atom.redaction import secrets_of


def declared(catalog: Catalog, claim: Claim) -> Process | None:
    """Return the declared process of an execution; None if no service declares it."""
    try:
        return catalog.process(claim.service, claim.action)
    except NotFound:
        return None


def unserved(claim: Claim) -> str:
    """Return the reason for which an execution of an unknown action is held."""
    return f"The worker serves no action “{claim.action}” of service “{claim.service}”."


def opened(claim: Claim, names: frozenset[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the request as the flow sent it, and the secrets in it.

    Args:
        claim: of the execution; the store keeps the token apart from the request.
        names: of the secret entries.
    """
    document: dict[str, Any] = orjson.loads(claim.request)
    secrets = secrets_of(document, claim.request, names)
    if claim.parent_request:
        parent = orjson.loads(claim.parent_request)
        secrets += secrets_of(parent, claim.parent_request, names)
    if claim.token:
        document["token"] = claim.token
    return document, [*secrets, claim.token, claim.authorization or ""]


def process_of(process: Process, claim: Claim, document: dict[str, Any]) -> Process:
    """Return the process that an attempt runs.

    Args:
        process: as it is declared.
        claim: of an execution, a child or a cleanup.
        document: the request, see `opened`.
    """
    if claim.ending:
        return Cleanup(process, claim.ending)
    if claim.parentage:
        return child_process(process, claim, document)
    return process


def execution_of(
    claim: Claim,
    journal: Journal,
    process: Process,
    request: ConnectorRequest,
    make_flow_client: Callable[[str], Any],
) -> Execution:
    """Return the execution object that the process is called with.

    Args:
        claim: of the execution.
        journal: of the attempt.
        process: which the attempt runs.
        request: as the process read it.
        make_flow_client: makes the Flow Client connector of a tenant.
    """
    outcomes = request.outcomes if isinstance(request, ServiceRequest) else ()
    return Execution(
        claim.id,
        journal,
        process_name=process.task_name,
        tenant_id=claim.tenant_id,
        flow_state_id=claim.state_id,
        attempt=claim.attempt,
        deadline=claim.deadline,
        version=claim.version,
        is_of_several_versions=claim.is_of_several_versions,
        circumstances=Circumstances(
            user=RunningUser.parse(claim.authorization),
            culture=request.culture,
            configuration=process.configuration.load_accepted(
                request.configuration_values,
                is_of_several_versions=claim.is_of_several_versions,
            ),
            properties=request.properties(
                tenant_id=claim.tenant_id, running_user=claim.authorization
            ),
            outcomes=[each["developer_name"] for each in outcomes],
            flow=lambda: make_flow_client(claim.tenant_id),
        ),
    )
