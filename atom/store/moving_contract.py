"""What every store promises of moving executions to the history database; see `contract`."""

from collections.abc import Sequence
from typing import Protocol

from atom.history import Copied, HistoryFacts


class MovingStore(Protocol):
    """The way of an execution that has ended: taken, copied, removed."""

    def take_settled(self, limit: int) -> Sequence[str]:
        """The next executions that can be moved to the history database; none where there is none.

        They have ended ATOM_HISTORY_AFTER_HOURS ago, their flows know, and no person is asked to
        look at them; or their retention is over. So many of the history are looked at, and the
        next call goes on behind them, or with the oldest again.
        """

    def copy_settled(self, execution_ids: Sequence[str]) -> Sequence[Copied]:
        """Write such executions to the history database, in place of earlier copies.

        Returns what is there and is to be removed here; until then they are in both places, which
        nobody sees. What runs again meanwhile is left out, and so are some where with all
        children they are many: to be taken once more. Atomic for some at a time.

        Raises:
            HistoryUnavailable: the database does not answer; some may have been written.
        """

    def remove_copied(self, copied: Sequence[Copied]) -> int:
        """Forget copied executions here, but for those that have changed since; returns how many.

        Their requests stay known as they were. Atomic for each, not for all.
        """

    def history_facts(self) -> HistoryFacts | None:
        """How it stands with the history database; None where there is none."""
