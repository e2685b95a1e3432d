"""The ServiceProblem: what every answer that is not a 2xx carries."""

from typing import Any, Final

from atom.protocol.wire import sentence

PROBLEM_KIND_HEADER: Final = "X-ManyWho-Service-Problem-Kind"


def service_problem(uri: str, status: int, message: str, action: str | None) -> dict[str, Any]:
    """A problem in this service (not in one behind it), in one sentence a person may read."""
    return {
        "kind": "service",
        "uri": sentence(uri),
        "statusCode": status,
        "message": sentence(message),
        "action": action,
        "invokeType": None,
        "responseBody": None,
        "responseHeaders": {},
    }
