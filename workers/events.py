"""Task events in batches: what Flower sees a moment later costs a fraction to send."""

from typing import Any, Final

from celery import Celery, bootsteps

from workers.outcomes import OutcomeEvents

FLUSH_SECONDS: Final = 0.2


class EventBatches(bootsteps.StartStopStep):
    """Sends buffered task events a few times a second instead of after each one.

    Celery publishes its buffer at the next turn of its loop, which on a worker of short tasks is
    one publication for each event or two: two fifths of what the worker's main process does.
    A full buffer is still sent at once.
    """

    requires = ("celery.worker.consumer.events:Events",)

    outcomes: OutcomeEvents

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """Take over from Celery's own flushing; again after each reconnection."""
        dispatcher = consumer.event_dispatcher
        if dispatcher is None or not dispatcher.enabled:
            return
        self._cancel()
        dispatcher.on_send_buffered = None
        self._timer = consumer.timer.call_repeatedly(FLUSH_SECONDS, self._send, (dispatcher,))

    def stop(self, consumer: Any) -> None:
        """Stop flushing before a reconnection; at the end it goes on for what still runs."""
        if consumer.connection is None:
            self._cancel()

    def shutdown(self, consumer: Any) -> None:
        """Send what is buffered, while the connection is still open."""
        self._cancel()
        if consumer.event_dispatcher is not None:
            self._send(consumer.event_dispatcher)

    def _send(self, dispatcher: Any) -> None:
        self.outcomes.send(dispatcher)
        dispatcher.flush()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def batch_events(app: Celery, outcome_events: OutcomeEvents) -> None:
    """Have every worker of the app send its events, and those of executions, in batches."""

    class Batches(EventBatches):
        outcomes = outcome_events

    app.steps["consumer"].add(Batches)
