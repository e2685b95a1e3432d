"""Flower as the settings say, for `atom flower`: it needs the broker and none of the services."""

import logging
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any, Final

from celery import Celery
from celery.events import EventReceiver
from celery.events.state import Task
from celery.states import PENDING, READY_STATES
from flower.app import Flower
from flower.events import Events
from flower.options import default_options
from flower.urls import settings as flower_settings
from flower.utils import prepend_url
from flower.views.monitor import Metrics
from tornado.web import RedirectHandler, authenticated

from atom.broker import BrokerAddress
from atom.endpoints import split_bind
from atom.health import answers_at
from atom.logs import configure_logging
from atom.names import FLOWER
from atom.presence import Announcer
from atom.settings import Settings
from workers.celery_config import celery_options
from workers.connection import AMQP
from workers.outcomes import REDACTED

_log = logging.getLogger(__name__)

_NODE: Final = f"{FLOWER}@{socket.gethostname()}"
_RECONNECT_SECONDS: Final = 2.0
# Any worker sends a heartbeat every 2 s.
_SILENCE_SECONDS: Final = 30.0
_CLOSING_SECONDS: Final = 3.0
_MAX_TASKS: Final = 10_000

# What an event may tell of a task's data. Ours tell nothing; whoever else sends events to this
# broker might.
_DATA: Final = ("args", "kwargs", "traceback")


class RestartableTask(Task):
    """A task that may run again after its end, as an execution can.

    Celery keeps the final state of a task whatever comes later, apart from a success.
    """

    def event(self, type_: str | None, *args: Any, **options: Any) -> str | None:
        """Apply an event; a new delivery of the message discards how the one before ended."""
        if type_ == "received" and self.state in READY_STATES:
            self.state = PENDING
            self.result = self.exception = self.runtime = None
        return super().event(type_, *args, **options)


class WatchedEvents(Events):
    """What Flower remembers: which task ran, where, when and how it ended, and no data of it."""

    _receiver: EventReceiver | None = None
    _has_to_end = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.state.Task = RestartableTask

    def run(self) -> None:
        """Receive events until `stop`, however often the broker goes away.

        Flower's own way waits twice as long after each failure, without a bound, and never
        notices a connection that was cut in silence.
        """
        while not self._has_to_end:
            try:
                with self.capp.connection() as connection:
                    self._receiver = EventReceiver(
                        connection, handlers={"*": self.on_event}, node_id=_NODE, app=self.capp
                    )
                    self._receiver.capture(limit=None, timeout=_SILENCE_SECONDS, wakeup=True)
            except TimeoutError:
                _log.debug("No event for a while; connecting anew")
            except Exception as error:  # whatever it is, events come again when it is over
                _log.warning("No events of workers at the moment: %s", error)
                time.sleep(_RECONNECT_SECONDS)

    def stop(self) -> None:
        """Take the subscription to events back, and save."""
        self._has_to_end = True
        if self._receiver is not None:
            self._receiver.should_stop = True
        self.join(_CLOSING_SECONDS)
        super().stop()

    def on_event(self, event: dict[str, Any]) -> None:
        """Take an event in without what it may tell of data."""
        kept = {name: value for name, value in event.items() if name not in _DATA}
        # Our workers send the error text of the history; any other text may contain anything, and
        # only the class stays.
        if kept.get("exception") and not kept.pop(REDACTED, False):
            kept["exception"] = str(kept["exception"]).partition("(")[0]
        super().on_event(kept)


class GuardedMetrics(Metrics):
    """Flower's own metrics for whoever may look at Flower; it would show them to anybody."""

    @authenticated
    async def get(self) -> None:
        """Answer as Flower does."""
        await super().get()


def create_app(settings: Settings) -> Flower:
    """Build Flower over a Celery app that has the broker's options and no tasks."""
    _set_options(settings)
    celery_app = Celery("atom", amqp=AMQP, set_as_current=True)
    celery_app.conf.update(celery_options(settings, ()))
    # Flower knows a broker by its scheme; what our own transport is for, it does not do.
    broker = BrokerAddress.of(settings.broker)
    celery_app.conf.update(broker_transport=None, broker_url=broker.all_urls)
    options, prefix = default_options, default_options.url_prefix
    web_settings = dict(flower_settings)
    if prefix:
        for name in ("login_url", "static_url_prefix"):
            web_settings[name] = prepend_url(web_settings[name], prefix)
    events = WatchedEvents(
        celery_app,
        db=options.db,
        persistent=options.persistent,
        state_save_interval=options.state_save_interval,
        enable_events=options.enable_events,
        io_loop=None,
        max_workers_in_memory=options.max_workers,
        max_tasks_in_memory=options.max_tasks,
    )
    flower = Flower(options=options, capp=celery_app, events=events, **web_settings)
    events.io_loop = flower.io_loop
    root = f"/{prefix}" if prefix else ""
    flower.add_handlers(".*", [(f"{root}/metrics", GuardedMetrics)])
    if prefix:
        entrances = [(path, RedirectHandler, {"url": f"{root}/"}) for path in ("/", root)]
        flower.add_handlers(".*", entrances)
    return flower


def serve(settings: Settings) -> None:
    """Serve Flower until SIGTERM or SIGINT; then save what it has seen."""
    configure_logging(settings.log_level, settings.log_format, "flower")
    # Their warnings are a line for each request that was refused and each worker that was busy.
    for chatty in ("tornado.access", "flower.inspector"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    flower = create_app(settings)
    loop = flower.io_loop
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.asyncio_loop.add_signal_handler(each, loop.stop)
    _log.info("Flower listens on http://%s/%s", settings.flower_bind, default_options.url_prefix)
    announcer = Announcer(settings, FLOWER)
    prefix = f"/{default_options.url_prefix}" if default_options.url_prefix else ""
    answers_at(FLOWER, default_options.address, default_options.port, f"{prefix}/healthcheck")
    flower.start_http_server()
    announcer.start()
    flower.start()
    flower.stop()
    announcer.end()
    # What still asks the broker something is not waited for: nobody wants the answer.
    logging.shutdown()
    os._exit(0)


def _set_options(settings: Settings) -> None:
    """Flower's options, which are global to its process; those not named here stay as they are.

    FLOWER_* variables are not read: the settings are the ATOM_* ones alone.
    """
    # The one that Flower looks up by itself; it opens the API to every page of every browser here.
    os.environ.pop("FLOWER_UNAUTHENTICATED_API", None)
    host, port = split_bind("ATOM_FLOWER_BIND", settings.flower_bind)
    options = default_options
    options.address, options.port = host, port
    if settings.flower_username:
        options.basic_auth = [f"{settings.flower_username}:{settings.flower_password}"]
    options.read_only = settings.flower_read_only
    options.url_prefix = settings.flower_prefix.strip("/")
    if settings.flower_database:
        file = Path(settings.flower_database).expanduser().absolute()
        file.parent.mkdir(parents=True, exist_ok=True)
        options.persistent, options.db = True, str(file)
        options.state_save_interval = 60_000  # milliseconds
    # Every start of a worker has a name of its own; those that are gone are not kept for ever.
    options.purge_offline_workers = 600  # seconds
    options.max_tasks = _MAX_TASKS
    # Workers send events anyway, so they need not be told to every 5 s.
    options.enable_events = False
    # In milliseconds; every answer that takes longer is missing on the page.
    options.inspect_timeout = 2_000.0


if __name__ == "__main__":
    serve(Settings.from_env())
