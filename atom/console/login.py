"""Access to the console: logins with credentials that have a role, and their sessions."""

import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, g, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from atom.console.problems import problem
from atom.credentials import NOBODY, Credential, KnownCredentials, Role
from atom.endpoints import is_loopback
from atom.errors import TooManyLogins
from atom.store.session_store import SessionStore

_log = logging.getLogger(__name__)

_WITHOUT_LOGIN: Final = {"static", "health", "login", "log_in"}
_LOOKING: Final = {"GET", "HEAD", "OPTIONS"}
# What is sent by POST and changes nothing.
_ANYBODY_MAY: Final = {"log_out", "executions.find", "flower.tasks"}
_USER, _SINCE, _ID = "user", "since", "id"
_FAILURES_PER_NAME: Final = 10
_FAILURES_PER_CLIENT: Final = 50
_FORGIVEN_SECONDS: Final = float(TooManyLogins.retry_after_seconds)
_MOST_REMEMBERED: Final = 10_000


class Users:
    """The people who may open the console."""

    def __init__(
        self, read_credentials: Callable[[], Sequence[Credential]], *, is_on_loopback: bool
    ) -> None:
        """Make them of all credentials there are; reading them raises StoreUnavailable."""
        self._known = KnownCredentials(read_credentials, lambda each: each.role is not None)
        self._is_on_loopback = is_on_loopback
        self._failures = Failures()

    def are_there(self) -> bool:
        """Whether there are any; revoked ones count, so that the console does not open again.

        Raises:
            Unavailable: they could never be read.
        """
        return bool(self._known.by_name())

    def need_no_login(self, host: str) -> bool:
        """Whether there are none and only this machine can come here, by its own name.

        A page elsewhere whose name leads here, or a proxy before us, asks by another name.
        """
        return self._is_on_loopback and not self.are_there() and is_loopback(host)

    def log_in(self, name: str, token: str, address: str) -> Credential | None:
        """Return the user of that name if the token is valid; otherwise count a failure.

        A valid token is accepted whatever has failed before: else whoever fails on purpose locks
        others out. This is safe since a token has 256 random bits, which nobody guesses. The limit
        keeps guesses from filling the log.

        Raises:
            TooManyLogins: the token is not valid, nor were the latest ones.
            Unavailable: the users could never be read.
        """
        credential = self._known.by_name().get(name, NOBODY)
        if credential.accepts(token):
            return credential
        if not self._failures.count(name, address):
            raise TooManyLogins(
                "Too many logins failed with this name or from this address. A valid token is "
                "accepted; further failures are counted again in some minutes."
            )
        _log.warning("A login to the console failed, from %s", address)
        return None

    def still(self, name: str, since: str) -> Credential | None:
        """The user who logged in with a credential made at that time, unless it is revoked."""
        found = self._known.by_name().get(name)
        is_same = found and found.revoked_at is None and found.created_at.isoformat() == since
        return found if is_same else None


class Failures:
    """Recent failed logins by name and by client; each is forgotten after five minutes.

    If there are too many, the oldest are forgotten first.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._counts: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def count(self, name: str, address: str) -> bool:
        """Count a failure; return False if its name or client had reached the limit already."""
        limits = {
            ("name", name): _FAILURES_PER_NAME,
            ("client", _client(address)): _FAILURES_PER_CLIENT,
        }
        counts = {key: self._count(key) for key in limits}
        if any(counts[key] >= limit for key, limit in limits.items()):
            return False
        for key, count in counts.items():
            self._counts[key] = (count + 1, self._now() + _FORGIVEN_SECONDS)
            self._counts.move_to_end(key)
        while len(self._counts) > _MOST_REMEMBERED:
            self._counts.popitem(last=False)
        return True

    def _count(self, key: tuple[str, str]) -> int:
        count, until = self._counts.get(key, (0, 0.0))
        return count if self._now() < until else 0


def _client(address: str) -> str:
    """Return what a client is counted by: of IPv6, the network that one customer has."""
    try:
        if ipaddress.ip_address(address).version == 6:
            return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        pass
    return address


def install(app: Flask, users: Users, sessions: SessionStore) -> None:
    """Authenticate every request, and serve login and logout."""

    @app.before_request
    def ask() -> AnyResponse | None:
        g.user, g.may_operate = None, False
        # Before the store is asked: these answer while it is away, too.
        if request.endpoint in _WITHOUT_LOGIN:
            return None
        g.user = _logged_in(users, sessions)
        g.may_operate = g.user.role is Role.OPERATOR if g.user else users.need_no_login(_host())
        if g.may_operate:
            return None
        if g.user:
            if request.method not in _LOOKING and request.endpoint not in _ANYBODY_MAY:
                return problem(403, "Looking is all that a viewer may do; an operator may do this.")
            return None
        goes_on = request.full_path.rstrip("?") if request.method == "GET" else "/"
        return redirect(url_for("login", next=goes_on), 303)

    @app.get("/login")
    def login() -> str:
        return _form()

    @app.post("/login")
    def log_in() -> AnyResponse:
        name, token = request.form.get("name", "")[:100], request.form.get("token", "")
        try:
            user = users.log_in(name, token, request.remote_addr or "")
        except TooManyLogins as error:
            response = problem(error.status, str(error))
            response.headers["Retry-After"] = str(error.retry_after_seconds)
            return response
        if user is None:
            return Response(_form(was_wrong=True), 401)
        _end_session(sessions)
        session.permanent = True
        session[_ID] = sessions.open(user.name)
        session[_USER], session[_SINCE] = user.name, user.created_at.isoformat()
        return redirect(_local(request.form.get("next", "")), 303)

    @app.post("/logout")
    def log_out() -> AnyResponse:
        _end_session(sessions)
        return redirect(url_for("login"), 303)

    def _form(*, was_wrong: bool = False) -> str:
        goes_on = request.values.get("next", "/")
        return render_template(
            "login.html", has_users=users.are_there(), was_wrong=was_wrong, next=goes_on
        )


def _logged_in(users: Users, sessions: SessionStore) -> Credential | None:
    """Return the user of the session, if it is open and the credential still valid.

    Raises:
        StoreUnavailable: the store was not able to tell.
    """
    if _ID not in session or not sessions.renew(session[_ID]):
        return None
    return users.still(session[_USER], session[_SINCE])


def _end_session(sessions: SessionStore) -> None:
    """End the session in the store too: the browser's cookie may have been copied."""
    if _ID in session:
        sessions.end(session[_ID])
    session.clear()


def _host() -> str:
    """The name by which the browser calls us, without the port."""
    return urlsplit(f"//{request.host}").hostname or ""


def _local(path: str) -> str:
    """A path of ours to go on to; anything else leads to the first page."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"
