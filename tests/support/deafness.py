"""Makes a worker deaf once a file is there, to see that it notices: loaded as a service.

It notices within 5 s, and so does its health check.
"""

import os
import sys
from pathlib import Path

from atom import FlowService
from atom.broker import Channel

deafness = FlowService("Deafness", summary="Nothing to call")
hearing = sys.modules.get("workers.hearing")
heartbeat = sys.modules.get("workers.heartbeat")

if heartbeat is not None:
    heartbeat.BEAT_SECONDS, heartbeat.SILENT_SECONDS = 0.5, 5.0
    sys.modules["workers.silence"].LOOK_SECONDS = 0.5
    sys.modules["workers.ticking"].SILENT_LOOKS = 10

if hearing is not None:
    hearing.DEAF_LOOKS = 10
    ask = Channel._brpop_start

    def ask_unless_deaf(self, timeout=None):
        if not Path(os.environ["TESTS_DEAF_FILE"]).exists():
            ask(self, timeout)

    Channel._brpop_start = ask_unless_deaf
