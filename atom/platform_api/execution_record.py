"""ExecutionRecord: an execution as the platform's clients know one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from atom.names import process_task
from atom.platform_api.filters import Kind, to_second
from atom.platform_api.names import ATOM_ID
from atom.records import Execution, State

# What the platform calls each state. Many tools know no more than COMPLETE, ERROR, ABORTED and
# INPROCESS; what the process itself said or did is an error, what others did to it an abortion.
STATUSES: Final = {
    State.ACCEPTED: "ENQUEUED",
    State.RUNNING: "INPROCESS",
    State.SUSPENDED: "INPROCESS",
    State.COMPLETED: "COMPLETE",
    State.FAULTED: "ERROR",
    State.FAILED: "ERROR",
    State.TIMED_OUT: "ABORTED",
    State.CANCELLED: "ABORTED",
}

# What there is of the platform's properties, in the order in which they are written.
PROPERTIES: Final[Mapping[str, Kind]] = {
    "executionId": Kind.TEXT,
    "account": Kind.TEXT,
    "executionTime": Kind.TIME,
    "status": Kind.WORD,
    "executionType": Kind.WORD,
    "processName": Kind.TEXT,
    "processId": Kind.TEXT,
    "atomName": Kind.TEXT,
    "atomId": Kind.TEXT,
    "parentExecutionId": Kind.TEXT,
    "executionDuration": Kind.NUMBER,
    "message": Kind.TEXT,
    "nodeId": Kind.TEXT,
    "recordedDate": Kind.TIME,
}

# The platform's other properties: filters may name them, but no record here has a value.
ABSENT: Final[Mapping[str, Kind]] = {
    "originalExecutionId": Kind.TEXT,
    "inboundDocumentCount": Kind.NUMBER,
    "outboundDocumentCount": Kind.NUMBER,
    "reportKey": Kind.TEXT,
    "launcherId": Kind.TEXT,
}


def record(execution: Execution, account: str) -> dict[str, Any]:
    """One as the values of these properties; None where there is none."""
    process = process_task(execution.service, execution.action)
    finished = execution.finished_at
    return {
        "executionId": execution.id,
        "account": account,
        "executionTime": to_second(execution.accepted_at),
        "status": STATUSES[execution.state],
        "executionType": _type(execution),
        "processName": process,
        "processId": process,
        "atomName": ATOM_ID,
        "atomId": ATOM_ID,
        "parentExecutionId": execution.parent,
        "executionDuration": None if finished is None else _milliseconds(execution, finished),
        "message": execution.error,
        "nodeId": execution.worker,
        # Clients insist on one; until there is an end, it is what was recorded last.
        "recordedDate": to_second(finished or execution.started_at or execution.accepted_at),
    }


def document(found: Mapping[str, Any]) -> dict[str, Any]:
    """A record as it goes over the wire."""
    written = {name: value for name, value in found.items() if value is not None}
    for name, value in written.items():
        if isinstance(value, datetime):
            written[name] = value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"@type": "ExecutionRecord", **written}


def _type(execution: Execution) -> str:
    """A flow names its state or where it waits; what was started here has neither."""
    if execution.parent:
        return "sub_process"
    is_flow = execution.flow_state_id or execution.callback_uri
    return "exec_listener" if is_flow else "exec_manual"


def _milliseconds(execution: Execution, finished: datetime) -> int:
    """Return how long it ran; 0 if no worker had it since it was last asked for."""
    took = execution.took(finished)
    return round(took.total_seconds() * 1000) if took else 0
