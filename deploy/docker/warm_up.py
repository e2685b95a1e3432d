"""Imports what the roles import, so that its bytecode is written."""

import importlib
from contextlib import suppress
from importlib.util import find_spec

from atom.errors import CatalogError

MODULES = [
    "atom.cli",
    "atom.recovery.__main__",
    "celery.__main__",
    "celery.bin.worker",
    "celery.concurrency.prefork",
    "celery.concurrency.solo",
    "celery.concurrency.thread",
    "celery.worker",
    "celery.worker.autoscale",
    "celery.worker.consumer",
    "flower.command",
    "gunicorn.http.wsgi",
    "gunicorn.workers.base",
    "kombu.transport.pyamqp",
    "kombu.transport.redis",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk.trace",
    "prometheus_client.multiprocess",
    "urllib3",
]

# Of the extra `history`, which not every image has.
DATABASE = ["atom.store.sql.history", "psycopg", "sqlalchemy.dialects.postgresql.psycopg"]

for name in (*MODULES, *(DATABASE if find_spec("sqlalchemy") else ())):
    importlib.import_module(name)
with suppress(CatalogError):  # it has imported everything when it finds that there is no service
    importlib.import_module("workers")
