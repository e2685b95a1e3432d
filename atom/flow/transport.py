"""The only HTTP client: pooled connections, no redirects, no proxies, bounded in time and size."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from atom.errors import AtomError

_LARGEST_REPLY_BYTES: Final = 8 * 1024 * 1024
_CONNECTIONS_PER_HOST: Final = 64


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


@dataclass(frozen=True, slots=True)
class Reply:
    """What the other side answered."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class Transport:
    """An HTTP client. Safe to share between threads, and to use after a fork."""

    def __init__(self, connect_timeout: float = 5, read_timeout: float = 20) -> None:
        self._timeout = urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        self._pid = 0
        self._pool = urllib3.PoolManager(0)

    def post_json(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """POST a JSON document.

        Raises:
            TransportError: there was no answer.
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
                content = reply.read(_LARGEST_REPLY_BYTES, decode_content=True)
                if len(content) < _LARGEST_REPLY_BYTES:
                    reply.drain_conn()
                else:
                    reply.close()
            finally:
                reply.release_conn()
        except (HTTPError, OSError, ValueError) as error:
            raise TransportError(_why(error), not isinstance(error, _UNSENT)) from error
        return Reply(reply.status, content, dict(reply.headers))

    def _pools(self) -> urllib3.PoolManager:
        if self._pid != os.getpid():  # a connection cannot be shared with a parent process
            self._pool = urllib3.PoolManager(maxsize=_CONNECTIONS_PER_HOST, retries=False)
            self._pid = os.getpid()
        return self._pool


def _why(error: Exception) -> str:
    """What happened in a few words; the driver's own text may hold the whole URL."""
    match error:
        case urllib3.exceptions.ConnectTimeoutError():
            return "no connection in time"
        case urllib3.exceptions.ReadTimeoutError():
            return "no answer in time"
        case urllib3.exceptions.NameResolutionError():
            return "the host name is not known"
        case urllib3.exceptions.NewConnectionError():
            return "no connection"
        case urllib3.exceptions.ProtocolError():
            return "the connection broke before an answer came"
        case urllib3.exceptions.SSLError():
            return "no trusted TLS connection"
    return type(error).__name__
