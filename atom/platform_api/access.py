"""Who may call: those who may log in to the console, by Basic credentials with each request.

No session counts here and no cookie is set, so there is no form token to ask for. A browser sends
Basic credentials by itself, though, to wherever a page tells it to: what it says comes from a page
elsewhere is refused.
"""

from typing import Final, Protocol
from urllib.parse import urlsplit

from flask import Flask, g, request

from atom.credentials import Credential, Role
from atom.endpoints import is_from
from atom.errors import Forbidden, Unauthorized

# Some clients put it before every name, for the platform wants it before an API token's.
_TOKEN_PREFIX: Final = "BOOMI_TOKEN."  # noqa: S105 (no token)

# What a viewer may do. Whatever is not named here is for operators.
_LOOKING: Final = {
    "execution_records.query",
    "execution_records.query_more",
    "execution_records.get",
    "listener_status.query",
    "listener_status.response",
    "processes.query",
    "processes.query_more",
    "processes.get",
    "execution_artifacts.query",
    "execution_artifacts.download",
    "runtimes.query",
    "runtimes.get",
}


class Users(Protocol):
    """Those who may log in to the console; see there."""

    def need_no_login(self, host: str) -> bool:
        """Whether there are none and only this machine can come here, by its own name."""

    def log_in(self, name: str, token: str, address: str) -> Credential | None:
        """The user of that name and token; raises TooManyLogins and Unavailable."""


def install(app: Flask, users: Users) -> None:
    """Ask every request who it is from, before it is known what it wants."""

    @app.before_request
    def ask() -> None:
        if not is_from(request.headers.get("Origin"), request.host):
            raise Forbidden("This comes from a page of another site.")
        g.user = None
        if users.need_no_login(urlsplit(f"//{request.host}").hostname or ""):
            return
        g.user = user = _user(users)
        # Without an endpoint it is nothing that is served, which is said later.
        is_looking = request.endpoint is None or request.endpoint in _LOOKING
        if user.role is not Role.OPERATOR and not is_looking:
            raise Forbidden("Looking is all that a viewer may do; an operator may do this.")


def _user(users: Users) -> Credential:
    sent = request.authorization
    if sent is None or sent.type != "basic":
        raise Unauthorized(
            "Send the name and token of a credential by Basic authentication "
            "(atom credentials create NAME --role viewer, or operator)."
        )
    name = (sent.username or "").removeprefix(_TOKEN_PREFIX)[:100]
    user = users.log_in(name, sent.password or "", request.remote_addr or "")
    if user is None:
        raise Unauthorized("There is no such user, or the token is wrong or revoked.")
    return user
