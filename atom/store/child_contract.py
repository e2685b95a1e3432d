"""What every store promises of children and their parents; a part of `contract`."""

from collections.abc import Mapping
from typing import Protocol

from atom.children import Join, JoinProgress, NewChild, NewJoin
from atom.records import Claim, Step


class ChildStore(Protocol):
    """Executions that another one waits for. Each parent waits for one join at a time."""

    def open_join(self, claim: Claim, new: NewJoin) -> Join:
        """Begin to wait for children at an entry, or read their state.

        Children of an earlier join that asked for the same at this entry count as children of this
        one if they have completed, or are under way. Not atomic: if the worker dies in between, the
        next call continues. A join that is open at another entry is left.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
            Unreadable: a result is encrypted, with none of our keys.
        """

    def spawn(self, claim: Claim, children: Mapping[int, NewChild]) -> None:
        """Store children of the open join, by index, those that are not stored yet.

        As many as may be under way at once may begin; the others are held back until one has
        ended. Children are ended without being begun once their parent has ended.
        Atomic for a hundred, not for all.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing more is written.
        """

    def close_join(self, claim: Claim, order: int, step: Step) -> None:
        """Record the results of the children, and forget the join; see `record_step`.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
        """

    def join_progress(self, progress: JoinProgress, message: str) -> bool:
        """Tell the flow of a suspended parent; see `progress`. Nothing where it waits no more."""
