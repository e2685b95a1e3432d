"""Processes that an execution starts: with `subprocess`, `multiprocessing` or `os.fork`.

Celery's pool consists of daemons of billiard, a fork of multiprocessing, and each of them stands
as the current process of multiprocessing, too. That refuses children to a daemon, and the key of
billiard's processes cannot be handed to a child. They ignore SIGTERM, and a program that they start
would inherit that: neither `Popen.terminate` nor `Pool.terminate` could end it.
"""

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import thread as futures_thread
from functools import cache
from multiprocessing import process as mp_process
from multiprocessing import util
from typing import Any, Final

from celery import signals

_LOOK_SECONDS: Final = 0.5
_PACKAGES: Final = {"billiard", "celery", "workers"}

_forking = threading.local()


def admit_processes() -> None:
    """Let executions start processes, in every pool of Celery."""
    signals.worker_process_init.connect(
        _become_parent, weak=False, dispatch_uid="atom.multiprocessing"
    )
    signals.task_prerun.connect(_catch_sigterm, weak=False, dispatch_uid="atom.sigterm")
    _register_hooks()


@cache
def _register_hooks() -> None:
    os.register_at_fork(
        before=_block_sigterm, after_in_parent=_restore_mask, after_in_child=_reset_signals
    )
    util.register_after_fork(_detach, lambda detach: detach())


def _become_parent(**_: Any) -> None:
    """Take the place of billiard's process in multiprocessing; billiard keeps its own."""
    current = multiprocessing.Process(name=multiprocessing.current_process().name, daemon=False)
    current.authkey = os.urandom(32)
    mp_process._current_process = current  # type: ignore[attr-defined]


# --- signals


def _catch_sigterm(**_: Any) -> None:
    """Ignore SIGTERM by a handler from now on, which no program inherits.

    Not at the start of the process: billiard sets its handlers after the last signal of Celery.
    """
    if signal.getsignal(signal.SIGTERM) == signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _ignore)


def _ignore(number: int, frame: Any) -> None:
    """Do nothing: the worker's first process ends its pool."""


def _block_sigterm() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _restore_mask() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _reset_signals() -> None:
    """Drop the worker's handlers in a forked process; a SIGTERM that came meanwhile ends it."""
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        module = getattr(handler, "__module__", None) or ""
        if callable(handler) and module.partition(".")[0] in _PACKAGES:
            signal.signal(number, signal.SIG_DFL)
    _restore_mask()


# --- what is forked by multiprocessing


def _detach() -> None:
    """Separate a forked process of multiprocessing from the worker."""
    if not isinstance(multiprocessing.current_process(), mp_process.BaseProcess):
        return  # billiard shares the hook, and ends its own
    # At its end Python would join the threads of the worker's pool, which are not here, and among
    # them itself: in a pool of threads every forked process would exit with 1.
    futures_thread._threads_queues.clear()  # type: ignore[attr-defined]
    _end_with_parent()


def _end_with_parent() -> None:
    """Make this process end soon after its parent, however that ends.

    It holds the descriptors by which Celery sees that a process of its pool has ended: as long as
    it lives on, no other one takes that place.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
