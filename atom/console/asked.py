"""Which executions a page was asked for: the query string that list and exports share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Request

from atom.history import ExecutionFilter, read_moment
from atom.records import State

FIELDS = (
    *("state", "service", "action", "tenant", "version", "worker_version"),
    *("since", "until", "text"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, and what of it nobody understands."""

    typed: Mapping[str, str]  # as it was written; only what was
    filter: ExecutionFilter
    problems: Mapping[str, str] = field(default_factory=dict)  # by the name of the field

    def but(self, **other: str) -> dict[str, Any]:
        """The query string of a link that asks for the same, but for these; empty ones fall out."""
        return {name: value for name, value in {**self.typed, **other}.items() if value}


def read(request: Request) -> Asked:
    """Read the filters of a request."""
    typed = {name: value for name in FIELDS if (value := request.args.get(name, "").strip())}
    problems: dict[str, str] = {}
    moments = {}
    for name in ("since", "until"):
        try:
            moments[name] = read_moment(typed[name]) if name in typed else None
        except ValueError as error:
            problems[name] = str(error)
    state = typed.get("state")
    if state is not None and state not in list(State):
        problems["state"] = f"{state!r} is no state; there are {', '.join(State)}."
        state = None
    wanted = ExecutionFilter(
        state=State(state) if state else None,
        service=typed.get("service", ""),
        action=typed.get("action", ""),
        tenant_id=typed.get("tenant", ""),
        version=typed.get("version", ""),
        worker_version=typed.get("worker_version", ""),
        since=moments.get("since"),
        until=moments.get("until"),
        text=typed.get("text", ""),
    )
    return Asked(typed, wanted, problems)
