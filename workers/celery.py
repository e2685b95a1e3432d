"""The Celery app: settings, services and tasks put together."""

from celery import Celery

from atom.broker import BrokerAddress
from atom.catalog import load_catalog
from atom.execution.keeper import LeaseKeeper
from atom.settings import Settings
from atom.store import RedisStore
from workers.celery_config import celery_options
from workers.connection import AMQP
from workers.ending import end_in_time
from workers.events import batch_events
from workers.hearing import AsksRedis, HearsRabbitMQ
from workers.heartbeat import keep_heart_beating
from workers.holds import resume_held_executions
from workers.intake import limit_intake
from workers.lifecycle import connect_lifecycle
from workers.metrics import answer_scrapes
from workers.outcomes import OutcomeEvents
from workers.presence import announce_worker
from workers.processes import admit_processes
from workers.slots import keep_slots
from workers.tasks import register_tasks


def create_app(settings: Settings) -> Celery:
    """Build the app whose workers run the processes of the declared services.

    Raises:
        CatalogError: a service cannot be loaded.
    """
    catalog = load_catalog(settings.services)
    app = Celery("atom", amqp=AMQP, set_as_current=True)
    app.conf.update(celery_options(settings, catalog.queues()))
    keeper = LeaseKeeper(
        lambda: RedisStore(settings), settings.lease_seconds, settings.cancel_grace_seconds
    )
    outcomes = OutcomeEvents(lambda: RedisStore(settings))
    register_tasks(app, settings, catalog, keeper, outcomes.request_class)
    connect_lifecycle(settings, keeper)
    admit_processes()
    answer_scrapes(settings)
    announce_worker(settings, catalog)
    resume_held_executions(settings)
    batch_events(app, outcomes)
    slots = keep_slots(app, keeper)
    ending = end_in_time(app, settings.shutdown_seconds, keeper)
    if BrokerAddress.of(settings.broker).is_redis:
        keep_heart_beating(app, keeper, slots, ending, AsksRedis)
    else:
        limit_intake(app)
        keep_heart_beating(app, keeper, slots, ending, HearsRabbitMQ)
    return app


app = create_app(Settings.from_env())
