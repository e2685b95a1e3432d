"""Credentials: who may call which services, known by no more than the digest of a token."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from atom.errors import CredentialError

_TOKEN_PREFIX: Final = "atom_"  # noqa: S105 (what scanners for leaked tokens can look for)
_TOKEN_BYTES: Final = 32
# Basic authentication parts name and token at the colon.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One caller. Revoked ones are kept, so that revoking the last does not open the listener."""

    name: str
    digest: str = field(repr=False)
    services: tuple[str, ...]
    """The services it may call; none named means all."""
    created_at: datetime
    revoked_at: datetime | None = None

    def accepts(self, token: str) -> bool:
        """Whether this is its token and not revoked; takes as long either way."""
        is_right = hmac.compare_digest(self.digest, _digest(token))
        return is_right and self.revoked_at is None

    def permits(self, service: str) -> bool:
        """Whether it may call the service."""
        return not self.services or service in self.services


# What an unknown name is compared with, so that time does not tell which names exist.
NOBODY: Final = Credential(
    name="nobody",
    digest=hashlib.sha256(secrets.token_bytes(_TOKEN_BYTES)).hexdigest(),
    services=(),
    created_at=datetime.fromtimestamp(0, UTC),
)


def create(name: str, services: tuple[str, ...]) -> tuple[Credential, str]:
    """A new credential and its token, which is nowhere else.

    Raises:
        CredentialError: the name is none.
    """
    if not _NAME.fullmatch(name):
        raise CredentialError(
            f"A credential's name is 1 to 100 letters, digits and “.”, “_”, “@”, “-”, not {name!r}."
        )
    token = _TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    return (
        Credential(
            name=name, digest=_digest(token), services=services, created_at=datetime.now(UTC)
        ),
        token,
    )


def _digest(token: str) -> str:
    """A plain hash will do: 256 random bits cannot be guessed, so there is nothing to slow down."""
    return hashlib.sha256(token.encode()).hexdigest()
