"""What a caller of the listener is answered with."""

from typing import ClassVar

from atom.durations import duration
from atom.errors.base import AtomError


class RequestRefused(AtomError):
    """The request is answered with a ServiceProblem and leaves no trace."""

    status: ClassVar[int] = 400
    retry_after_seconds: int | None = None  # where time alone helps


class MalformedRequest(RequestRefused):
    """The body is not the JSON document it should be."""


class InvalidRequest(RequestRefused):
    """The body is JSON, but a field is missing or wrong; the sentence names it."""


class Unauthorized(RequestRefused):
    """The caller gave no credentials, or wrong or revoked ones."""

    status = 401
    challenge: ClassVar[str] = 'Basic realm="flow-atom", charset="UTF-8"'


class TokenMissing(Unauthorized):
    """The caller gave no token with a signal."""

    challenge = "Bearer"


class Forbidden(RequestRefused):
    """The caller's credentials are right, but for other services."""

    status = 403


class NotFound(RequestRefused):
    """There is no such service, action or path."""

    status = 404


class MethodNotAllowed(RequestRefused):
    """The path exists, but not for this method."""

    status = 405


class RequestTimedOut(RequestRefused):
    """The body arrived too slowly."""

    status = 408


class Conflict(RequestRefused):
    """What is asked for was right once, but something came before it."""

    status = 409


class RequestTooLarge(RequestRefused):
    """The body is larger than ATOM_MAX_REQUEST_BYTES."""

    status = 413


class UnsupportedMedia(RequestRefused):
    """The body is declared as something other than JSON."""

    status = 415


class UnsupportedCoding(UnsupportedMedia):
    """The body has a content coding (Content-Encoding) that is not read."""

    accepted: ClassVar[str] = "gzip, deflate, identity"

    def __init__(self, coding: str) -> None:
        super().__init__(coding)
        self.coding = coding

    def __str__(self) -> str:
        return (
            f"The body has the Content-Encoding “{self.coding}”. Send it with one of: "
            f"{self.accepted}."
        )


class TooManyLogins(RequestRefused):
    """This address, or this name from it, was wrong too often lately."""

    status = 429
    retry_after_seconds = 300


class TooManyRequests(RequestRefused):
    """A tenant or a service asks more often than it may; what is known already is answered."""

    status = 429

    def __init__(self, whose: str, setting: str, seconds: int) -> None:
        super().__init__(whose, setting, seconds)
        self.whose, self.setting, self.retry_after_seconds = whose, setting, seconds
        self._wait = duration(seconds)

    def __str__(self) -> str:
        return (
            f"{self.whose} has more requests per second than it may ({self.setting}); nothing was "
            f"started. Try again in {self._wait}."
        )


class Unavailable(RequestRefused):
    """Nothing is wrong with the request; the same one will do later."""

    status = 503
    retry_after_seconds = 5


class Paused(Unavailable):
    """An operator has paused what the request is for; what runs already goes on."""

    retry_after_seconds = 60

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.target = target

    def __str__(self) -> str:
        what = "Every service of this Atom" if self.target == "*" else f"“{self.target}”"
        return f"{what} is paused by its operator; nothing was started. Try again later."


class Overloaded(Unavailable):
    """More executions wait for a worker than ATOM_MAX_PENDING allows."""

    retry_after_seconds = 15

    def __init__(self, pending: int) -> None:
        super().__init__(pending)
        self.pending = pending

    def __str__(self) -> str:
        return (
            f"{self.pending} executions wait for a worker, which is as many as may; nothing was "
            "started. Try again later."
        )


class TookTooLong(RequestRefused):
    """A request that needs its answer at once did not get it in time."""

    status = 504

    def __init__(self, message: str, *, is_withdrawn: bool = False) -> None:
        super().__init__(message)
        self.is_withdrawn = is_withdrawn
