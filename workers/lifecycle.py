"""What a worker does at its start."""

import warnings
from typing import Any

from celery import current_app, signals
from celery.exceptions import CPendingDeprecationWarning

from atom.execution.keeper import LeaseKeeper
from atom.logs import configure_logging
from atom.names import CALLBACKS, RECOVERY
from atom.settings import Settings


def connect_lifecycle(settings: Settings, keeper: LeaseKeeper) -> None:
    """Connect the handlers to Celery's signals."""

    def set_logging_up(**_: Any) -> None:
        configure_logging(settings.log_level, settings.log_format, _role())
        redirect_prints()

    def redirect_prints(**_: Any) -> None:
        # What a process prints goes the way of what it logs: it may be a secret as well.
        # The level by name, which the type does not admit: children cannot read back a number.
        current_app.log.redirect_stdouts("INFO", "atom.printed")  # type: ignore[arg-type]

    def hush(**_: Any) -> None:
        # At each lost connection Celery warns of a default to come; the setting is made already.
        warnings.simplefilter("ignore", CPendingDeprecationWarning)

    def keep_leases(**_: Any) -> None:
        keeper.start()

    # Before the pool forks: its children inherit the pipe over which they say what they run.
    signals.worker_init.connect(keep_leases, weak=False, dispatch_uid="atom.leases")
    signals.setup_logging.connect(set_logging_up, weak=False, dispatch_uid="atom.logging")
    # Each child has redirected its own once more, under a name of Celery's.
    signals.worker_process_init.connect(redirect_prints, weak=False, dispatch_uid="atom.prints")
    signals.celeryd_after_setup.connect(hush, weak=False, dispatch_uid="atom.hush")


def _role() -> str:
    """What this worker is for, by the queues that it was told to serve."""
    queues = set(current_app.amqp.queues.consume_from)
    if queues == {RECOVERY}:
        return "recovery"
    return "callbacks" if queues == {CALLBACKS} else "worker"
