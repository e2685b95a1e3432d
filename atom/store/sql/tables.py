"""The tables of the history database, and the format they are in."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection, Engine

from atom.errors import HistoryUnavailable

# A database of a later format is refused: what is in it may mean something else.
FORMAT: Final = 1

# Who holds PostgreSQL's advisory lock of this number writes: “atom” as a number.
_WRITERS: Final = int.from_bytes(b"atom")

# In the order of their bytes, as Redis and Python have them, whatever the language of the database.
_TEXT: Final = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

_METADATA: Final = MetaData()

# One row.
FORMATS: Final = Table(
    "atom_history",
    _METADATA,
    Column("format", Integer, primary_key=True, autoincrement=False),
)

EXECUTIONS: Final = Table(
    "atom_executions",
    _METADATA,
    Column("id", _TEXT, primary_key=True),
    Column("service", _TEXT, nullable=False),
    Column("action", _TEXT, nullable=False),
    Column("tenant_id", _TEXT, nullable=False),
    Column("flow_state_id", _TEXT, nullable=False),  # of a copy without one: its origin
    Column("state", _TEXT, nullable=False),
    Column("version", _TEXT, nullable=False),  # of the service that accepted it
    Column("worker_version", _TEXT, nullable=False),  # of the service that ran it last
    Column("accepted_ms", BigInteger, nullable=False),
    Column("finished_ms", BigInteger, nullable=False),
    Column("copied_us", BigInteger, nullable=False),
    Column("record", Text, nullable=False),  # what a list shows
    Column("documents", Text, nullable=False),  # the rest, which a list does not read
)

# Each list that people look at, newest first; see `pages`.
_NEWEST: Final = ("accepted_ms", "id")
for _name, _columns in {
    "newest": _NEWEST,
    "state": ("state", *_NEWEST),
    "process": ("service", "action", "state", *_NEWEST),
    "tenant": ("tenant_id", "state", *_NEWEST),
    "tenant_process": ("tenant_id", "service", "action", "state", *_NEWEST),
    "version": ("version", *_NEWEST),
    "worker_version": ("worker_version", *_NEWEST),
    "flow_state": ("flow_state_id",),
    "finished": ("finished_ms",),
}.items():
    Index(f"atom_executions_{_name}", *(EXECUTIONS.c[each] for each in _columns))

# Children, which are listed under their parent alone. They go with the execution that began it all.
CHILDREN: Final = Table(
    "atom_children",
    _METADATA,
    Column("id", _TEXT, primary_key=True),
    Column("root", _TEXT, nullable=False, index=True),
    Column("accepted_ms", BigInteger, nullable=False),
    Column("copied_us", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Column("documents", Text, nullable=False),
)

# How many there are, so that nobody has to count millions; a day is that of acceptance, in UTC.
COUNTS: Final = Table(
    "atom_execution_counts",
    _METADATA,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("service", _TEXT, primary_key=True),
    Column("action", _TEXT, primary_key=True),
    Column("tenant_id", _TEXT, primary_key=True),
    Column("state", _TEXT, primary_key=True),
    Column("executions", BigInteger, nullable=False),
)


def prepare(engine: Engine) -> None:
    """Make the tables where they are not there yet.

    Raises:
        HistoryUnavailable: a later version made them.
        SQLAlchemyError: the database does not answer.
    """
    with engine.connect() as connection:
        found = _format(connection)
    if found is None:
        with engine.begin() as connection:
            write_alone(connection)
            found = _format(connection)
            if found is None:
                _METADATA.create_all(connection)
                connection.execute(insert(FORMATS).values(format=FORMAT))
                found = FORMAT
    if found != FORMAT:
        raise HistoryUnavailable(
            f"The history database is of format {found}, of which this version knows nothing (it "
            f"knows format {FORMAT}): bring every role to the version that made it."
        )


def _format(connection: Connection) -> int | None:
    if not inspect(connection).has_table(FORMATS.name):
        return None
    return connection.scalar(select(FORMATS.c.format))


def write_alone(connection: Connection) -> None:
    """Let nobody else write before this transaction has ended; to be called first in it."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(select(func.pg_advisory_xact_lock(_WRITERS)))
