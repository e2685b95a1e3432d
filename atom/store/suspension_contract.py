"""What every store promises of executions that wait without a worker; a part of `contract`."""

from collections.abc import Sequence
from typing import Protocol

from atom.parentage import Wakeup
from atom.records import Claim
from atom.suspension import Signalled, Wait


class SuspensionStore(Protocol):
    """Executions that are suspended, and what wakes them."""

    def suspend(self, claim: Claim, wait: Wait) -> bool:
        """Free the execution of its worker until what it waits for has come.

        Returns whether that has come already, so that a worker is to be woken for it. It keeps its
        steps; that it is claimed again is no new attempt.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
        """

    def signal_token(self, claim: Claim, name: str) -> str:
        """The token of a signal of this execution, made at the first call.

        Raises:
            ClaimLost: the claim is no longer the current one; nothing is written.
            Unreadable: it is encrypted, with none of our keys.
        """

    def signal_event(self, claim: Claim, name: str) -> str | None:
        """The event that was given for a signal, as JSON; None where none was.

        Raises:
            Unreadable: it is encrypted, with none of our keys.
        """

    def signal(self, execution_id: str, name: str, event: str, token: str | None) -> Signalled:
        """Give an execution the one event of a name; the same event may be given again.

        Where it says WOKEN, a worker is to be woken. An operator needs no token (None), and leaves
        that to recovery.

        Raises:
            Unreadable: the token is encrypted, with none of our keys.
        """

    def take_suspended(self, limit: int) -> Sequence[Wakeup]:
        """Suspended executions whose time has come; from now on they count as accepted."""
