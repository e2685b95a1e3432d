"""The error of the sandbox, and the sentence of a service's refusal."""

import orjson

from atom.errors import AtomError
from atom.flow.transport import Reply


class SandboxError(AtomError):
    """The sandbox cannot do what it was asked; the sentence says why."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message, status)
        self.message, self.status = message, status

    def __str__(self) -> str:
        return self.message


def problem_of(reply: Reply) -> str:
    """The sentence of a ServiceProblem."""
    try:
        return str(orjson.loads(reply.body)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {reply.status}"
