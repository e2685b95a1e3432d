"""Celery's consumer without the part that we have no use for."""

from typing import Any, Final

from celery.worker import consumer

_DELAYED_DELIVERY: Final = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


_Blueprint: Any = consumer.Consumer.Blueprint


class Consumer(consumer.Consumer):
    """A consumer that declares no queues but ours.

    Where it meets quorum queues, Celery's makes 28 more of them, for messages that are to come
    later. Ours never are: the due time of everything is in the store.
    """

    class Blueprint(_Blueprint):
        """Its parts."""

        default_steps: Final = [
            each for each in _Blueprint.default_steps if each != _DELAYED_DELIVERY
        ]
