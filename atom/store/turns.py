"""The guarantees that a store gives about whose turn it is, among the executions that wait."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from atom.records import Hold


class TurnStore(Protocol):
    """Executions that wait for their tenant's turn, or for a place of their process."""

    def let_go(self, hold: Hold) -> None:
        """Give back the place of an attempt that was ended from outside and runs no longer."""

    def lines(self) -> Sequence[str]:
        """The processes (`<Service>.<Action>`) that executions wait for a place of."""

    def set_windows(self, sizes: Mapping[str, int]) -> None:
        """Say of how many of each tenant a queue may have the messages; 1 unless it was said."""

    def requeue(self, execution_id: str, queue: str) -> Sequence[str]:
        """Have an execution wait in another queue, or (empty) without a turn in any.

        So those that wait behind it in its own do not wait with it. Returns the executions whose
        turn it is now.
        """

    def take_released(self, limits: Mapping[str, int], limit: int) -> Sequence[str]:
        """Executions whose turn it is although no write has said so.

        Args:
            limits: max_concurrency of those processes, 0 where it has none any more.
            limit: how many tenants and executions are looked at in one go.
        """
