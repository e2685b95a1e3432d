"""What a worker does at its start."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from celery import signals
from celery.exceptions import CPendingDeprecationWarning

from atom.execution.keeper import LeaseKeeper
from atom.garbage import settle
from atom.logs import configure_logging
from atom.names import CALLBACKS
from atom.settings import Settings
from atom.streams import capture_streams
from atom.traces import flush


def connect_lifecycle(settings: Settings, keeper: LeaseKeeper) -> None:
    """Connect the handlers to Celery's signals."""

    def set_logging_up(options: Mapping[str, Any], **_: Any) -> None:
        configure_logging(settings.log_level, settings.log_format, _role(options["queues"] or ()))

    def capture_prints(**_: Any) -> None:
        capture_streams()

    def hush(**_: Any) -> None:
        # At each lost connection Celery warns of a default to come; the setting is made already.
        warnings.simplefilter("ignore", CPendingDeprecationWarning)

    def before_forking(**_: Any) -> None:
        keeper.start()
        settle()

    # Before the pool forks: its children inherit the pipe over which they say what they run.
    signals.worker_init.connect(before_forking, weak=False, dispatch_uid="atom.leases")
    # The first thing that a worker does, before it warns of anything.
    signals.celeryd_init.connect(set_logging_up, weak=False, dispatch_uid="atom.logging")
    # A receiver keeps Celery from setting up its own logging. Children of the pool inherit streams.
    signals.setup_logging.connect(capture_prints, weak=False, dispatch_uid="atom.prints")
    # Celery's processes end without Python's own farewell.
    signals.worker_process_shutdown.connect(flush, weak=False, dispatch_uid="atom.traces")
    signals.worker_shutdown.connect(flush, weak=False, dispatch_uid="atom.traces")
    signals.celeryd_after_setup.connect(hush, weak=False, dispatch_uid="atom.hush")


def _role(queues: Iterable[str]) -> str:
    """Return the role that a worker logs, by the queues that it was told to serve."""
    return CALLBACKS if list(queues) == [CALLBACKS] else "worker"
