"""Credentials: who may call which services or open the console, known by a token's digest."""

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from atom.errors import CredentialError, StoreUnavailable, Unavailable

_log = logging.getLogger(__name__)

_TOKEN_PREFIX: Final = "atom_"  # noqa: S105 (what scanners for leaked tokens can look for)
_TOKEN_BYTES: Final = 32
# Basic authentication parts name and token at the colon.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")


# How late a new or revoked credential is noticed; within it no request asks Redis.
_CACHE_SECONDS: Final = 2.0


class Role(StrEnum):
    """What a person may do in the console."""

    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # look, and operate


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One caller, or one person at the console.

    Revoked ones are kept, so that revoking the last does not open what it closed.
    """

    name: str
    digest: str = field(repr=False)
    services: tuple[str, ...]
    """The services it may call; none named means all."""
    role: Role | None = None
    """What it may do in the console; one with a role calls no service."""
    created_at: datetime
    revoked_at: datetime | None = None

    def accepts(self, token: str) -> bool:
        """Whether this is its token and not revoked; takes as long either way."""
        is_right = hmac.compare_digest(self.digest, _digest(token))
        return is_right and self.revoked_at is None

    def permits(self, service: str) -> bool:
        """Whether it may call the service."""
        return self.role is None and (not self.services or service in self.services)


# What an unknown name is compared with, so that time does not tell which names exist.
NOBODY: Final = Credential(
    name="nobody",
    digest=hashlib.sha256(secrets.token_bytes(_TOKEN_BYTES)).hexdigest(),
    services=(),
    created_at=datetime.fromtimestamp(0, UTC),
)


def create(
    name: str, services: tuple[str, ...] = (), role: Role | None = None
) -> tuple[Credential, str]:
    """A new credential and its token, which is nowhere else.

    Raises:
        CredentialError: the name is none, or it would be for services and the console.
    """
    if services and role is not None:
        raise CredentialError(
            "A credential calls services or opens the console, not both: leave out --service or "
            "--role, and create two."
        )
    if not _NAME.fullmatch(name):
        raise CredentialError(
            f"A credential's name is 1 to 100 letters, digits and “.”, “_”, “@”, “-”, not {name!r}."
        )
    token = _TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    return (
        Credential(
            name=name,
            digest=_digest(token),
            services=services,
            role=role,
            created_at=datetime.now(UTC),
        ),
        token,
    )


class KnownCredentials:
    """Those of one kind, read anew every 2 s; while the store is away, the last known ones."""

    def __init__(
        self, read: Callable[[], Sequence[Credential]], select: Callable[[Credential], bool]
    ) -> None:
        """Make one.

        Args:
            read: gives all of them; raises StoreUnavailable.
            select: whether one is of the kind.
        """
        self._read, self._select = read, select
        self._known: Mapping[str, Credential] | None = None
        self._read_at = 0.0

    def by_name(self) -> Mapping[str, Credential]:
        """All of them, the revoked ones too.

        Raises:
            Unavailable: they could never be read.
        """
        now = time.monotonic()
        if self._known is not None and now < self._read_at + _CACHE_SECONDS:
            return self._known
        try:
            self._known = {each.name: each for each in self._read() if self._select(each)}
        except StoreUnavailable as error:
            if self._known is None:
                raise Unavailable("The credentials could not be read; try again.") from error
            _log.warning("The credentials could not be read anew: %s", error)
        self._read_at = now
        return self._known


def _digest(token: str) -> str:
    """A plain hash will do: 256 random bits cannot be guessed, so there is nothing to slow down."""
    return hashlib.sha256(token.encode()).hexdigest()
