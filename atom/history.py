"""What a person asks of the history: which executions, and how many at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from atom.records import Execution, State


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Which executions are wanted; what is left empty is not asked for."""

    state: State | None = None
    service: str = ""
    action: str = ""
    tenant_id: str = ""
    since: datetime | None = None  # accepted then or later
    until: datetime | None = None  # accepted before then
    text: str = ""
    """An execution's id, a flow state's id or how that begins, or a token as the flow sent it."""

    def matches(self, execution: Execution) -> bool:
        """Whether it is one of them, leaving `text` aside."""
        return (
            self.state in (None, execution.state)
            and self.service in ("", execution.service)
            and self.action in ("", execution.action)
            and self.tenant_id in ("", execution.tenant_id)
            and (self.since is None or execution.accepted_at >= self.since)
            and (self.until is None or execution.accepted_at < self.until)
        )

    @property
    def names_process(self) -> bool:
        """Whether it is about some processes only."""
        return bool(self.service or self.action)

    def names(self, process: str) -> bool:
        """Whether a process, as `<Service>.<Action>`, is one of those that it is about."""
        service, _, action = process.partition(".")
        return self.service in ("", service) and self.action in ("", action)


EVERYTHING: Final = ExecutionFilter()


@dataclass(frozen=True, slots=True)
class Page:
    """Executions, newest first."""

    executions: Sequence[Execution]
    older: str = ""  # where the next page begins; empty where there is none
    looked_back_to: datetime | None = None
    """Where it is not full although older ones were not looked at: until when they were."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened in one minute."""

    at: datetime  # its beginning
    counts: Mapping[str, int]  # `accepted` and each final state, where it is not 0
