"""One client connection: a non-blocking socket, and the request that arrives on it."""

import contextlib
import select
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from atom.server.limits import MAX_HELD_BYTES, PACE_BYTES
from atom.server.message import Message

_RECEIVE_BYTES: Final = 65_536
_READ: Final = select.POLLIN
_WRITE: Final = select.POLLOUT
# Partial TLS records; a plain socket raises BlockingIOError.
_MORE_TO_READ: Final = (BlockingIOError, ssl.SSLWantReadError)


class Stage(StrEnum):
    """The state of a connection, as the metric `atom_connections` labels it."""

    HANDSHAKE = "handshake"
    HEAD = "head"
    BODY = "body"
    UPLOAD = "upload"  # waits for a thread that reads the rest of its body
    ANSWERING = "answering"  # in a thread, or queued for one
    UNREAD = "unread"  # its request has arrived, but earlier answers are not read
    IDLE = "idle"
    CLOSING = "closing"  # answered; the client may still read


class TooSlow(OSError):
    """The client sent or took too few bytes."""


class Pace:
    """A minimum speed: 8 KiB within each `seconds` that are spent waiting for the client."""

    __slots__ = ("_bytes", "_left", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = self._left = seconds
        self._bytes = 0

    def wait(self, sock: socket.socket, event: int) -> None:
        """Wait until a socket is ready.

        Raises:
            TooSlow: it was not in time.
        """
        poll = select.poll()
        poll.register(sock, event)
        began = time.monotonic()
        is_ready = poll.poll(max(0.0, self._left) * 1000)
        self._left -= time.monotonic() - began
        if not is_ready:
            raise TooSlow

    def moved(self, count: int) -> None:
        """Count bytes that were sent or received."""
        self._bytes += count
        if self._bytes >= PACE_BYTES:
            self._bytes, self._left = 0, self._seconds


class Connection:
    """A client connection. The event loop owns it, except while a thread answers a request.

    Attributes:
        stage: its state.
        since: when the current request began to arrive, in monotonic seconds.
        deadline: when the event loop acts on it, in monotonic seconds.
        message: the request that arrives.
        is_shown: the application has asked for the body of this request.
        sends_continue: the client waits for "100 Continue" before it sends the body.
        has_ended: the client sends nothing more.
        is_watched: the event loop's selector has it.
        is_upload: a thread may wait for more of the body of this request.
        is_too_slow: its client sent a body too slowly for such a thread.
        on_upload_read: called once such a body has been read to its end.
    """

    def __init__(
        self, sock: socket.socket, peer: Any, server: Any, tls: ssl.SSLContext | None
    ) -> None:
        """Take an accepted socket; with `tls` it has to complete a handshake first."""
        sock.setblocking(False)
        self.sock = sock
        if tls is not None:
            self.sock = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self.peer, self.server = peer, server
        self.stage = Stage.HEAD if tls is None else Stage.HANDSHAKE
        self.since = self.deadline = 0.0
        self.message = Message()
        self.requests = 0
        self.paced_at = 0
        self.is_shown = self.sends_continue = self.has_ended = False
        self.is_watched = self.is_upload = self.is_too_slow = False
        self.on_upload_read: Callable[[], None] | None = None

    def shake_hands(self) -> int | None:
        """Continue the TLS handshake; returns the awaited selector event, None at its end.

        Raises:
            OSError: it failed.
        """
        sock: Any = self.sock  # a TLS one
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            return selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            return selectors.EVENT_WRITE
        return None

    def receive(self) -> None:
        """Take what has arrived, without waiting."""
        buffer = self.message.buffer
        is_tls = isinstance(self.sock, ssl.SSLSocket)
        while len(buffer) < MAX_HELD_BYTES:
            try:
                data = self.sock.recv(_RECEIVE_BYTES)
            except _MORE_TO_READ:
                return
            except OSError:
                data = b""
            if not data:
                self.has_ended = True
                return
            buffer += data
            # A TLS socket may hold more that no selector reports.
            if len(data) < _RECEIVE_BYTES and not is_tls:
                return

    def wait_for_data(self, seconds: float) -> bool:
        """Wait for bytes; returns whether there are any, or the end."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        poll = select.poll()
        poll.register(self.sock, _READ)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    @property
    def is_writable(self) -> bool:
        """Return whether the socket takes a short answer at once."""
        poll = select.poll()
        poll.register(self.sock, _WRITE)
        return bool(poll.poll(0))

    def read(self, size: int, pace: Pace) -> bytes:
        """Wait for more of the body; b"" at the end of the connection.

        Raises:
            TooSlow: the client falls below the pace.
        """
        while True:
            try:
                data = self.sock.recv(min(size, MAX_HELD_BYTES))
            except _MORE_TO_READ:
                pace.wait(self.sock, _READ)
            except ssl.SSLWantWriteError:
                pace.wait(self.sock, _WRITE)
            except OSError:
                return b""
            else:
                pace.moved(len(data))
                return data

    def write(self, data: bytes, pace: Pace) -> None:
        """Send all of it.

        Raises:
            TooSlow: the client falls below the pace.
            OSError: the connection is lost.
        """
        left = memoryview(data)
        while left:
            try:
                # In pieces: a TLS socket has to be offered the same bytes again.
                sent = self.sock.send(left[:_RECEIVE_BYTES])
            except (BlockingIOError, ssl.SSLWantWriteError):
                pace.wait(self.sock, _WRITE)
            except ssl.SSLWantReadError:
                pace.wait(self.sock, _READ)
            else:
                pace.moved(sent)
                left = left[sent:]

    def write_now(self, data: bytes) -> None:
        """Send a short answer as far as the socket takes it at once."""
        with contextlib.suppress(OSError):
            self.sock.send(data)

    def release_upload(self) -> None:
        """Report that no thread waits for this client any more."""
        if self.on_upload_read is not None:
            self.on_upload_read()
            self.on_upload_read = None

    def begin_next(self, rest: bytes) -> None:
        """Forget the request that was answered; `rest` has arrived behind it."""
        self.message = Message(rest)
        self.paced_at = 0
        self.is_shown = self.sends_continue = False

    def finish(self) -> None:
        """Send the end of the connection; the client may still read the answer."""
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                # Sends close_notify, and raises since the client's has not arrived.
                self.sock.unwrap()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        """Throw away what has arrived; returns whether the connection is still open."""
        try:
            return bool(socket.socket.recv(self.sock, _RECEIVE_BYTES))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close it at once."""
        with contextlib.suppress(OSError):
            self.sock.close()
