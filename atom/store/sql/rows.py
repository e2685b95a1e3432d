"""Rows of the history database: executions, their children, and how many there are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Table, and_, delete, insert, select, update

from atom.records import Secrets
from atom.store import snapshot
from atom.store.snapshot import RECORD, Parts, Snapshot
from atom.store.sql.tables import CHILDREN, COUNTS, EXECUTIONS

DAY_MS: Final = 86_400_000
# Longer ones are found by their beginning: an index takes no more than some 2,700 bytes in all.
_INDEXED_CHARACTERS: Final = 200

# The documents that a retry needs and nobody else.
_SECRETS: Final = frozenset((b"private_request", b"authorization"))

_E: Final = EXECUTIONS.c
# What has to be known of executions that are deleted.
COUNTED: Final = (_E.id, _E.service, _E.action, _E.tenant_id, _E.state, _E.accepted_ms)


class _Bucket(NamedTuple):
    """What executions are counted by, in the order of the key of COUNTS."""

    day: int
    service: str
    action: str
    tenant_id: str
    state: str


def write(connection: Connection, snapshots: Sequence[Snapshot]) -> Sequence[Snapshot]:
    """Write them in place of earlier ones; returns those of which there was no later one."""
    if executions := _newest(connection, EXECUTIONS, [each for each in snapshots if not each.root]):
        _write_executions(connection, executions)
    if children := _newest(connection, CHILDREN, [each for each in snapshots if each.root]):
        _write_children(connection, children)
    ids = {each.id for each in (*executions, *children)}
    return [each for each in snapshots if each.id in ids]


def forget(connection: Connection, rows: Sequence[Mapping[Any, Any]]) -> None:
    """Delete executions, of which COUNTED is known, with their children."""
    _delete(connection, rows)
    roots = [row["id"] for row in rows]
    connection.execute(delete(CHILDREN).where(CHILDREN.c.root.in_(roots)))


def keeps_secrets(connection: Connection, execution_id: str) -> bool:
    """Return whether an execution keeps secrets for a retry."""
    return _parts_with_secrets(connection, execution_id) is not None


def delete_secrets(connection: Connection, execution_id: str) -> bool:
    """Delete them, as of a dismissed execution; returns whether there were any."""
    parts = _parts_with_secrets(connection, execution_id)
    if parts is None:
        return False
    record = {**snapshot.hash_of(parts, RECORD), b"is_acknowledged": b"1"}
    if b"is_private" in record:
        record[b"secrets_deleted"] = Secrets.DELETED_WHEN_DISMISSED.encode()
    documents = snapshot.hash_of(parts, ":documents")
    kept = {name: value for name, value in documents.items() if name not in _SECRETS}
    written = _texts({**parts, RECORD: record, ":documents": kept})
    connection.execute(update(EXECUTIONS).where(_E.id == execution_id).values(written))
    return True


def _parts_with_secrets(connection: Connection, execution_id: str) -> Parts | None:
    asked = select(_E.record, _E.documents).where(_E.id == execution_id)
    row = connection.execute(asked).first()
    parts = {**snapshot.read(row.record), **snapshot.read(row.documents)} if row else {}
    return parts if _SECRETS & set(snapshot.hash_of(parts, ":documents")) else None


def _texts(parts: Parts) -> dict[str, str]:
    """Return the two columns that hold an execution."""
    return {
        "record": snapshot.write({RECORD: parts[RECORD]}),
        "documents": snapshot.write({name: parts[name] for name in parts if name != RECORD}),
    }


def indexed(text: str) -> str:
    """What a column has of it."""
    return without_nul(text[:_INDEXED_CHARACTERS])


def without_nul(text: str) -> str:
    """PostgreSQL takes none, whoever asks."""
    return text.replace("\0", "\ufffd")


def _newest(
    connection: Connection, table: Table, snapshots: Sequence[Snapshot]
) -> Sequence[Snapshot]:
    """Those of which the table has no later one."""
    if not snapshots:
        return ()
    ids = [each.id for each in snapshots]
    known = select(table.c.id, table.c.copied_us).where(table.c.id.in_(ids))
    copied_us = {row.id: row.copied_us for row in connection.execute(known)}
    return [each for each in snapshots if copied_us.get(each.id, 0) <= each.at_us]


def _write_executions(connection: Connection, snapshots: Sequence[Snapshot]) -> None:
    known = select(*COUNTED).where(_E.id.in_([each.id for each in snapshots]))
    _delete(connection, [row._mapping for row in connection.execute(known)])
    rows = [_row(each) for each in snapshots]
    connection.execute(insert(EXECUTIONS), rows)
    _count(connection, Counter(map(_bucket, rows)))


def _write_children(connection: Connection, snapshots: Sequence[Snapshot]) -> None:
    ids = [each.id for each in snapshots]
    connection.execute(delete(CHILDREN).where(CHILDREN.c.id.in_(ids)))
    rows = [{**_content(each), "root": each.root} for each in snapshots]
    connection.execute(insert(CHILDREN), rows)


def _content(of: Snapshot) -> dict[str, Any]:
    return {
        "id": of.id,
        "accepted_ms": int(of.record[b"accepted_at"]),
        "copied_us": of.at_us,
        **_texts(of.parts),
    }


def _row(of: Snapshot) -> dict[str, Any]:
    def text(name: bytes) -> str:
        return of.record.get(name, b"").decode(errors="replace")

    content = _content(of)
    return {
        **content,
        "service": indexed(text(b"service")),
        "action": indexed(text(b"action")),
        "tenant_id": indexed(text(b"tenant_id")),
        "flow_state_id": indexed(text(b"state_id") or text(b"origin")),
        "state": text(b"state"),
        "version": indexed(text(b"version")),
        "worker_version": indexed(text(b"worker_version")),
        "finished_ms": int(of.record.get(b"finished_at", content["accepted_ms"])),
    }


def _bucket(row: Mapping[str, Any]) -> _Bucket:
    day = row["accepted_ms"] // DAY_MS
    return _Bucket(day, row["service"], row["action"], row["tenant_id"], row["state"])


def _delete(connection: Connection, rows: Sequence[Mapping[Any, Any]]) -> None:
    if rows:
        connection.execute(delete(EXECUTIONS).where(_E.id.in_([row["id"] for row in rows])))
        counts = Counter(map(_bucket, rows))
        _count(connection, {bucket: -count for bucket, count in counts.items()})


def _count(connection: Connection, changes: Mapping[_Bucket, int]) -> None:
    """Nobody else writes meanwhile, so what is not there to be changed is new."""
    executions = COUNTS.c.executions
    for bucket, change in changes.items():
        is_it = and_(*(COUNTS.c[name] == value for name, value in bucket._asdict().items()))
        changed = connection.execute(
            update(COUNTS).where(is_it).values(executions=executions + change)
        )
        if not changed.rowcount:
            connection.execute(insert(COUNTS).values(**bucket._asdict(), executions=change))
        elif change < 0:
            connection.execute(delete(COUNTS).where(is_it, executions <= 0))
