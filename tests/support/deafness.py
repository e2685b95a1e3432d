"""Makes a worker deaf once a file is there, or a tick of recovery hang: loaded as a service.

A worker notices within 5 s, and so does its health check; of RabbitMQ, which sends a heartbeat
every 5 s, within 20. Recovery notices a tick that hangs within 20 s.
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
heartbeat = sys.modules.get("atom.heartbeat")
loop = sys.modules.get("atom.recovery.loop")


def file_exists(variable):
    return variable in os.environ and Path(os.environ[variable]).exists()


if heartbeat is not None:
    heartbeat.BEAT_SECONDS, heartbeat.SILENT_SECONDS = 0.5, 5.0

if loop is not None:
    loop.STUCK_SECONDS = 20.0  # longer than a store that hangs is waited for
    loop.LONGEST_STUCK_SECONDS = float(os.environ.get("TESTS_LONGEST_STUCK_SECONDS", "600"))
    watch_clock = loop.Recovery.watch_clock

    def watch_clock_unless_hung(self):
        while file_exists("TESTS_HUNG_FILE"):
            time.sleep(0.05)
        return watch_clock(self)

    loop.Recovery.watch_clock = watch_clock_unless_hung

if hearing is not None:
    hearing.LOOK_SECONDS = 0.5
    of_redis = "amqp" not in os.environ["ATOM_BROKER_URL"]
    hearing.DEAF_LOOKS = 10 if of_redis else 40
    ask = Channel._brpop_start
    read = rabbitmq.Connection.drain_events

    def is_deaf():
        return file_exists("TESTS_DEAF_FILE")

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
