"""The Celery tasks, all thin: one for each process, and one that delivers."""

import logging
import os
import socket
from collections.abc import Callable
from functools import cached_property
from traceback import format_tb
from typing import Any

from billiard.common import terminate_handler_fired  # type: ignore[attr-defined]
from celery import Celery
from celery.platforms import EX_FAILURE
from celery.worker.request import Request
from structlog.contextvars import bound_contextvars

from atom.catalog import Catalog
from atom.errors import StoreUnavailable, Unreadable
from atom.execution.delivery import Deliverer
from atom.execution.keeper import LeaseKeeper
from atom.execution.runner import Limits, Runner
from atom.execution.wakeup import Waker
from atom.flow.addresses import CallbackPolicy
from atom.flow.clients import FlowClients
from atom.flow.transport import Transport
from atom.names import DELIVER_TASK
from atom.process import Process
from atom.publisher import Publisher
from atom.settings import Settings
from atom.store import RedisStore
from atom.store.files import FileStore, file_store
from atom.text import simple_name

_log = logging.getLogger(__name__)


class _Parts:
    """What the tasks of one process share, made at first use (that is, after the fork)."""

    def __init__(self, settings: Settings, catalog: Catalog, keeper: LeaseKeeper) -> None:
        self._settings, self._catalog, self._keeper = settings, catalog, keeper
        self._flow_clients = FlowClients(settings)

    @cached_property
    def _store(self) -> RedisStore:
        return RedisStore(self._settings, on_released=Waker(self._catalog, self._publisher))

    @cached_property
    def _publisher(self) -> Publisher:
        return Publisher(self._settings.broker)

    @cached_property
    def _files(self) -> FileStore:
        return file_store(self._settings)

    @cached_property
    def runner(self) -> Runner:
        return Runner(
            self._catalog,
            self._store,
            self._publisher,
            self._files,
            keeper=self._keeper,
            limits=Limits(
                lease_seconds=self._settings.lease_seconds,
                max_attempts=self._settings.max_attempts,
                max_step_bytes=self._settings.max_step_bytes,
                max_log_lines=self._settings.max_log_lines,
            ),
            worker=f"{socket.gethostname()}:{os.getpid()}",
            make_flow_client=self._flow_clients,
            is_ending=terminate_handler_fired,
        )

    @cached_property
    def deliverer(self) -> Deliverer:
        settings = self._settings
        transport = Transport(
            read_timeout=settings.callback_timeout_seconds,
            policy=CallbackPolicy.from_settings(settings),
        )
        deadline_seconds = settings.callback_hours * 3600
        return Deliverer(self._store, self._publisher, transport, deadline_seconds)


def register_tasks(
    app: Celery,
    settings: Settings,
    catalog: Catalog,
    keeper: LeaseKeeper,
    request_class: type[Request],
) -> None:
    """Add every task to the app; `request_class` is that of the tasks that run executions."""
    parts = _Parts(settings, catalog, keeper)

    for service in catalog.services.values():
        for process in service.processes.values():
            app.task(bind=True, name=process.task_name, Request=request_class)(
                _run_process(parts, process)
            )

    @app.task(bind=True, name=DELIVER_TASK)
    def deliver(task: Any) -> Any:
        execution_id = task.request.id.removesuffix(".callback")
        with bound_contextvars(execution_id=execution_id):
            return _contained(lambda: parts.deliverer.deliver(execution_id))


def _run_process(parts: _Parts, process: Process) -> Callable[[Any], Any]:
    most, has_cleanup = process.options.max_concurrency, process.on_end is not None
    version, profiles = process.version, process.profiles_digest

    def run(task: Any) -> Any:
        with bound_contextvars(execution_id=task.request.id):
            return _contained(
                lambda: parts.runner.run(
                    task.request.id, version, most, has_cleanup=has_cleanup, profiles=profiles
                )
            )

    return run


def _contained(work: Callable[[], Any]) -> Any:
    """Do the work of a task and let nothing leave it but the end of its worker process.

    Celery logs what leaves a task as it is, ends a child for some of it, and loses a thread to the
    rest. Nothing is lost here: without its store, or after an error of our own, an execution or a
    callback is found by recovery.
    """
    try:
        return work()
    except StoreUnavailable as error:
        _log.error("%s", error)
        return "store unavailable"
    except Unreadable as error:
        _log.error("Left to a worker that has the key: %s", error)
        return "unreadable"
    except BaseException as error:
        if terminate_handler_fired():
            # User code may have replaced the SystemExit of the signal; billiard logs what it gets.
            raise SystemExit(EX_FAILURE) from None
        # Without its text, which may hold a secret that is not masked any more.
        lines = "".join(format_tb(error.__traceback__)).rstrip()
        _log.error("The task broke off by %s at\n%s", simple_name(type(error)), lines)
        return "broken off"
