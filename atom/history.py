"""What a person asks of the history: which executions, and how many at a time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from atom.records import Execution, State

_SPAN: Final = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
# Milliseconds that are a date.
_PLACE: Final = re.compile(r"([0-9]{1,14})-(.+)", re.DOTALL)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_moment(text: str) -> datetime:
    """Read a moment as people write it: ISO 8601, in UTC unless it says otherwise, or how long ago.

    Raises:
        ValueError: it is neither.
    """
    span = _SPAN.fullmatch(text.strip().removesuffix("ago").strip())
    try:
        if span is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[span[2]]: int(span[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is neither a time such as 2026-01-31T08:00 nor a span such as 2h."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Which executions are wanted; what is left empty is not asked for."""

    state: State | None = None
    service: str = ""
    action: str = ""
    tenant_id: str = ""
    version: str = ""  # of the service that accepted it
    worker_version: str = ""  # of the service that ran its latest attempt
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
            and self.version in ("", execution.version)
            and self.worker_version in ("", execution.worker_version)
            and (self.since is None or execution.accepted_at >= self.since)
            and (self.until is None or execution.accepted_at < self.until)
        )

    @property
    def names_process(self) -> bool:
        """Whether it is about some processes only."""
        return bool(self.service or self.action)

    @property
    def names_version(self) -> bool:
        """Return whether it is about some versions only, for which Redis has no index."""
        return bool(self.version or self.worker_version)

    def names(self, process: str) -> bool:
        """Whether a process, as `<Service>.<Action>`, is one of those that it is about."""
        service, _, action = process.partition(".")
        return self.service in ("", service) and self.action in ("", action)


EVERYTHING: Final = ExecutionFilter()


def flow_state_of_copies(execution: Execution) -> str:
    """Return the flow state under which the copies of an execution are indexed.

    A copy of an execution without a flow state is indexed under the id of that execution.
    """
    return execution.flow_state_id or execution.id


class Place(NamedTuple):
    """Where an execution stands in the history, which is in the order of these.

    As a text it is an `older_than`: what comes after it is what is older.
    """

    accepted_ms: int
    id: str

    @classmethod
    def of(cls, execution: Execution) -> "Place":
        """Where one stands."""
        return cls(round(execution.accepted_at.timestamp() * 1000), execution.id)

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """What it was as a text; anything else is as if nothing had been said."""
        found = _PLACE.fullmatch(text)
        return cls(int(found[1]), found[2]) if found else None

    def __str__(self) -> str:
        return f"{self.accepted_ms}-{self.id}"

    @property
    def moment(self) -> datetime:
        """When what stands there was accepted."""
        return datetime.fromtimestamp(self.accepted_ms / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Page:
    """Executions, newest first."""

    executions: Sequence[Execution]
    older: str = ""  # where the next page begins; empty where there is none
    first: str = ""  # where this one began: older than that is the same page, whatever came since
    looked_back_to: datetime | None = None
    """Where it is not full although older ones were not looked at: until when they were."""
    problem: str = ""
    """Why those in the history database are missing, in a sentence, where they are."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What happened in one minute."""

    at: datetime  # its beginning
    counts: Mapping[str, int]  # `accepted` and each final state, where it is not 0


@dataclass(frozen=True, slots=True)
class Copied:
    """An execution that is in the history database as it was when it was copied."""

    id: str
    fingerprint: bytes  # differs when anything of it changes in Redis


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """How it stands with the history database."""

    where: str  # its URL, without a password
    executions: int | None  # None: it does not say
    problem: str = ""  # why it does not
