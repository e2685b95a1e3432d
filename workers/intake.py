"""How much a worker takes from RabbitMQ while it runs what takes long."""

import time
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

from celery import Celery, bootsteps
from celery.worker import state

_LOOK_SECONDS: Final = 1.0
LONG_SECONDS = 60.0


class Intake(bootsteps.StartStopStep):
    """Acknowledges what takes long, and takes less meanwhile.

    A message is acknowledged when its process has ended, so that RabbitMQ has as many delivered as
    the worker can run. But it closes the channel on whoever does not acknowledge one for half an
    hour (`consumer_timeout`), which hands out again all that the worker holds. So after a minute
    a message is acknowledged early, which loses nothing: it is only a hint. In its place RabbitMQ
    would deliver another, to wait behind a process of hours while other workers are idle; hence
    the worker subscribes anew, to as many fewer. It is the same after a reconnection: what still
    runs came over another connection. A quorum queue knows no other way: how many it may deliver is
    settled when a consumer subscribes.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._since: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        # Those that take up a place here and none in what RabbitMQ may deliver.
        self._unknown_to_it: WeakSet[Any] = WeakSet()
        self._may_deliver = 0
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """Begin, again after each reconnection, before the consumer subscribes."""
        self._cancel()
        self._unknown_to_it = WeakSet(state.reserved_requests)
        # None would be any number; the first look sees to that.
        self._may_deliver = max(1, self._room(consumer))
        consumer.connection.default_channel.basic_qos(0, self._may_deliver, False)
        self._timer = consumer.timer.call_repeatedly(_LOOK_SECONDS, self._look, (consumer,))

    def stop(self, consumer: Any) -> None:
        """Look no longer, until it is started again."""
        self._cancel()

    def _look(self, consumer: Any) -> None:
        now = time.monotonic()
        for request in tuple(state.reserved_requests):
            if now - self._since.setdefault(request, now) >= LONG_SECONDS:
                request.acknowledge()
                self._unknown_to_it.add(request)
        room = self._room(consumer)
        if room != self._may_deliver:
            self._subscribe(consumer, room)

    def _room(self, consumer: Any) -> int:
        held = sum(request in self._unknown_to_it for request in tuple(state.reserved_requests))
        return max(0, int(consumer.pool.num_processes) - held)

    def _subscribe(self, consumer: Any, room: int) -> None:
        consumer.task_consumer.cancel()
        if room:
            consumer.connection.default_channel.basic_qos(0, room, False)
            consumer.task_consumer.consume()
        self._may_deliver = room

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def limit_intake(app: Celery) -> None:
    """Have every worker of the app take only what it can run."""
    app.steps["consumer"].add(Intake)
