"""The event loop of a server process: accepts, collects requests and keeps the time limits.

Threads only get requests that have arrived. Handshakes, heads, and bodies of up to 1 MiB are
collected here without waiting, so that a slow client holds a connection but no thread.
"""

import contextlib
import errno
import queue
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from atom.server import refusals
from atom.server.application import Application, Outcome
from atom.server.connection import Connection, Stage
from atom.server.connections import Connections
from atom.server.limits import MAX_HELD_BYTES, PACE_BYTES, Limits
from atom.server.message import Missing
from atom.server.threads import Threads
from atom.server.traffic import Reason, Row

# A body that follows its head within this time is collected before the application sees the head.
_GRACE_SECONDS: Final = 0.2
# A process that leaves new connections to others checks again after this time.
_BALANCE_SECONDS: Final = 0.005
_LONGEST_TURN_SECONDS: Final = 1.0
_SHORTEST_TURN_SECONDS: Final = 0.01
_REPORT_SECONDS: Final = 0.5
_CLOSING_SECONDS: Final = 2.0
_LONGEST_CLOSING_SECONDS: Final = 20.0
_LAST_HEAD_SECONDS: Final = 2.0
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_PASSING: Final = (errno.EAGAIN, errno.ECONNABORTED, errno.EINTR)


class Loop:
    """The server of one process. All methods but `wake` run in its own thread."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        application: Application,
        limits: Limits,
        row: Row,
        *,
        balance: Callable[[int], bool] = lambda _: True,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Make one.

        Args:
            sockets: listening ones.
            application: answers requests.
            limits: how long and how many.
            row: where the counts are published.
            balance: whether to accept one more than this many connections.
            tls: gives the context for new connections; None: plain HTTP.
        """
        self._sockets, self._application, self._limits = sockets, application, limits
        self._row, self._balance, self._tls = row, balance, tls
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._alarm, self._bell = socket.socketpair()
        for end in (self._alarm, self._bell):
            end.setblocking(False)
        self._connections = Connections()
        self._selector = self._connections.selector
        self._selector.register(self._alarm, selectors.EVENT_READ, self._run_calls)
        self._threads = Threads(application, limits.threads, self._return)
        self._uploads: deque[Connection] = deque()  # they wait for a thread
        self._uploading = 0
        self._is_accepting = self._is_closed = False
        self._accept_again_at = self._report_at = 0.0

    @property
    def active(self) -> int:
        """Return the number of connections that are not about to be closed."""
        return self._connections.active

    def wake(self) -> None:
        """End the current wait; may be called from any thread and from a signal handler."""
        with contextlib.suppress(OSError):  # it is full, which wakes as well, or closed
            self._bell.send(b"\0")

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Serve until `goes_on`, which is asked at least once a second, returns False."""
        while goes_on():
            self._set_accepting(self._may_accept())
            self._turn()

    def finish(self, seconds: float, goes_on: Callable[[], bool]) -> None:
        """Accept no more, and answer what has arrived, for at most this many seconds."""
        self._set_accepting(False)
        self._threads.keeps_connections = False
        until = time.monotonic() + seconds
        last = time.monotonic() + _LAST_HEAD_SECONDS
        for connection in self._connections:
            # A client may just be sending its next request.
            if connection.stage in (Stage.IDLE, Stage.HEAD, Stage.HANDSHAKE):
                self._connections.set_deadline(connection, min(connection.deadline, last))
        while self.active and time.monotonic() < until and goes_on():
            self._turn()

    def close(self) -> None:
        """Close everything; a thread that still answers a request closes its connection."""
        self._is_closed = True
        self._run_calls()
        self._threads.end()
        self._connections.close()
        self._alarm.close()
        self._bell.close()

    # --- turns

    def _turn(self) -> None:
        now = time.monotonic()
        seconds = self._connections.next_deadline - now
        seconds = min(_LONGEST_TURN_SECONDS, max(_SHORTEST_TURN_SECONDS, seconds))
        if not self._is_accepting and self._threads.keeps_connections:
            seconds = min(seconds, _BALANCE_SECONDS)
        for key, _ in self._selector.select(seconds):
            if not isinstance(key.data, Connection):
                key.data()
            elif key.data.is_watched:
                self._advance(key.data)
        now = time.monotonic()
        if now >= self._connections.next_deadline:
            for connection in self._connections.expired(now):
                self._expire(connection)
        if now >= self._report_at:
            self._report(now)

    def _run_calls(self) -> None:
        with contextlib.suppress(OSError):
            self._alarm.recv(4096)
        with contextlib.suppress(queue.Empty):
            while True:
                self._calls.get_nowait()()

    def _call(self, call: Callable[[], None]) -> None:
        """Have the event loop call something; for other threads."""
        self._calls.put(call)
        self.wake()

    def _report(self, now: float) -> None:
        self._report_at = now + _REPORT_SECONDS
        for connection in self._connections.excess():
            self._cut(connection, Reason.PRESSURE)
        threads = self._threads
        self._row.publish(threads.limit, threads.busy, threads.wait(now), self._connections.stages)

    # --- accepting

    def _may_accept(self) -> bool:
        count = len(self._connections)
        if not self._balance(count) or time.monotonic() < self._accept_again_at:
            return False
        return count < self._limits.connections or self._connections.oldest() is not None

    def _set_accepting(self, is_accepting: bool) -> None:
        if is_accepting == self._is_accepting:
            return
        for listening in self._sockets:
            if is_accepting:
                listening.setblocking(False)
                accept = partial(self._accept, listening)
                self._selector.register(listening, selectors.EVENT_READ, accept)
            else:
                self._selector.unregister(listening)
        self._is_accepting = is_accepting

    def _accept(self, listening: socket.socket) -> None:
        if len(self._connections) >= self._limits.connections:
            self._make_room()
        try:
            sock, peer = listening.accept()
        except OSError as error:
            if error.errno not in _PASSING:  # no file descriptor is free
                self._make_room()
                self._accept_again_at = time.monotonic() + _BALANCE_SECONDS
            return
        try:
            tls = self._tls() if self._tls is not None else None
            connection = Connection(sock, peer, listening.getsockname(), tls)
        except (OSError, ValueError):  # the client has closed it already
            sock.close()
            return
        self._connections.add(connection, self._limits.head_seconds)

    def _make_room(self) -> None:
        oldest = self._connections.oldest()
        if oldest is not None:
            self._cut(oldest, Reason.IDLE if oldest.stage is Stage.IDLE else Reason.PRESSURE)

    # --- stages

    def _advance(self, connection: Connection) -> None:
        """Act on what has arrived on a connection."""
        match connection.stage:
            case Stage.HANDSHAKE:
                self._shake_hands(connection)
            case Stage.CLOSING:
                self._discard(connection)
            case Stage.UNREAD:  # its socket can be written to again
                self._pass_to_thread(connection)
            case _:
                if connection.stage is Stage.IDLE:
                    self._begin_head(connection)
                connection.receive()
                self._sort(connection)

    def _shake_hands(self, connection: Connection) -> None:
        try:
            awaited = connection.shake_hands()
        except (OSError, ValueError):
            self._cut(connection, Reason.HANDSHAKE)
            return
        if awaited is not None:
            self._connections.watch(connection, awaited)
            return
        self._connections.watch(connection)
        self._begin_head(connection)
        connection.receive()  # a request may have come with the end of the handshake
        self._sort(connection)

    def _begin_head(self, connection: Connection) -> None:
        self._connections.enter(connection, Stage.HEAD, self._limits.head_seconds)
        connection.since = time.monotonic()

    def _sort(self, connection: Connection) -> None:
        """Decide what a connection waits for next."""
        message = connection.message
        missing = message.missing()
        if missing is Missing.NOTHING:
            self._serve(connection)
        elif connection.has_ended:
            if message.buffer:
                self._refuse(connection, 400, refusals.TRUNCATED)
            else:
                self._connections.drop(connection)
        elif missing is Missing.BODY:
            self._collect_body(connection)
        elif message.is_head_too_long:
            self._refuse(connection, *refusals.head_too_long(b"\r\n" in message.buffer))

    def _collect_body(self, connection: Connection) -> None:
        message, seconds = connection.message, self._limits.body_seconds
        is_full = len(message.buffer) >= MAX_HELD_BYTES
        if not connection.is_shown:
            if is_full or message.expects:
                self._serve(connection)
            elif connection.stage is not Stage.BODY:
                self._connections.enter(connection, Stage.BODY, min(_GRACE_SECONDS, seconds))
        elif is_full:
            self._await_upload(connection)
        elif len(message.buffer) - connection.paced_at >= PACE_BYTES:
            connection.paced_at = len(message.buffer)
            self._connections.set_deadline(connection, time.monotonic() + seconds)

    def _await_upload(self, connection: Connection) -> None:
        self._connections.unwatch(connection)
        self._connections.enter(connection, Stage.UPLOAD, self._limits.body_seconds)
        self._uploads.append(connection)
        self._begin_uploads()

    def _begin_uploads(self) -> None:
        while self._uploads and self._uploading < self._limits.upload_threads:
            connection = self._uploads.popleft()
            if connection in self._connections and connection.stage is Stage.UPLOAD:
                self._uploading += 1
                connection.is_upload = True
                connection.on_upload_read = partial(self._call, self._end_upload)
                self._serve(connection)

    def _end_upload(self) -> None:
        self._uploading -= 1
        self._begin_uploads()

    def _serve(self, connection: Connection) -> None:
        """Pass a connection to a thread, unless its client leaves earlier answers unread."""
        if connection.requests and not connection.is_writable:
            self._connections.enter(connection, Stage.UNREAD, self._limits.body_seconds)
            self._connections.watch(connection, selectors.EVENT_WRITE)
        else:
            self._pass_to_thread(connection)

    def _pass_to_thread(self, connection: Connection) -> None:
        self._connections.unwatch(connection)
        self._connections.enter(connection, Stage.ANSWERING, float("inf"))
        self._threads.put(connection)

    def _return(self, connection: Connection, outcome: Outcome) -> None:
        """Take a connection back from its thread; runs there."""
        self._call(partial(self._go_on, connection, outcome))
        if self._is_closed:
            connection.close()

    def _go_on(self, connection: Connection, outcome: Outcome) -> None:
        self._threads.took_back()
        connection.release_upload()
        connection.is_upload = False
        if connection.is_too_slow:
            self._row.count(Reason.BODY)
        if self._is_closed:  # the thread may be closing it as well
            connection.finish()
            self._connections.drop(connection)
            return
        match outcome:
            case Outcome.KEEP:
                self._keep(connection)
            case Outcome.AWAITS_BODY:
                self._await_body(connection)
            case Outcome.CLOSE:
                self._linger(connection)
            case Outcome.TOO_SLOW:
                self._cut(connection, Reason.ANSWER)
            case Outcome.LOST:
                self._connections.drop(connection)

    def _await_body(self, connection: Connection) -> None:
        connection.is_shown = True
        connection.paced_at = len(connection.message.buffer)
        if connection.sends_continue:
            connection.write_now(_CONTINUE)
        self._connections.enter(connection, Stage.BODY, self._limits.body_seconds)
        self._connections.watch(connection)
        self._sort(connection)

    def _keep(self, connection: Connection) -> None:
        connections, limits = self._connections, self._limits
        if connection.message.buffer or connection.has_ended:
            self._begin_head(connection)
            connections.watch(connection)
            self._sort(connection)
            return
        is_last = not self._threads.keeps_connections
        seconds = min(_LAST_HEAD_SECONDS, limits.idle_seconds) if is_last else limits.idle_seconds
        connections.enter(connection, Stage.IDLE, seconds)
        connection.since = time.monotonic()
        connections.watch(connection)

    # --- ends

    def _expire(self, connection: Connection) -> None:
        match connection.stage:
            case Stage.BODY if not connection.is_shown:
                self._serve(connection)
            case Stage.BODY:
                self._refuse(connection, 408, refusals.BODY_TOO_SLOW, Reason.BODY)
            case Stage.HEAD if connection.message.buffer:
                self._refuse(connection, 408, refusals.HEAD_TOO_SLOW, Reason.HEAD)
            case Stage.UPLOAD:
                self._refuse(connection, 503, refusals.TOO_MANY_UPLOADS, Reason.UPLOAD)
            case Stage.HANDSHAKE:
                self._cut(connection, Reason.HANDSHAKE)
            case Stage.UNREAD:
                self._cut(connection, Reason.ANSWER)
            case Stage.CLOSING:
                self._connections.drop(connection)
            case _:  # no request has begun
                self._cut(connection, Reason.IDLE)

    def _refuse(
        self, connection: Connection, status: int, message: str, reason: Reason | None = None
    ) -> None:
        """Answer without the application, and close."""
        if reason is not None:
            self._row.count(reason)
        self._application.refuse(connection, status, message)
        self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """Close a connection such that the client can read its answer.

        To close a socket with unread bytes resets the connection and may destroy the answer.
        """
        connection.finish()
        if connection.has_ended:
            self._connections.drop(connection)
            return
        connection.message.buffer.clear()
        connection.since = time.monotonic()
        self._connections.enter(connection, Stage.CLOSING, _CLOSING_SECONDS)
        self._connections.watch(connection)

    def _discard(self, connection: Connection) -> None:
        if not connection.discard():
            self._connections.drop(connection)
            return
        until = connection.since + _LONGEST_CLOSING_SECONDS
        deadline = min(until, time.monotonic() + _CLOSING_SECONDS)
        self._connections.set_deadline(connection, deadline)

    def _cut(self, connection: Connection, reason: Reason) -> None:
        self._row.count(reason)
        self._connections.drop(connection)
