"""One request through the WSGI application, in a thread."""

import logging
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final
from wsgiref.types import WSGIApplication

from gunicorn.http import wsgi
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from atom.errors import MalformedRequest, RequestTimedOut
from atom.server import refusals
from atom.server.connection import Connection, Pace, TooSlow
from atom.server.limits import Limits

_log = logging.getLogger(__name__)

_PIECE: Final = 65_536


class Outcome(Enum):
    """The next step for a connection after the application saw its request."""

    KEEP = "keep"  # answered; the next request may follow
    CLOSE = "close"  # answered; the client may still have to read it
    LOST = "lost"  # it can be used no longer
    TOO_SLOW = "too slow"  # the same: the client does not take the answer
    AWAITS_BODY = "awaits body"  # not answered: the body is needed, and has not arrived


class _BodyAwaited(BaseException):
    """The application reads a body that has not arrived.

    Not an Exception, so that it passes through the application; the request is repeated when its
    body is there. Applications therefore have no effects before they read the body.
    """


class Application:
    """Answers the requests of connections."""

    def __init__(
        self, app: WSGIApplication, cfg: Any, limits: Limits, write_refusal: refusals.Writer
    ) -> None:
        """Make one.

        Args:
            app: answers requests.
            cfg: gunicorn's configuration.
            limits: how long a client may take.
            write_refusal: writes the answers that the application does not give itself.
        """
        self._app, self._cfg, self._limits, self._write_refusal = app, cfg, limits, write_refusal

    def answer(self, connection: Connection, *, keeps: bool) -> Outcome:
        """Answer the request of a connection.

        Of a request whose body is incomplete the application first sees the head, so that it can
        refuse it; only then the body is awaited. With `connection.is_upload` this thread waits
        for it.

        Args:
            connection: its head has arrived.
            keeps: whether the connection may be used for another request.
        """
        connection.requests += 1
        source = _Source(connection, self._limits)
        try:
            request = Request(self._cfg, source, connection.peer, connection.requests)
        except (ParseException, NoMoreData) as error:
            return self.refuse(connection, *refusals.describe(error))
        body = _Input(request.body, source)
        connection.sends_continue = request._expected_100_continue
        request._expected_100_continue = False  # sent when the application asks for the body
        outlet = Outlet(connection, self._limits)
        response, environ = wsgi.create(
            request,
            outlet,
            connection.peer,
            connection.server,
            self._cfg,
            response_class=_Response,
            response_args=(body,),
        )
        environ["wsgi.multithread"], environ["wsgi.input"] = True, body
        if not keeps:
            response.force_close()
        try:
            outcome = self._run(connection, environ, response)
            if outcome is Outcome.KEEP:
                connection.begin_next(body.skip_rest())
        except ParseException:
            return Outcome.CLOSE
        return outcome

    def refuse(self, connection: Connection, status: int, message: str) -> Outcome:
        """Answer without the application; the connection is to be closed then."""
        message_path, has_body = connection.message.target, True
        if connection.message.buffer.startswith(b"HEAD "):
            has_body = False
        connection.write_now(
            refusals.written(self._write_refusal, status, message, message_path, has_body=has_body)
        )
        return Outcome.CLOSE

    def _run(self, connection: Connection, environ: Any, response: Any) -> Outcome:
        try:
            parts = self._app(environ, response.start_response)
            try:
                for part in parts:
                    response.write(part)
                response.close()
            finally:
                if hasattr(parts, "close"):
                    parts.close()
        except _BodyAwaited:
            if not response.headers_sent:
                return Outcome.AWAITS_BODY
            _log.error("%s reads its body after it has begun its answer", environ["PATH_INFO"])
            return Outcome.LOST
        except _ClientTooSlow:
            return Outcome.TOO_SLOW
        except _ClientLost:
            return Outcome.LOST
        except BaseException:  # a thread outlives whatever an application raises
            _log.exception("%s could not be answered", environ["PATH_INFO"])
            if response.headers_sent:
                return Outcome.LOST
            return self.refuse(connection, 500, "The server failed; its log has the reason.")
        return Outcome.CLOSE if response.should_close() else Outcome.KEEP


class _ClientLost(OSError):
    """The answer cannot be written."""


class _ClientTooSlow(_ClientLost):
    """The client does not read the answer."""


class Outlet:
    """The socket as gunicorn's response writer and applications see it."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection, self._pace = connection, Pace(limits.body_seconds)

    def sendall(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: the client does not take it.
        """
        try:
            self._connection.write(data, self._pace)
        except TooSlow:
            raise _ClientTooSlow from None
        except OSError:
            raise _ClientLost from None

    def shutdown(self, how: int) -> None:
        """End the connection without an answer."""
        self._connection.sock.shutdown(how)


class _Source(Unreader):  # type: ignore[misc]  # gunicorn has no types
    """The bytes of one request for gunicorn's parser: those that arrived, then the socket."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        super().__init__()
        self.connection = connection
        self.is_complete = connection.message.is_complete
        self.is_truncated = False
        self._at = 0
        self._pace = Pace(limits.body_seconds)

    @property
    def can_be_read(self) -> bool:
        """Return whether the body has arrived, or this thread may wait for it."""
        return self.is_complete or self.connection.is_upload

    def chunk(self, size_hint: int | None = None) -> bytes:
        message = self.connection.message
        is_head = self._at < message.head_end
        end = message.head_end if is_head else self._at + (size_hint or _PIECE)
        if self._at < len(message.buffer):
            data = bytes(message.buffer[self._at : end])
            self._at += len(data)
            return data
        # Of a request that counts as complete the parser knows what is missing.
        data = b"" if self.is_complete else self.connection.read(size_hint or _PIECE, self._pace)
        self.is_truncated = not data
        return data

    def rest(self) -> bytes:
        """Return what has arrived behind the request."""
        behind: bytes = self.take_buffered()
        return behind + bytes(self.connection.message.buffer[self._at :])


class _Input:
    """The body as an application reads it (`wsgi.input`), with errors that it can answer."""

    def __init__(self, body: Body, source: _Source) -> None:
        self._body, self._source = body, source

    def read(self, size: int | None = None) -> bytes:
        """Read up to `size` bytes, or all.

        Raises:
            MalformedRequest: the body is cut off or wrongly chunked.
            RequestTimedOut: it arrives too slowly.
        """
        return self._read(self._body.read, size)

    def readline(self, size: int | None = None) -> bytes:
        """Read a line; raises as `read`."""
        return self._read(self._body.readline, size)

    def readlines(self, _hint: int | None = None) -> list[bytes]:
        """Read all lines; raises as `read`."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    @property
    def is_at_hand(self) -> bool:
        """Return whether nothing more of it has to arrive before the next request."""
        if self._body.failed:
            return False
        return self._source.is_complete or self._is_over()

    def skip_rest(self) -> bytes:
        """Pass over what was not read; returns what has arrived behind the body.

        Raises:
            ParseException: it is malformed.
        """
        while self._body.read(_PIECE):
            pass
        return self._source.rest()

    def _read(self, read: Any, size: int | None) -> bytes:
        if not self._source.can_be_read:
            raise _BodyAwaited
        try:
            data: bytes = read(size)
        except TooSlow:
            self._body.failed = self._source.connection.is_too_slow = True
            raise RequestTimedOut(refusals.BODY_TOO_SLOW) from None
        except (ParseException, NoMoreData) as error:
            raise MalformedRequest(refusals.describe(error)[1]) from None
        if self._source.is_truncated:
            self._body.failed = True
            raise MalformedRequest(refusals.TRUNCATED)
        if self._is_over():
            self._source.connection.release_upload()
        return data

    def _is_over(self) -> bool:
        reader = self._body.reader
        if isinstance(reader, LengthReader):
            return bool(reader.length == 0)
        return reader.parser is None


class _Response(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """An answer that announces the end of the connection if the body is not read to its end."""

    def __init__(self, request: Any, sock: Outlet, cfg: Any, body: _Input) -> None:
        super().__init__(request, sock, cfg)
        self._input = body

    def should_close(self) -> bool:
        """Return whether the connection ends with this answer."""
        return bool(super().should_close()) or not self._input.is_at_hand
