"""What every store promises of executions that wait without a worker; a part of `contract`."""

from typing import Protocol

from atom.records import Claim
from atom.suspension import GivenSignal, Signalled, Wait


class SuspensionStore(Protocol):
    """Executions that are suspended, and what wakes them."""

    def suspend(self, claim: Claim, wait: Wait) -> None:
        """Free the execution of its worker until the event that it waits for.

        The event may have come already. The execution keeps its steps, and waits that it began at
        other entries keep their ends. The next claim is not a new attempt. A hold is listed by
        `held` until the execution is suspended otherwise, or ends.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
        """

    def signal_token(self, claim: Claim, name: str) -> str:
        """Return the token of a signal of this execution, made at the first call.

        A retry makes another one; the earlier ones stay valid.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
            Unreadable: it is encrypted, with none of our keys.
        """

    def signal_event(self, claim: Claim, name: str) -> GivenSignal | None:
        """Return the event that was given for a signal; None if there is none yet.

        Raises:
            Unreadable: it is encrypted, with none of our keys.
        """

    def signal(
        self, execution_id: str, name: str, event: str, token: str | None, operator: str = ""
    ) -> Signalled:
        """Give an execution the one event of a name; the same event may be given again.

        The first giver is kept with the event. Nothing is stored after the caller has stopped
        waiting (10 s).

        Args:
            execution_id: the execution that gets the event.
            name: of the signal.
            event: JSON.
            token: of the signal; None for an operator, who needs none.
            operator: the name of the operator; unused with a token.

        Raises:
            StoreUnanswered: it may be stored already, but will not be from now on. A plain
                StoreUnavailable: it is not stored, and will not be.
            Unreadable: an earlier event of the signal is encrypted, with none of our keys.
        """

    def take_suspended(self, limit: int) -> int:
        """Have suspended executions whose time has come wait for a worker; returns how many."""

    def resume_held(self) -> int:
        """Have every held execution wait for a worker; return their number.

        Not atomic, and may be repeated.
        """
