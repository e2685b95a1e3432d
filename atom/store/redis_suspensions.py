"""Executions in Redis that wait for a time or an event, without a worker."""

import hashlib
import secrets
from typing import Final

from atom import names
from atom.errors import ClaimLost
from atom.records import Claim
from atom.store.redis_part import RedisPart
from atom.suspension import TOKEN_GIVER, GivenSignal, Signalled, Wait, operator_giver

_TOKEN_BYTES: Final = 32
_AT_ONCE: Final = 500


class RedisSuspensions(RedisPart):
    """See `ExecutionStore`."""

    def suspend(self, claim: Claim, wait: Wait) -> None:
        """See ExecutionStore."""
        until, since = (
            "" if moment is None else int(moment.timestamp() * 1000)
            for moment in (wait.until, wait.since)
        )
        reason = self._cipher.seal(wait.reason.encode())
        arguments = (claim.id, claim.fence, str(wait.key), wait.kind.value, until, since, reason)
        with self._guard():
            if not self._scripts.suspend(self._keys(claim.id), arguments):
                raise ClaimLost(claim.id)

    def take_suspended(self, limit: int) -> int:
        """See ExecutionStore."""
        with self._guard():
            return int(self._scripts.take_suspended((), (limit,)))

    def resume_held(self) -> int:
        """See ExecutionStore."""
        resumed = 0
        while True:
            with self._guard():
                count = int(self._scripts.resume_held((), (_AT_ONCE, resumed)))
            resumed += count
            if count < _AT_ONCE:
                return resumed

    def signal_token(self, claim: Claim, name: str) -> str:
        """See ExecutionStore."""
        new = secrets.token_urlsafe(_TOKEN_BYTES)
        arguments = (claim.fence, name, self._cipher.seal(new.encode()), _hash(new))
        with self._guard():
            stored = self._scripts.signal_token(self._keys(claim.id), arguments)
        if stored is None:
            raise ClaimLost(claim.id)
        return self._reader(claim.id).text(stored) or ""

    def signal_event(self, claim: Claim, name: str) -> GivenSignal | None:
        """See ExecutionStore."""
        return self._event(claim.id, name)

    def signal(
        self, execution_id: str, name: str, event: str, token: str | None, operator: str = ""
    ) -> Signalled:
        """See ExecutionStore."""
        digest = b"" if token is None else _hash(token)
        giver = operator_giver(operator) if token is None else TOKEN_GIVER
        given = self._cipher.seal(f"{giver}\n{event}".encode())
        arguments = (execution_id, name, digest, given)
        with self._guard():
            verdict = self._scripts.signal(self._keys(execution_id), arguments)
        signalled = Signalled(verdict.decode())
        if signalled is Signalled.GIVEN:
            earlier = self._event(execution_id, name)
            if earlier is not None and earlier.event == event:
                return Signalled.KEPT  # it was given before, or the reply to that was lost
        return signalled

    def _event(self, execution_id: str, name: str) -> GivenSignal | None:
        with self._guard():
            stored = self._redis.hget(names.signals_key(execution_id), f"event:{name}")
        given = self._reader(execution_id).text(stored)
        if given is None:
            return None
        giver, _, event = given.partition("\n")
        return GivenSignal(event, giver)


def _hash(token: str) -> bytes:
    """Return the hash by which a token is known; a random token cannot be guessed from it."""
    return hashlib.sha256(token.encode()).digest()
