"""Imports what the roles import, so that its bytecode is written."""

import importlib
from contextlib import suppress

from atom.errors import CatalogError

MODULES = [
    "atom.cli",
    "atom.store.sql.history",
    "celery.__main__",
    "celery.bin.worker",
    "celery.concurrency.prefork",
    "celery.concurrency.solo",
    "celery.concurrency.thread",
    "celery.worker",
    "celery.worker.autoscale",
    "celery.worker.consumer",
    "flower.command",
    "gunicorn.workers.gthread",
    "kombu.transport.pyamqp",
    "kombu.transport.redis",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk.trace",
    "prometheus_client.multiprocess",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "urllib3",
]

for name in MODULES:
    importlib.import_module(name)
with suppress(CatalogError):  # it has imported everything when it finds that there is no service
    importlib.import_module("workers")
