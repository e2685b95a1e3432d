"""Who may call: Basic credentials for each service, asked of every request but health."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Final

from flask import Flask, request

from atom.credentials import NOBODY, Credential, KnownCredentials
from atom.errors import Forbidden, Unauthorized

_SERVICES: Final = "/fs/"
_BASIC: Final = "basic"


class Authenticator:
    """Checks callers against the credentials that there are at the moment."""

    def __init__(
        self,
        read_credentials: Callable[[], Sequence[Credential]],
        *,
        is_open: bool,
        has_certificates: bool,
    ) -> None:
        """Make one.

        Args:
            read_credentials: gives all of them; raises StoreUnavailable.
            is_open: whether anybody may call while there are no credentials at all.
            has_certificates: whether TLS let nobody in without a client certificate; such a
                caller needs no credentials, but those it sends must be right.
        """
        # Who opens the console calls no service: it neither opens nor closes them.
        self._known = KnownCredentials(read_credentials, lambda each: each.role is None)
        self._is_open, self._has_certificates = is_open, has_certificates

    def check(self, service: str, authorization: str | None) -> None:
        """Let a caller of a service pass.

        Raises:
            Unauthorized: it named no credential, or not with the token of one.
            Forbidden: its credential is for other services.
            Unavailable: the credentials could never be read.
        """
        known = self._known.by_name()
        sent = _basic(authorization)
        if sent is None and (self._has_certificates or (self._is_open and not known)):
            return
        if not known and (self._is_open or self._has_certificates):
            return  # nobody has told this listener what to make of it
        name, token = sent or ("", "")
        credential = known.get(name, NOBODY)
        if not credential.accepts(token):
            raise Unauthorized(
                "This service asks for credentials: set user name and password on its connector "
                "(atom credentials create)."
            )
        if not credential.permits(service):
            raise Forbidden(f"The credential “{name}” is not for the service “{service}”.")

    def has_credentials(self) -> bool:
        """Whether there are any.

        Raises:
            Unavailable: they could never be read.
        """
        return bool(self._known.by_name())


def install(app: Flask, authenticator: Authenticator) -> None:
    """Ask every request below `/fs/` for credentials, except for the health of a service."""

    @app.before_request
    def authenticate() -> None:
        path = request.path
        if not path.startswith(_SERVICES):
            return
        service, _, rest = path.removeprefix(_SERVICES).partition("/")
        if rest != "health":
            authenticator.check(service, request.headers.get("Authorization"))


def _basic(authorization: str | None) -> tuple[str, str] | None:
    """Name and token of a Basic header; what is malformed is nobody's. None: there is none."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != _BASIC:
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    name, _, token = decoded.partition(":")
    return name, token
