"""The Celery app: settings, services and tasks put together."""

from celery import Celery

from atom.catalog import load_catalog
from atom.execution.keeper import LeaseKeeper
from atom.settings import Settings
from atom.store import RedisStore
from workers.celery_config import celery_options
from workers.events import batch_events
from workers.lifecycle import connect_lifecycle
from workers.tasks import register_tasks


def create_app(settings: Settings) -> Celery:
    """Build the app whose workers run the processes of the declared services.

    Raises:
        CatalogError: a service cannot be loaded.
    """
    catalog = load_catalog(settings.services)
    app = Celery("atom", set_as_current=True)
    app.conf.update(
        celery_options(settings, (process.options.queue for process in catalog.processes()))
    )
    keeper = LeaseKeeper(
        lambda: RedisStore(settings), settings.lease_seconds, settings.cancel_grace_seconds
    )
    register_tasks(app, settings, catalog, keeper)
    connect_lifecycle(settings, keeper)
    batch_events(app)
    return app


app = create_app(Settings.from_env())
