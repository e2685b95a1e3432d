"""What becomes of a flow that is run from here."""

from atom.errors.base import AtomError


class FlowClientError(AtomError):
    """What `execution.flow` or a FlowClient was asked for could not be done."""

    is_retryable = True


class FlowRefused(FlowClientError):
    """The flow platform answered that it will not do it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason

    def __str__(self) -> str:
        return f"The flow platform refused ({self.status}): {self.reason}."


class FlowFaulted(FlowClientError):
    """The flow ended with faults; `faults` has their names and messages."""

    def __init__(self, state_id: str, faults: tuple[tuple[str, str], ...]) -> None:
        super().__init__(state_id, faults)
        self.state_id, self.faults = state_id, faults

    def __str__(self) -> str:
        said = "; ".join(f"{name}: {message}" for name, message in self.faults)
        return f"The flow {self.state_id} ended with a fault: {said}"


class FlowTimedOut(FlowClientError):
    """The flow still waits; it goes on, and can be joined."""

    def __init__(self, state_id: str, join_url: str) -> None:
        super().__init__(state_id, join_url)
        self.state_id, self.join_url = state_id, join_url

    def __str__(self) -> str:
        return f"The flow {self.state_id} still waits; it can be joined at {self.join_url}."


class FlowUnreachable(FlowClientError):
    """No answer came; whether the platform saw the request may not be known."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"The flow platform at {self.url} does not answer: {self.reason}."
