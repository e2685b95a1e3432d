"""Executions in the history database: copied there, found, counted and trimmed."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    func,
    select,
    tuple_,
    union_all,
)

from atom.history import ExecutionFilter, Place
from atom.records import State
from atom.store import snapshot
from atom.store.snapshot import RECORD, Parts, Snapshot
from atom.store.sql import rows
from atom.store.sql.database import Database
from atom.store.sql.tables import CHILDREN, COUNTS, EXECUTIONS

_FINAL: Final = [state.value for state in State if state.is_final]
# One statement asks for so much at most.
_MOST_PARTS: Final = 100
_MOST_IDS: Final = 1_000
# Names that are not known yet are known in Redis.
_NAMES_SECONDS: Final = 60.0

_E: Final = EXECUTIONS.c


class Summary(NamedTuple):
    """What a list needs of an execution."""

    place: Place
    record: snapshot.Hash


class SqlHistory:
    """Safe to share between threads, and to use after a fork.

    Every method raises HistoryUnavailable where the database does not answer as it should.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._names: tuple[float, Sequence[tuple[str, str]], Sequence[str]] | None = None

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    # --- written

    def check(self) -> None:
        """Return if the database answers."""
        with self._database.reading():
            pass

    def copy(self, snapshots: Sequence[Snapshot]) -> Sequence[Snapshot]:
        """Write executions in one transaction, in place of earlier ones of the same ids.

        Returns those that are there now: whoever looked at one later has written it already.
        """
        with self._database.writing() as connection:
            return rows.write(connection, snapshots)

    def trim(self, limit: int, finished_before_ms: int) -> int:
        """Forget what finished before then, the longest ago first; returns how many."""
        oldest = select(*rows.COUNTED).where(_E.finished_ms < finished_before_ms)
        with self._database.reading() as connection:
            if connection.execute(oldest.limit(1)).first() is None:
                return 0
        with self._database.writing() as connection:
            found = connection.execute(oldest.order_by(_E.finished_ms).limit(limit))
            gone = [row._mapping for row in found]
            rows.forget(connection, gone)
        return len(gone)

    def delete_secrets(self, execution_id: str) -> bool:
        """Delete the secrets that an execution keeps for a retry; returns whether it kept any."""
        asked = rows.without_nul(execution_id)
        with self._database.reading() as connection:
            if not rows.keeps_secrets(connection, asked):
                return False
        with self._database.writing() as connection:
            return rows.delete_secrets(connection, asked)

    # --- read

    def whole(self, execution_id: str) -> Parts | None:
        """All of one execution."""
        asked = rows.without_nul(execution_id)
        with self._database.reading() as connection:
            for of in (EXECUTIONS.c, CHILDREN.c):
                content = select(of.record, of.documents).where(of.id == asked)
                if row := connection.execute(content).first():
                    return {**snapshot.read(row.record), **snapshot.read(row.documents)}
        return None

    def page(
        self,
        size: int,
        wanted: ExecutionFilter,
        before: Place | None,
        processes: Iterable[str],
    ) -> Sequence[Summary]:
        """The newest of those wanted, leaving `text` aside, before a place.

        Args:
            size: how many at most.
            wanted: which.
            before: older than this.
            processes: all that there may be, as `<Service>.<Action>`.
        """
        within = [*_accepted_within(*_bounds(wanted)), *_of_versions(wanted)]
        if before is not None:
            place = tuple_(before.accepted_ms, rows.without_nul(before.id))
            within.append(tuple_(_E.accepted_ms, _E.id) < place)
        parts = [_newest([*within, *part], size) for part in _parts(wanted, _split(processes))]
        found: list[Summary] = []
        with self._database.reading() as connection:
            for first in range(0, len(parts), _MOST_PARTS):
                found += _summaries(connection, _together(parts[first : first + _MOST_PARTS]))
        return sorted(found, key=lambda each: each.place, reverse=True)[:size]

    def named(self, ids: Iterable[str]) -> Sequence[Summary]:
        """Those with one of these ids, children too."""
        asked = sorted({rows.without_nul(each) for each in ids})
        found: list[Summary] = []
        with self._database.reading() as connection:
            for first in range(0, len(asked), _MOST_IDS):
                some = asked[first : first + _MOST_IDS]
                for table in (EXECUTIONS, CHILDREN):
                    found += _summaries(connection, _asked(table).where(table.c.id.in_(some)))
        return found

    def of_flow_states(self, prefix: str, limit: int) -> Sequence[Summary]:
        """Those of flow states whose ids begin so."""
        begins = rows.indexed(prefix)
        range_ = and_(_E.flow_state_id >= begins, _E.flow_state_id < begins + "\U0010ffff")
        asked = _asked().where(range_).order_by(_E.flow_state_id).limit(limit)
        with self._database.reading() as connection:
            return list(_summaries(connection, asked))

    def count_states(self, wanted: ExecutionFilter) -> Counter[State]:
        """How many of those wanted are in each state, leaving `state` and `text` aside."""
        since, until = _bounds(wanted)
        with self._database.reading() as connection:
            found: Counter[State] = Counter()
            for counted in _counting(wanted, since, until):
                for state, count in connection.execute(counted):
                    found[State(state)] += int(count)
        return found

    def total(self) -> int:
        """How many there are."""
        with self._database.reading() as connection:
            return int(connection.scalar(select(func.sum(COUNTS.c.executions))) or 0)

    def processes(self) -> Sequence[str]:
        """The processes of all, as `<Service>.<Action>`; what came within a minute may lack."""
        return [f"{service}.{action}" for service, action in self._known_names()[0]]

    def tenants(self) -> Sequence[str]:
        """The tenants of all; what came within a minute may lack."""
        return self._known_names()[1]

    def _known_names(self) -> tuple[Sequence[tuple[str, str]], Sequence[str]]:
        if self._names is None or self._names[0] < time.monotonic():
            with self._database.reading() as connection:
                asked = select(COUNTS.c.service, COUNTS.c.action).distinct()
                processes = [(row.service, row.action) for row in connection.execute(asked)]
                tenants = list(connection.scalars(select(COUNTS.c.tenant_id).distinct()))
            self._names = (time.monotonic() + _NAMES_SECONDS, processes, tenants)
        return self._names[1:]


def _asked(table: Table = EXECUTIONS) -> Select[Any]:
    """What `_summaries` reads."""
    return select(table.c.id, table.c.accepted_ms, table.c.record)


def _summaries(connection: Connection, asked: Select[Any]) -> Iterator[Summary]:
    for row in connection.execute(asked):
        yield Summary(
            Place(row.accepted_ms, row.id), snapshot.hash_of(snapshot.read(row.record), RECORD)
        )


# --- which


def _bounds(wanted: ExecutionFilter) -> tuple[int | None, int | None]:
    """The milliseconds of what was accepted in the time that is wanted."""
    since = None if wanted.since is None else int(wanted.since.timestamp() * 1000)
    return since, None if wanted.until is None else int(wanted.until.timestamp() * 1000)


def _accepted_within(since: int | None, until: int | None) -> list[ColumnElement[bool]]:
    within = []
    if since is not None:
        within.append(_E.accepted_ms >= since)
    if until is not None:
        within.append(_E.accepted_ms < until)
    return within


def _of_versions(wanted: ExecutionFilter) -> list[ColumnElement[bool]]:
    versions = {"version": wanted.version, "worker_version": wanted.worker_version}
    return [_E[name] == rows.indexed(value) for name, value in versions.items() if value]


def _split(processes: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for each in processes:
        service, _, action = each.partition(".")
        yield each, service, action


def _parts(
    wanted: ExecutionFilter, processes: Iterable[tuple[str, str, str]]
) -> Iterator[list[ColumnElement[bool]]]:
    """What is wanted in parts, each of which stands in one index, newest first."""
    states = _FINAL if wanted.state is None else [wanted.state.value]
    of_tenant = [_E.tenant_id == rows.indexed(wanted.tenant_id)] if wanted.tenant_id else []
    if wanted.names_process:
        for (name, service, action), state in product(processes, states):
            if wanted.names(name):
                yield [*of_tenant, _E.service == service, _E.action == action, _E.state == state]
    elif wanted.tenant_id or wanted.state:
        for state in states:
            yield [*of_tenant, _E.state == state]
    else:
        yield []


def _newest(which: Sequence[ColumnElement[bool]], size: int) -> Select[Any]:
    order = _E.accepted_ms.desc(), _E.id.desc()
    return _asked().where(*which).order_by(*order).limit(size)


def _together(parts: Sequence[Select[Any]]) -> Select[Any]:
    if len(parts) == 1:
        return parts[0]
    each = [select(part.subquery()) for part in parts]
    return select(union_all(*each).subquery())


# --- counts


def _counting(
    wanted: ExecutionFilter, since: int | None, until: int | None
) -> Iterator[Select[Any]]:
    """What has to be added up: whole days from their counts, and the rest of a day by its rows."""
    first = None if since is None else -(-since // rows.DAY_MS)
    end = None if until is None else until // rows.DAY_MS
    if first is not None and end is not None and first > end:
        yield _of_rows(wanted, since, until)
        return
    days = _who(wanted, COUNTS)
    if first is not None:
        days.append(COUNTS.c.day >= first)
        yield _of_rows(wanted, since, first * rows.DAY_MS)
    if end is not None:
        days.append(COUNTS.c.day < end)
        yield _of_rows(wanted, end * rows.DAY_MS, until)
    executions = func.sum(COUNTS.c.executions)
    yield select(COUNTS.c.state, executions).where(*days).group_by(COUNTS.c.state)


def _of_rows(wanted: ExecutionFilter, since: int | None, until: int | None) -> Select[Any]:
    which = [*_who(wanted, EXECUTIONS), _E.state.in_(_FINAL), *_accepted_within(since, until)]
    return select(_E.state, func.count()).where(*which).group_by(_E.state)


def _who(wanted: ExecutionFilter, table: Table) -> list[ColumnElement[bool]]:
    asked = {
        "service": wanted.service,
        "action": wanted.action,
        "tenant_id": wanted.tenant_id,
    }
    return [table.c[name] == rows.indexed(value) for name, value in asked.items() if value]
