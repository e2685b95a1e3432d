"""The only HTTP client: one connection per request, no redirects, no proxies, bounded answers."""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import create_urllib3_context, parse_url

from atom.errors import AtomError, InvalidRequest
from atom.flow.addresses import CallbackPolicy

_LARGEST_REPLY_BYTES: Final = 8 * 1024 * 1024
# A callback is answered with one word, or with somebody's error page.
_LARGEST_CALLBACK_REPLY_BYTES: Final = 16 * 1024
# Headers, interim responses, chunk sizes and trailers.
_LARGEST_OVERHEAD_BYTES: Final = 128 * 1024
# None is asked for; of those that come all the same, these are undone piece by piece.
_ENCODINGS: Final = ("gzip", "deflate")
_SHORTEST_CONNECT_SECONDS: Final = 0.1

# What getaddrinfo says of one address.
_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


class TransportError(AtomError):
    """No answer came; where `was_sent`, it is not known whether the other side saw the request."""

    def __init__(self, reason: str, was_sent: bool = True) -> None:
        super().__init__(reason, was_sent)
        self.reason, self.was_sent = reason, was_sent

    def __str__(self) -> str:
        return self.reason


class DestinationRefused(TransportError):
    """Nothing was sent, since the policy does not allow where it would have gone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, was_sent=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side answered."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class Transport:
    """An HTTP client. Safe to share between threads, and to use after a fork.

    Each request has a connection of its own. On a reused connection, HTTP/1.1 cannot distinguish
    an answer from a late or repeated answer to an earlier request, and a callback that is
    mistaken for delivered is a lost outcome.

    Args:
        connect_timeout: seconds, for all addresses of a host together.
        read_timeout: seconds from the open connection to the end of the answer.
        policy: where requests may go; with it a reply has to be short, too. None is for what a
            developer named, not a flow.
    """

    def __init__(
        self,
        connect_timeout: float = 5,
        read_timeout: float = 20,
        policy: CallbackPolicy | None = None,
    ) -> None:
        self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
        self._policy = policy
        self._largest_reply = (
            _LARGEST_REPLY_BYTES if policy is None else _LARGEST_CALLBACK_REPLY_BYTES
        )

    def post_json(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """POST a JSON document.

        Raises:
            TransportError: there was no answer.
            DestinationRefused: the policy does not allow it; nothing was sent.
        """
        return self.send("POST", url, body, {**headers, "Content-Type": "application/json"})

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """GET a document.

        Raises:
            TransportError: there was no answer.
        """
        return self.send("GET", url, None, headers)

    def send(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """Send a document of any kind; its content type is among the headers.

        Raises:
            TransportError: there was no answer.
        """
        self._check(url)
        connection, target = self._prepare(url)
        try:
            self._connect(connection)
            reply = connection.exchange(method, target, body, headers)
            return Reply(reply.status, self._read(reply), dict(reply.headers))
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            raise TransportError(_why_no_answer(error), connection.has_sent) from error
        finally:
            connection.close()

    def close(self) -> None:
        """End the use of the client. No connection outlives its request."""

    def _check(self, url: str) -> None:
        if self._policy is not None:
            try:
                self._policy.check_uri(url)
            except InvalidRequest as error:
                raise DestinationRefused(str(error)) from None

    def _prepare(self, url: str) -> tuple["_Connection", str]:
        """Return a connection that is not open yet, and the request target."""
        try:
            parts = parse_url(url)
            if parts.scheme not in ("http", "https") or not parts.host:
                raise ValueError(url)
        except (HTTPError, ValueError) as error:
            raise TransportError("the URL is not a valid http or https URL", False) from error
        options: dict[str, Any] = {
            "timeout": self._connect_timeout,
            "policy": self._policy,
            "answer_seconds": self._read_timeout,
            "answer_bytes": 2 * self._largest_reply + _LARGEST_OVERHEAD_BYTES,
        }
        host = parts.host.strip("[]")
        if parts.scheme == "http":
            return _Connection(host, parts.port, **options), parts.request_uri
        connection = _TlsConnection(host, parts.port, ssl_context=self._tls, **options)
        return connection, parts.request_uri

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The trusted authorities; reading them takes longer than a handshake."""
        context = create_urllib3_context()
        context.load_default_certs()
        return context

    @staticmethod
    def _connect(connection: "_Connection") -> None:
        try:
            connection.connect()
        except (HTTPError, OSError, ValueError) as error:
            raise TransportError(_why_no_connection(error), was_sent=False) from error

    def _read(self, reply: urllib3.BaseHTTPResponse) -> bytes:
        """Read the body, up to the limit."""
        is_known = reply.headers.get("content-encoding", "").lower() in _ENCODINGS
        content = bytearray()
        try:
            while part := reply.read1(self._largest_reply - len(content), decode_content=is_known):
                content += part
                if len(content) >= self._largest_reply:
                    break
        except urllib3.exceptions.ReadTimeoutError as error:
            raise TransportError("the answer did not end in time") from error
        return bytes(content)


class _Connection(HTTPConnection):
    """A connection for one request, to an address that the policy allows.

    The name of the host stays what TLS and the Host header are about. It is resolved once, so
    that its owner cannot have one address checked and another one used.
    """

    def __init__(
        self,
        *arguments: Any,
        policy: CallbackPolicy | None,
        answer_seconds: float,
        answer_bytes: int,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._policy = policy
        self._answer_seconds, self._answer_bytes = answer_seconds, answer_bytes
        self._end = 0.0
        self.has_sent = False

    def exchange(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        """Send the request and read the head of its answer.

        Raises:
            TransportError: the other side did not wait for the request.
            HTTPError, HTTPException, OSError, ValueError: there was no answer.
        """
        self._end = time.monotonic() + self._answer_seconds
        self._expect_silence()
        headers = {**headers, "Accept": "application/json", "Connection": "close"}
        is_complete = True
        try:
            self.request(method, target, body, headers, preload_content=False)
        except (BrokenPipeError, ConnectionResetError):
            is_complete = False  # the other side may have said why before it stopped reading
        reply = self.getresponse()
        if not is_complete and reply.status < http.client.MULTIPLE_CHOICES:
            raise TransportError("the answer came before the whole request was sent")
        return reply

    def send(self, data: Any) -> None:
        """Send bytes; all pieces of a request share one deadline."""
        assert self.sock is not None  # noqa: S101 (for mypy; connect() comes first)
        self.has_sent = True
        rest = memoryview(data)
        while rest:
            self.sock.settimeout(_seconds_until(self._end))
            rest = rest[self.sock.send(rest) :]

    def response_class(  # type: ignore[override] # it is only ever called
        self, sock: socket.socket, method: str | None = None
    ) -> "_Answer":
        """Create the parser of the answer, as http.client asks for it."""
        return _Answer(sock, method, self._end, self._answer_bytes)

    def _expect_silence(self) -> None:
        """Refuse bytes that arrived before the request was sent: they cannot answer it."""
        assert self.sock is not None  # noqa: S101 (for mypy)
        self.sock.settimeout(0)
        try:
            is_answer = bool(self.sock.recv(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        raise TransportError(
            "the other side answered before the request was sent"
            if is_answer
            else "the connection broke before an answer came",
            was_sent=False,
        )

    def _new_conn(self) -> socket.socket:
        if self._policy is None:
            return super()._new_conn()
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise urllib3.exceptions.NameResolutionError(self.host, self, error) from error
        refused = self._policy.refusal(self.host, [str(each[4][0]) for each in found])
        if refused is not None:
            raise DestinationRefused(
                f"the host name leads to an address that is not allowed: {refused}"
            )
        return self._first_to_connect(found)

    def _first_to_connect(self, found: Sequence[_Found]) -> socket.socket:
        """Try the addresses in order; each has its share of the time that is left."""
        end = time.monotonic() + (self.timeout or _SHORTEST_CONNECT_SECONDS)
        failure = OSError("the host name leads nowhere")
        for index, (family, kind, protocol, _, address) in enumerate(found):
            share = (end - time.monotonic()) / (len(found) - index)
            try:
                connection = socket.socket(family, kind, protocol)
            except OSError as error:  # no IPv6 here
                failure = error
                continue
            try:
                for option in self.socket_options or ():
                    connection.setsockopt(*option)
                connection.settimeout(max(share, _SHORTEST_CONNECT_SECONDS))
                connection.connect(address)
            except OSError as error:
                connection.close()
                failure = error
            else:
                connection.settimeout(self.timeout)
                return connection
        if isinstance(failure, TimeoutError):
            raise urllib3.exceptions.ConnectTimeoutError(self, str(failure)) from failure
        raise urllib3.exceptions.NewConnectionError(self, str(failure)) from failure


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Answer(http.client.HTTPResponse):
    """An answer that is bounded in time and size; interim responses before it are skipped."""

    def __init__(self, sock: socket.socket, method: str | None, end: float, limit: int) -> None:
        super().__init__(sock, method=method)
        self.fp = io.BufferedReader(_BoundedReader(self.fp.detach(), sock, end, limit))

    def begin(self) -> None:
        """Read the head. http.client itself skips 100 (Continue) only."""
        super().begin()
        while self.status < http.client.OK:
            self.headers = self.msg = None  # type: ignore[assignment] # not read yet
            super().begin()
        if self.headers.defects:  # lines may be missing, among them those of the framing
            raise http.client.HTTPException("malformed header")


class _BoundedReader(io.RawIOBase):
    """The bytes of a socket, up to a moment (of time.monotonic) and a number of bytes."""

    def __init__(self, raw: Any, sock: socket.socket, end: float, limit: int) -> None:
        self._raw, self._sock, self._end, self._left = raw, sock, end, limit

    def readable(self) -> bool:
        """Return True, as a BufferedReader requires."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there; 0 is the end.

        Raises:
            TransportError: there are more bytes than allowed.
            TimeoutError: the time is over.
        """
        if not self._left:
            raise TransportError("the answer is too large")
        self._sock.settimeout(_seconds_until(self._end))
        count = int(self._raw.readinto(memoryview(buffer)[: self._left]))
        self._left -= count
        return count

    def close(self) -> None:
        """Close the socket's file."""
        self._raw.close()
        super().close()


def _seconds_until(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _why_no_connection(error: Exception) -> str:
    """Return the reason in a few words; the driver's own text may hold the whole URL."""
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "the host name is not known"
        case urllib3.exceptions.NewConnectionError():
            return "no connection"
        case urllib3.exceptions.ConnectTimeoutError() | TimeoutError():  # a base of those above
            return "no connection in time"
        case ssl.SSLError() | ssl.CertificateError() | urllib3.exceptions.SSLError():
            return "no trusted TLS connection"
    return "no connection"


def _why_no_answer(error: Exception) -> str:
    match error:
        case TimeoutError() | urllib3.exceptions.TimeoutError():
            return "no answer in time"
        case OSError() | http.client.HTTPException() | urllib3.exceptions.ProtocolError():
            return "the connection broke before an answer came"
    return type(error).__name__
