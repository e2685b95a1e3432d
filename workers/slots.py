"""Slots of a pool of threads: given back if their thread lost a task, reported if it cannot end.

A prefork pool replaces a child that dies or is killed. A thread can do neither. What leaves the
code of Celery in a thread ends in a future that nobody reads: the task counts as active for ever,
and its slot takes no other one.
"""

import logging
from concurrent.futures import Future
from typing import Any

from celery import Celery, bootsteps
from celery.concurrency.thread import TaskPool
from celery.worker import state
from celery.worker.request import Request
from structlog.contextvars import bound_contextvars

from atom.execution.keeper import LeaseKeeper
from atom.text import simple_name

_log = logging.getLogger(__name__)


class Slots:
    """The slots of a worker whose pool has threads."""

    def __init__(self, keeper: LeaseKeeper) -> None:
        self._keeper = keeper
        self._lost: set[str] = set()

    @property
    def wrong(self) -> str:
        """The reason why slots stay taken, for the health check; empty if none does."""
        if self._lost:
            return f"{len(self._lost)} of its slots could not be given back"
        stuck = self._keeper.stuck
        if not stuck:
            return ""
        ids = ", ".join(hold.id for hold in stuck)
        return (
            f"{len(stuck)} of its slots run executions that it no longer holds, which cannot be "
            f"interrupted in this pool: {ids}"
        )

    def watch(self, pool: TaskPool) -> None:
        """Look at each task of the pool when its thread is done with it."""
        apply = pool.on_apply

        def on_apply(*args: Any, **kwargs: Any) -> Any:
            result = apply(*args, **kwargs)
            request = getattr(kwargs.get("callback"), "__self__", None)
            if isinstance(request, Request):
                result.f.add_done_callback(lambda future: self._settle(request, future))
            return result

        pool.on_apply = on_apply  # type: ignore[method-assign]

    def _settle(self, request: Request, future: "Future[Any]") -> None:
        """Give the slot of a request back that has no result although its thread is done."""
        if future.cancelled() or request not in state.reserved_requests:
            return
        error = future.exception()
        with bound_contextvars(execution_id=request.id.removesuffix(".callback")):
            # Without its text, which may hold a secret.
            kind = simple_name(type(error)) if error else "no result"
            _log.error("Its thread lost the task (%s): the slot is given back", kind)
            try:
                state.task_ready(request)
                request.acknowledge()
            except Exception as failure:
                self._lost.add(request.id)
                name = simple_name(type(failure))
                _log.error("The slot could not be given back (%s); restart the worker", name)


def keep_slots(app: Celery, keeper: LeaseKeeper) -> Slots:
    """Have every worker of the app that has a pool of threads watch its slots."""
    slots = Slots(keeper)

    class WatchSlots(bootsteps.StartStopStep):
        """Begins before the first task."""

        requires = ("celery.worker.components:Pool",)

        def start(self, worker: Any) -> None:
            if isinstance(worker.pool, TaskPool):
                slots.watch(worker.pool)

    app.steps["worker"].add(WatchSlots)
    return slots
