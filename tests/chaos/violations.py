"""What the checker says where a promise was broken."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise broken once: which, by whom (an execution, a flow, a key, a role), and how."""

    promise: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.where}: {self.what}"


LOST = "accepted, and the flow never moved"
MOVED_TWICE = "the flow moved more than once"
