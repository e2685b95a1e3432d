"""Where credentials are kept: one Redis hash of name → record, read whole."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from atom.credentials import Credential, Role
from atom.errors import CredentialError
from atom.names import CREDENTIALS
from atom.settings import Settings
from atom.store.connection import connect, guarded


class CredentialStore:
    """Credentials in Redis. Every method raises StoreUnavailable where Redis does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url
        self._redis = connect(settings.redis_url)

    def close(self) -> None:
        """Close its connections."""
        self._redis.close()

    def all(self) -> list[Credential]:
        """Every credential that was ever created, by name."""
        with guarded(self._url):
            found = self._redis.hvals(CREDENTIALS)
        return sorted((_decoded(each) for each in found), key=lambda each: each.name)

    def add(self, credential: Credential) -> None:
        """Add one; a revoked one of the same name is replaced.

        Raises:
            CredentialError: there is one of that name that is not revoked, or was of the other
                kind.
        """

        def change(held: Credential | None) -> Credential:
            if held is not None and held == credential:
                return held  # written by this call, whose reply was lost
            if held is not None and held.revoked_at is None:
                raise CredentialError(
                    f"There is a credential “{held.name}” already; revoke it first, or choose "
                    "another name to change over without a gap."
                )
            if held is not None and (held.role is None) != (credential.role is None):
                # It would be forgotten that there was one, and what it closed would be open again.
                was = "services" if held.role is None else "the console"
                raise CredentialError(
                    f"“{held.name}” was a credential for {was}; choose another name."
                )
            return credential

        self._change(credential.name, change)

    def revoke(self, name: str) -> None:
        """Refuse a credential from now on.

        Raises:
            CredentialError: there is none of that name, or it is revoked already.
        """
        now = datetime.now(UTC)

        def change(held: Credential | None) -> Credential:
            if held is not None and held.revoked_at == now:
                return held  # revoked by this call, whose reply was lost
            if held is None or held.revoked_at is not None:
                why = "is revoked already" if held else "does not exist"
                raise CredentialError(f"The credential “{name}” {why}.")
            return replace(held, revoked_at=now)

        self._change(name, change)

    def _change(self, name: str, change: Any) -> None:
        """Read, change and write one record as one step; repeated where another came between."""

        def transaction(pipe: Any) -> None:
            held = pipe.hget(CREDENTIALS, name)
            changed = change(_decoded(held) if held else None)
            pipe.multi()
            pipe.hset(CREDENTIALS, name, orjson.dumps(asdict(changed)))

        with guarded(self._url):
            self._redis.transaction(transaction, CREDENTIALS)


def _decoded(content: bytes) -> Credential:
    held = orjson.loads(content)
    revoked = held["revoked_at"]
    return Credential(
        name=held["name"],
        digest=held["digest"],
        services=tuple(held["services"]),
        role=Role(held["role"]) if held["role"] else None,
        created_at=datetime.fromisoformat(held["created_at"]),
        revoked_at=datetime.fromisoformat(revoked) if revoked else None,
    )
