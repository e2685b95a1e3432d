"""What every store promises to those who look at the history; a part of `contract`."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from atom.history import EVERYTHING, ExecutionFilter, Minute, Page
from atom.records import Execution, LogLine, State, StoredRequest


class HistoryStore(Protocol):
    """Executions as people see them."""

    def log(self, execution_id: str) -> Sequence[LogLine]:
        """Read an execution's own log, of all its attempts, oldest line first."""

    def get(self, execution_id: str) -> Execution | None:
        """Read one execution with its documents, steps and callback tries. Not atomic."""

    def request(self, execution_id: str) -> StoredRequest | None:
        """Read the request of an execution with its secrets; None if it was not kept.

        Raises:
            Unreadable: it is encrypted, with none of our keys.
        """

    def children(self, execution_id: str) -> Sequence[Execution]:
        """Read all children of an execution, oldest first, without documents. Not atomic."""

    def copies(self, execution: Execution) -> Sequence[Execution]:
        """Read the copies of an execution, newest first, without documents. Not atomic.

        Copies of a flow state that has more than 1,000 executions may be missing.
        """

    def find(
        self, limit: int, wanted: ExecutionFilter = EVERYTHING, *, older_than: str = ""
    ) -> Page:
        """Read the newest executions of those wanted, without documents. Not atomic.

        `older_than` is the `Page.older` of the page before, or any `Place`. What it costs depends
        on the page, not on how many there are: where a version, or a tenant and a process together,
        are asked for and few match, a page may be short, and say until when it looked.
        """

    def count_states(self, wanted: ExecutionFilter = EVERYTHING) -> Mapping[State, int] | None:
        """How many of those wanted are in each state, whichever state is wanted. Not atomic.

        None where only reading them would tell: a text, a version, or a tenant and a process
        together.
        """

    def known_processes(self) -> Sequence[str]:
        """Every process that the history ever had, as `<Service>.<Action>`."""

    def known_tenants(self) -> Sequence[str]:
        """Every tenant that the history ever had."""

    def minutes(self, count: int) -> Sequence[Minute]:
        """What happened in each of the last minutes (of two hours at most), this one last."""

    def failed(self, limit: int) -> Sequence[Execution]:
        """Read what failed or timed out and nobody has seen to, the latest first. Not atomic."""

    def held(self, limit: int) -> Sequence[Execution]:
        """Read held executions, the one that is held the longest first. Not atomic."""
