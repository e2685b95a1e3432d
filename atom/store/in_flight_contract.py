"""The reads of unfinished executions that claim nothing and write nothing; a part of `contract`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from atom.children import OpenJoin
from atom.records import Claim, Step


class Unfinished(NamedTuple):
    """The ids of unfinished executions, newest first."""

    ids: Sequence[str]
    total: int  # also counts those beyond the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """An unfinished execution as its next attempt would find it."""

    claim: Claim  # that nobody holds; its fence and its versions are those of the record
    steps: Mapping[int, Step]  # by the order of the records
    profiles: str  # the digest of those that accepted it
    join: OpenJoin | None = None
    signal_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)  # by signal name


class InFlightStore(Protocol):
    """Unfinished executions, read without a claim. Nothing is written."""

    def unfinished(self, limit: int, service: str = "") -> Unfinished:
        """Return accepted, running and suspended executions, newest first. Not atomic.

        Children and cleanups are included. The cost depends on the number of all unfinished
        executions.
        """

    def in_flight(self, execution_id: str) -> InFlight | None:
        """Read an unfinished execution; None if it has ended or is unknown.

        Not atomic: the requests of its ancestors are read later.

        Raises:
            Unreadable: it is encrypted, with none of our keys.
            UnknownFormat: another version of flow-atom wrote it.
        """
