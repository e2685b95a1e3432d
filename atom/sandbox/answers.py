"""What the sandbox answers to a callback."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """What a callback is answered: an invoke type, or the misbehaviour a test asked for."""

    invoke_type: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    takes: bool = False  # the callback is taken all the same
    hang_seconds: float = 0.0
    drop: bool = False  # the connection ends without an answer

    @property
    def described(self) -> str:
        """What the journal calls it."""
        if self.drop:
            return "dropped"
        return self.invoke_type or str(self.status)
