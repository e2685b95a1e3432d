"""Who may look: the credentials with a role, asked for unless nobody else can come here."""

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

_log = logging.getLogger(__name__)

_WITHOUT_LOGIN: Final = {"static", "health", "login", "log_in"}
_LOOKING: Final = {"GET", "HEAD", "OPTIONS"}
# What is sent by POST and changes nothing.
_ANYBODY_MAY: Final = {"log_out", "executions.find", "flower.tasks"}
_USER, _SINCE = "user", "since"
_LOGINS_PER_NAME: Final = 10
_LOGINS_PER_ADDRESS: Final = 50
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
        self._attempts = Attempts()

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
        """The user of that name, where the token is right and not revoked; else it is counted.

        Raises:
            TooManyLogins: this address has to wait.
            Unavailable: the users could never be read.
        """
        if self._attempts.are_too_many(address, name):
            raise TooManyLogins("Too many logins failed; try again in some minutes.")
        credential = self._known.by_name().get(name, NOBODY)
        if credential.accepts(token):
            return credential
        self._attempts.failed(address, name)
        _log.warning("A login to the console failed, from %s", address)
        return None

    def still(self, name: str, since: str) -> Credential | None:
        """The user who logged in with a credential made at that time, unless it is revoked."""
        found = self._known.by_name().get(name)
        is_same = found and found.revoked_at is None and found.created_at.isoformat() == since
        return found if is_same else None


class Attempts:
    """Logins that failed lately, each forgotten in time; of too many the oldest go first."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failed: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def are_too_many(self, address: str, name: str) -> bool:
        """Whether this address has to wait, with this name or with any."""
        return (
            self._count((address, name)) >= _LOGINS_PER_NAME
            or self._count((address, "")) >= _LOGINS_PER_ADDRESS
        )

    def failed(self, address: str, name: str) -> None:
        """Count one."""
        for key in ((address, name), (address, "")):
            counted = self._count(key)
            self._failed[key] = (counted + 1, self._now() + _FORGIVEN_SECONDS)
            self._failed.move_to_end(key)
        while len(self._failed) > _MOST_REMEMBERED:
            self._failed.popitem(last=False)

    def _count(self, key: tuple[str, str]) -> int:
        counted, until = self._failed.get(key, (0, 0.0))
        return counted if self._now() < until else 0


def install(app: Flask, users: Users) -> None:
    """Ask every request who it is from, and serve the login."""

    @app.before_request
    def ask() -> AnyResponse | None:
        g.user, g.may_operate = _logged_in(users), False
        # Before the users are looked for: these answer while the store is away, too.
        if request.endpoint in _WITHOUT_LOGIN:
            return None
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
        session.clear()
        session.permanent = True
        session[_USER], session[_SINCE] = user.name, user.created_at.isoformat()
        return redirect(_local(request.form.get("next", "")), 303)

    @app.post("/logout")
    def log_out() -> AnyResponse:
        session.clear()
        return redirect(url_for("login"), 303)

    def _form(*, was_wrong: bool = False) -> str:
        goes_on = request.values.get("next", "/")
        return render_template(
            "login.html", has_users=users.are_there(), was_wrong=was_wrong, next=goes_on
        )


def _logged_in(users: Users) -> Credential | None:
    """Who this session is of; asked anew each time, so that a revoked credential ends it."""
    if _USER not in session:
        return None
    return users.still(session[_USER], session.get(_SINCE, ""))


def _host() -> str:
    """The name by which the browser calls us, without the port."""
    return urlsplit(f"//{request.host}").hostname or ""


def _local(path: str) -> str:
    """A path of ours to go on to; anything else leads to the first page."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"
