"""Celery's options, each with its reason."""

from collections.abc import Iterable
from typing import Any, Final

from atom.broker import BrokerAddress
from atom.names import CALLBACKS, PROCESSES
from atom.settings import Settings

_REDIS: Final = {
    # Without these a worker stays deaf for good after a silent network cut: a reply that is overdue
    # by the health check's interval ends the connection, and a new one is made.
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
}

_RABBITMQ: Final = {
    # Events are sent without a confirmation: a lost one is made up for by the next. So
    # nothing but a full buffer could make a worker wait.
    "write_timeout": 5,
}


def celery_options(settings: Settings, process_queues: Iterable[str]) -> dict[str, Any]:
    """Settings → Celery options."""
    queues = {PROCESSES, *process_queues, CALLBACKS}
    broker = BrokerAddress.of(settings.broker)
    return {
        **_of_broker(broker),
        # The store keeps every outcome; a result backend would be a second truth.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # JSON only: a message must never be able to run code.
        "task_serializer": "json",
        "accept_content": ["json"],
        # Late acknowledgement with a prefetch of one reserves exactly what is being run, so no
        # message waits behind a long process while another worker is idle.
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "task_queues": [broker.queue(name) for name in sorted(queues)],
        "task_default_queue": PROCESSES,
        "task_default_exchange": "",
        # A misspelt queue is an error, not a new queue that nobody consumes.
        "task_create_missing_queues": False,
        "worker_send_task_events": True,
        # Off until Celery 6: the lease and the fence decide who may finish, not the connection.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        # Its proxies lack most of what a text stream has; see atom/streams.py.
        "worker_redirect_stdouts": False,
        # How long a result may come in after the process that sent it died: ours are in the store.
        "worker_lost_wait": 1.0,
        "timezone": "UTC",
    }


def _of_broker(broker: BrokerAddress) -> dict[str, Any]:
    """How it is reached."""
    return {
        "broker_url": broker.url,
        "broker_transport": broker.transport,
        "broker_transport_options": {
            **broker.options,
            **(_REDIS if broker.is_redis else _RABBITMQ),
        },
        "broker_use_ssl": broker.ssl,
        # Who waits for the broker at start or after an outage waits as long as it takes.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Nor does a queue of RabbitMQ end a worker which is not to be had for a while, or deleted.
        "broker_channel_error_retry": not broker.is_redis,
        # Of RabbitMQ: a connection that was cut in silence is found to be dead within two of these.
        "broker_heartbeat": 10,
        # Without what Celery declares of its own where it meets quorum queues.
        "worker_consumer": "workers.consumer:Consumer",
    }
