"""The only HTTP client: pooled connections, no redirects, no proxies, bounded in time and size."""

import math
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from atom.errors import AtomError, InvalidRequest
from atom.flow.addresses import CallbackPolicy

_LARGEST_REPLY_BYTES: Final = 8 * 1024 * 1024
# A callback is answered with one word, or with somebody's error page.
_LARGEST_CALLBACK_REPLY_BYTES: Final = 16 * 1024
# None is asked for; of those that come all the same, these are undone piece by piece.
_ENCODINGS: Final = ("gzip", "deflate")
_CONNECTIONS_PER_HOST: Final = 64
_SHORTEST_CONNECT_SECONDS: Final = 0.1

# What getaddrinfo says of one address.
_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]

# There never was a connection (an unknown host name is a case of the first).
_UNSENT: Final = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
)


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

    Args:
        connect_timeout: seconds, for all addresses of a host together.
        read_timeout: seconds in which nothing comes.
        policy: where requests may go; with it a reply has to be short, too. None is for what a
            developer named, not a flow.
    """

    def __init__(
        self,
        connect_timeout: float = 5,
        read_timeout: float = 20,
        policy: CallbackPolicy | None = None,
    ) -> None:
        self._timeout = urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        self._policy = policy
        # A reply that comes drop by drop never times out by itself.
        self._longest_seconds = math.inf if policy is None else connect_timeout + read_timeout
        self._largest_reply = (
            _LARGEST_REPLY_BYTES if policy is None else _LARGEST_CALLBACK_REPLY_BYTES
        )
        self._pid = 0
        self._pool = urllib3.PoolManager(0)

    def post_json(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """POST a JSON document.

        Raises:
            TransportError: there was no answer.
            DestinationRefused: the policy does not allow it; nothing was sent.
        """
        return self._request("POST", url, body, {**headers, "Content-Type": "application/json"})

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """GET a document.

        Raises:
            TransportError: there was no answer.
        """
        return self._request("GET", url, None, headers)

    def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send a document of any kind; its content type is among the headers.

        Raises:
            TransportError: there was no answer.
        """
        return self._request(method, url, body, headers)

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()

    def _request(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        self._check(url)
        end = time.monotonic() + self._longest_seconds
        try:
            reply = self._pools().request(
                method,
                url,
                body=body,
                headers={**headers, "Accept": "application/json"},
                timeout=self._timeout,
                # A kept connection that the other side closed meanwhile fails before anything
                # is sent; beyond that, what to repeat is not for the transport to decide.
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                content = self._read(reply, end)
            finally:
                reply.release_conn()
        except (HTTPError, OSError, ValueError) as error:
            raise TransportError(_why(error), not isinstance(error, _UNSENT)) from error
        return Reply(reply.status, content, dict(reply.headers))

    def _check(self, url: str) -> None:
        if self._policy is not None:
            try:
                self._policy.check_uri(url)
            except InvalidRequest as error:
                raise DestinationRefused(str(error)) from None

    def _read(self, reply: urllib3.BaseHTTPResponse, end: float) -> bytes:
        """The body, cut where it is too large; only what was read to its end is kept open."""
        is_known = reply.headers.get("content-encoding", "").lower() in _ENCODINGS
        content = bytearray()
        while part := reply.read1(self._largest_reply - len(content), decode_content=is_known):
            content += part
            if len(content) >= self._largest_reply:
                reply.close()
                break
            if time.monotonic() > end:
                reply.close()
                raise TransportError("the answer did not end in time")
        return bytes(content)

    def _pools(self) -> urllib3.PoolManager:
        if self._pid != os.getpid():  # a connection cannot be shared with a parent process
            self._pool = (
                urllib3.PoolManager(maxsize=_CONNECTIONS_PER_HOST, retries=False)
                if self._policy is None
                else _GuardedPools(self._policy)
            )
            self._pid = os.getpid()
        return self._pool


class _GuardedConnection(HTTPConnection):
    """A connection to a checked address; its name stays what TLS and the Host header are about.

    Between the check and the use of an address there is no second look at the name: whoever
    answers for it cannot say something else then.
    """

    def __init__(self, *arguments: Any, policy: CallbackPolicy, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._policy = policy

    def _new_conn(self) -> socket.socket:
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


class _GuardedTlsConnection(_GuardedConnection, HTTPSConnection):
    """The same over TLS."""


class _GuardedPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _GuardedConnection


class _GuardedTlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _GuardedTlsConnection


class _GuardedPools(urllib3.PoolManager):
    """Pools whose connections follow a policy."""

    def __init__(self, policy: CallbackPolicy) -> None:
        super().__init__(maxsize=_CONNECTIONS_PER_HOST, retries=False)
        self._policy = policy
        self.pool_classes_by_scheme = {"http": _GuardedPool, "https": _GuardedTlsPool}

    def _new_pool(
        self,
        scheme: str,
        host: str,
        port: int,
        request_context: dict[str, Any] | None = None,
    ) -> urllib3.HTTPConnectionPool:
        pool = super()._new_pool(scheme, host, port, request_context)
        pool.conn_kw["policy"] = self._policy  # what a connection is made with
        return pool


def _why(error: Exception) -> str:
    """What happened in a few words; the driver's own text may hold the whole URL."""
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "the host name is not known"
        case urllib3.exceptions.NewConnectionError():
            return "no connection"
        case urllib3.exceptions.ConnectTimeoutError():  # a base of those above
            return "no connection in time"
        case urllib3.exceptions.ReadTimeoutError():
            return "no answer in time"
        case urllib3.exceptions.ProtocolError():
            return "the connection broke before an answer came"
        case urllib3.exceptions.SSLError():
            return "no trusted TLS connection"
    return type(error).__name__
