"""Connections to the history database, and the one error that leaves this package."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from atom.errors import HistoryUnavailable
from atom.redaction import masked_url
from atom.store.sql import tables

# What does not answer is left alone for so long: who asks meanwhile hears the same at once.
_LEFT_ALONE_SECONDS: Final = 5.0

# What the URL may say otherwise, by libpq's names.
_POSTGRESQL: Final = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "flow-atom",
    "options": "-c statement_timeout=10s",
}


class Database:
    """Makes its tables at first use. Safe to share between threads, and to use after a fork."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._pid = 0
        self._left_alone_until, self._problem = 0.0, ""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection.

        Raises:
            HistoryUnavailable: the database does not answer as it should.
        """
        with self._guard(), self._prepared().connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, committed at the end; nobody else writes meanwhile.

        Raises:
            HistoryUnavailable: the database does not answer; whether it was committed is unknown.
        """
        with self._guard(), self._prepared().begin() as connection:
            tables.write_alone(connection)
            yield connection

    def close(self) -> None:
        """Give the connections back."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        if time.monotonic() < self._left_alone_until:
            raise HistoryUnavailable(self._problem)
        try:
            yield
        except HistoryUnavailable as error:
            self._leave_alone(str(error))
            raise
        except (SQLAlchemyError, ModuleNotFoundError) as error:
            self._leave_alone(_sentence(masked_url(self._url), error))
            # The statement and what is in it are nobody's business.
            raise HistoryUnavailable(self._problem) from None

    def _leave_alone(self, problem: str) -> None:
        self._problem = problem
        self._left_alone_until = time.monotonic() + _LEFT_ALONE_SECONDS

    def _prepared(self) -> Engine:
        if self._engine is not None and self._pid == os.getpid():
            return self._engine
        if self._engine is not None:
            self._engine.dispose(close=False)  # its connections are those of our parent
        engine = _connect(self._url)
        try:
            tables.prepare(engine)
        except BaseException:
            engine.dispose()
            raise
        self._engine, self._pid = engine, os.getpid()
        return engine


def _connect(text: str) -> Engine:
    url = make_url(text)
    if url.get_backend_name() == "postgresql":
        given = {key: value for key, value in _POSTGRESQL.items() if key not in url.query}
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args=given,
            pool_pre_ping=True,
            hide_parameters=True,
        )
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _let_read_while_written)
    return engine


def _let_read_while_written(connection: Any, _: Any) -> None:
    """SQLite's write-ahead log: readers and the one writer do not wait for each other."""
    connection.execute("PRAGMA journal_mode=WAL")


def _sentence(where: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return (
            f"ATOM_HISTORY_URL needs {error.name}, which is not installed: "
            "pip install 'flow-atom[history]'."
        )
    said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0].rstrip(".")
    return f"The history database {where} does not answer as it should: {said}."
