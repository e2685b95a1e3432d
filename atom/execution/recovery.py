"""Recovery: finds what nobody is doing and wakes a worker for it.

Every function may run twice, late, or in several processes at once: its scripts decide which of
several takes what is due, it publishes wake-ups only, and the claims decide who acts.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from structlog.contextvars import bound_contextvars

from atom.catalog import Catalog
from atom.errors import HistoryUnavailable, NotFound, PublishFailed, StoreUnavailable
from atom.execution.clock import Clock
from atom.execution.ending import time_out
from atom.logs import context_of
from atom.metrics import RECOVERY_TICKS
from atom.names import CALLBACKS
from atom.outage import Outage
from atom.process import Process
from atom.publisher import Publisher
from atom.records import Envelope
from atom.store import ExecutionStore
from atom.store.files import FileStore

_log = logging.getLogger(__name__)

# Bounded work in one tick, and as many messages as a queue needs for workers not to run dry; what
# is left is found by a later tick.
_AT_ONCE: Final = 500
_WOKEN_AT_MOST: Final = 5_000
_MOVED_AT_MOST: Final = 5_000
# In one script, while which Redis does nothing else.
_CHILDREN_AT_ONCE: Final = 100
# Between two lines that say that the history database is away.
_SILENT_SECONDS: Final = 60.0


class Recovery:
    """The periodic look at the store."""

    def __init__(
        self, catalog: Catalog, store: ExecutionStore, publisher: Publisher, files: FileStore
    ) -> None:
        self._catalog, self._store, self._publisher = catalog, store, publisher
        self._files = files
        self._silent_until = 0.0
        self._clock = Clock(store)
        self._broker = Outage(_log, "Recovery cannot publish", "Recovery publishes again")
        self._has_published = False  # in this tick, or tried to
        self.progress = 0
        """Increases with each part of a tick that ends. It stands still if a tick hangs."""

    def tick(self) -> dict[str, int]:
        """Do everything once; return how many of each kind were done.

        A function that fails does not keep the others from their work.

        Raises:
            StoreUnavailable: then nothing can be done.
        """
        self._has_published = False
        counts: dict[str, int] = {}
        functions: dict[str, Callable[[], int]] = {
            "due times recomputed": self.watch_clock,
            "callbacks published": self.publish_callbacks,
            "overdue ended": self.end_overdue,
            "lost taken over": self.take_over_lost,
            "scheduled published": self.publish_scheduled,
            "suspended woken": self.wake_suspended,
            "released": self.publish_released,
            "unstarted published again": self.publish_unstarted,
            "moved to the history database": self.move_settled,
            "children kept or left to expire": self.tend_families,
            "history trimmed": lambda: self._store.trim(_AT_ONCE),
            "expired uploads deleted": self._files.trim,
        }
        end = "whole"
        for name, function in functions.items():
            try:
                done = function()
            except StoreUnavailable:
                RECOVERY_TICKS.labels("store_away").inc()
                raise
            except HistoryUnavailable as error:
                end = "history_away"
                self._tell(error)
                continue
            except Exception:
                end = "broken"
                _log.exception("Recovery: %s: broke", name)
                continue
            finally:
                self.progress += 1
            if done:
                counts[name] = done
                _log.info("Recovery: %s %d", name, done)
        self._look_for_broker()
        RECOVERY_TICKS.labels(end).inc()
        if counts:
            self._store.count(counts)
        return counts

    def watch_clock(self) -> int:
        """Due times that were set by the store's clock before it was set back."""
        return self._clock.watch()

    def publish_callbacks(self) -> int:
        """Publish a callback whose due time has come, unless many messages wait already.

        The callback worker that is woken for one looks for the others.
        """
        for execution_id in self._store.take_due_callbacks(1):
            if self._room(CALLBACKS, {}) and self._publish_callback(execution_id):
                return 1
        return 0

    def publish_scheduled(self) -> int:
        """Executions that were put off or handed back, and whose time has come."""
        return self._publish(self._store.take_scheduled(_AT_ONCE))

    def wake_suspended(self) -> int:
        """Executions that were suspended until a time that has come.

        Many may have chosen the same one, and each is woken once: so these are more at once.
        """
        woken = 0
        while woken < _WOKEN_AT_MOST:
            some = self._store.take_suspended(_AT_ONCE)
            woken += some
            if some < _AT_ONCE:
                break
        return woken

    def publish_released(self) -> int:
        """Executions whose turn it is, where nobody could say so or died before it published."""
        self._fit_windows()
        limits: dict[str, int] = {}
        for name in self._store.lines():
            with suppress(NotFound):
                process = self._catalog.process(*name.split(".", 1))
                limits[name] = process.options.max_concurrency or 0
        return self._publish(self._store.take_released(limits, _AT_ONCE))

    def _fit_windows(self) -> None:
        """Half as many as a queue has places in its workers.

        Fewer than there are places, so that somebody new waits for no more than one process to
        end; not far fewer, so that no place waits for the next message of the only tenant.
        """
        places: Counter[str] = Counter()
        for each in self._store.presences():
            places[each.role] += int(each.details.get("concurrency", 0))
        sizes = {queue: max(1, count // 2) for queue, count in places.items() if count}
        if sizes:
            self._store.set_windows(sizes)

    def publish_unstarted(self) -> int:
        """Accepted, but never started: the message was lost, or the workers are behind.

        In a long queue nothing is missed, so nothing is added to it: who waits there is looked at
        again when it has become short.
        """
        return self._publish(self._store.take_unstarted(_AT_ONCE), only_into_short=True)

    def take_over_lost(self) -> int:
        """Executions whose worker gave no sign of life for the length of a lease."""
        if not self._clock.can_judge_leases:
            return 0
        return self._publish(self._store.take_lost(_AT_ONCE))

    def end_overdue(self) -> int:
        """End executions past their deadline, and publish the callbacks of their flows.

        After a failure to publish, the other callbacks are left to later ticks.
        """
        ended, can_publish = 0, True
        for execution_id in self._store.take_overdue(_AT_ONCE):
            self.progress += 1
            how = time_out(self._catalog, self._store, execution_id)
            ended += how is not None
            if how is not None and how.is_callback_due and can_publish:
                can_publish = self._publish_callback(execution_id)
        return ended

    def move_settled(self) -> int:
        """Executions that have ended and are settled, where there is a history database.

        First they are copied and then removed here: whoever dies in between leaves them in both
        places, and they are moved again.
        """
        settled = self._store.take_settled(_AT_ONCE)
        return self._store.remove_copied(self._store.copy_settled(settled)) if settled else 0

    def tend_families(self) -> int:
        """Children whose parent is kept for longer than they are, or no longer."""
        tended = 0
        while tended < _MOVED_AT_MOST:
            some = self._store.tend_families(_CHILDREN_AT_ONCE)
            tended += some
            if some < _CHILDREN_AT_ONCE:
                break
        return tended

    def _tell(self, error: HistoryUnavailable) -> None:
        """Once in a while: nothing is lost, and the next look comes within a second."""
        if time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + _SILENT_SECONDS
            _log.warning("What has finished stays in Redis meanwhile: %s", error)

    def _publish(self, execution_ids: Sequence[str], *, only_into_short: bool = False) -> int:
        """Wake workers; after a failure to publish, the rest is left to a later tick.

        Each failure may take as long as the publisher waits, and other work waits meanwhile. An
        execution whose queue has changed, or whose process no service declares any more, leaves
        its window: it would keep others from their turn for as long as nobody begins it.
        """
        published = moved = 0
        rooms: dict[str, int] = {}
        left = deque(execution_ids)
        while left:
            execution_id = left.popleft()
            envelope = self._store.envelope(execution_id)
            if envelope is None:
                continue
            process = self._process(execution_id, envelope)
            queue = process.options.queue if process else ""
            if envelope.queue != queue and moved < _MOVED_AT_MOST:
                left.extend(self._store.requeue(execution_id, queue))
                moved += 1
                continue
            if process is None or (only_into_short and not self._room(queue, rooms)):
                continue
            publish = partial(
                self._publisher.publish,
                process.task_name,
                execution_id,
                queue,
                envelope.parentage,
            )
            if not self._is_published(publish):
                break
            if only_into_short:
                rooms[queue] -= 1
            published += 1
        return published

    def _process(self, execution_id: str, envelope: Envelope) -> Process | None:
        try:
            return self._catalog.process(envelope.service, envelope.action)
        except NotFound as error:
            with bound_contextvars(**context_of(execution_id, envelope)):
                _log.warning("Could not be published again: %s", error)
            return None

    def _publish_callback(self, execution_id: str) -> bool:
        """Wake a callback worker; return whether the broker took the message."""
        return self._is_published(partial(self._publisher.publish_callback, execution_id))

    def _is_published(self, publish: Callable[[], None]) -> bool:
        """Publish a message; return whether the broker took it."""
        self._has_published = True
        try:
            publish()
        except PublishFailed as error:
            self._broker.note(error)
            return False
        finally:
            self.progress += 1
        self._broker.end()
        return True

    def _look_for_broker(self) -> None:
        """Notice the end of an outage if there was nothing to publish in this tick."""
        if self._broker.is_ongoing and not self._has_published:
            try:
                self._publisher.waiting(CALLBACKS)
            except PublishFailed as error:
                self._broker.note(error)
            else:
                self._broker.end()

    def _room(self, queue: str, rooms: dict[str, int]) -> int:
        """Return how many messages may be added to a queue; 0 if the broker does not answer."""
        if queue not in rooms:
            try:
                rooms[queue] = max(0, _AT_ONCE - self._publisher.waiting(queue))
            except PublishFailed as error:
                self._broker.note(error)
                rooms[queue] = 0
            finally:
                self.progress += 1
        return rooms[queue]
