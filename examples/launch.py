"""A process that launches a flow: the Flow Client connector from within a Flow Service.

ATOM_FLOW_URL says which flow platform (and ATOM_FLOW_USERNAME, ATOM_FLOW_PASSWORD who runs it);
the sandbox of `atom up` has flows to try, see atom/sandbox/run_api.py.
"""

from collections.abc import Mapping
from typing import Any

from atom import Execution, Fault, FlowService, Profile, fields
from atom.errors import FlowFaulted, FlowRefused

launch = FlowService("Launch", summary="Starts other flows")


class StartRequest(Profile):
    flow_id = fields.String(data_key="Flow Id", required=True)
    name = fields.String(data_key="Name")


class StartResponse(Profile):
    state_id = fields.String(data_key="State Id")
    greeting = fields.String(data_key="Greeting")
    join_url = fields.String(data_key="Join URL")


@launch.message_action("Start flow", request=StartRequest, response=StartResponse)
def start_flow(request: Mapping[str, Any], execution: Execution) -> dict[str, Any]:
    """Starts a flow with a name as its input and waits for its outputs."""
    # The start is recorded: should this worker be lost, the next one joins the same run.
    state_id = execution.step("start", _start, execution, request["flow_id"], request["name"])
    execution.progress("The flow is under way")
    try:
        run = execution.flow.join(state_id, wait=True)
    except FlowFaulted as faulted:
        name, message = faulted.faults[0]
        raise Fault(message, name=name) from None
    return {
        "state_id": run.state_id,
        "greeting": run.outputs.get("Greeting"),
        "join_url": run.join_url,
    }


def _start(execution: Execution, flow_id: str, name: str | None) -> str:
    try:
        run = execution.flow.run(flow_id, inputs={"Name": name}, wait=False)
    except FlowRefused as refused:  # a no: recorded, and not tried again
        raise Fault(f"The flow was not started: {refused.reason}.", name="Refused") from None
    return str(run.state_id)
