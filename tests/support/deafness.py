"""Makes a worker deaf once a file is there, to see that it notices: loaded as a service.

It notices within 5 s, and so does its health check; of RabbitMQ, which sends a heartbeat every 5 s,
within 20.
"""

import os
import sys
import threading
import time
from pathlib import Path

from atom import FlowService
from atom.broker import rabbitmq
from atom.broker.redis import Channel

deafness = FlowService("Deafness", summary="Nothing to call")
hearing = sys.modules.get("workers.hearing")
heartbeat = sys.modules.get("workers.heartbeat")

if heartbeat is not None:
    heartbeat.BEAT_SECONDS, heartbeat.SILENT_SECONDS = 0.5, 5.0
    sys.modules["workers.silence"].LOOK_SECONDS = 0.5
    sys.modules["workers.ticking"].SILENT_LOOKS = 10

if hearing is not None:
    of_redis = "amqp" not in os.environ["ATOM_BROKER_URL"]
    hearing.DEAF_LOOKS = 10 if of_redis else 40
    ask = Channel._brpop_start
    read = rabbitmq.Connection.drain_events

    def is_deaf():
        return Path(os.environ["TESTS_DEAF_FILE"]).exists()

    def ask_unless_deaf(self, timeout=None):
        if not is_deaf():
            ask(self, timeout)

    def read_unless_deaf(self, timeout=None):
        if is_deaf() and threading.current_thread() is threading.main_thread():
            time.sleep(0.05)
            raise TimeoutError
        read(self, timeout)

    Channel._brpop_start = ask_unless_deaf
    rabbitmq.Connection.drain_events = read_unless_deaf
