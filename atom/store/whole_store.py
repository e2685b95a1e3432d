"""Redis and the history database as one store."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from atom import names
from atom.entries import EntryKey
from atom.errors import HistoryUnavailable
from atom.history import (
    EVERYTHING,
    Copied,
    ExecutionFilter,
    HistoryFacts,
    Page,
    Place,
    flow_state_of_copies,
)
from atom.records import Execution, LogLine, Restart, State, StoredRequest
from atom.redaction import masked_url
from atom.store import codec, restarting, snapshot
from atom.store.lazily import import_sql_history
from atom.store.paging import first_of, first_until, merged
from atom.store.redis_history import MOST_NAMED, SHORTEST_PREFIX
from atom.store.redis_part import in_ms
from atom.store.redis_store import RedisStore
from atom.store.snapshot import RECORD, Parts, Snapshot

if TYPE_CHECKING:
    from atom.store.sql.history import SqlHistory, Summary

# What is held at a time, and written in one transaction.
_BATCH: Final = 100
_BATCH_BYTES: Final = 16_777_216
# Children are many: others have to be seen to between so many.
_COPIED_AT_ONCE: Final = 500
# Where many of those in the database are in Redis as well, so many are looked at for one page.
_LOOKED_AT: Final = 5_000
_MOST_IN_BOTH: Final = 5_000


class WholeStore(RedisStore):
    """See `ExecutionStore`: one that moves what has ended to a database, and reads both as one.

    An execution that is in both places, because it is being moved or was brought back, counts as
    what it is in Redis. So Redis is asked first: what is moved meanwhile is then seen in either.
    """

    @cached_property
    def _sql(self) -> "SqlHistory":
        """Imported at the first use: most of those who have a store never look there."""
        return import_sql_history()(self._settings.history_url)

    def close(self) -> None:
        """Give the connections back."""
        super().close()
        if "_sql" in self.__dict__:
            self._sql.close()

    # --- moving

    def take_settled(self, limit: int) -> Sequence[str]:
        """See ExecutionStore."""
        after_ms = in_ms(self._settings.history_after_hours * 3600)
        arguments = (limit, after_ms, self._retention_ms)
        with self._guard():
            found = self._scripts.take_settled(self._keys(""), arguments)
        return [each.decode() for each in found]

    def copy_settled(self, execution_ids: Sequence[str]) -> Sequence[Copied]:
        """See ExecutionStore."""
        self._sql.check()  # what is exported is in both places for all that anybody knows
        exported = self._exported(execution_ids)
        copied: list[Copied] = []
        while len(copied) < _COPIED_AT_ONCE and (batch := _batch(exported)):
            copied += [Copied(each.id, each.fingerprint) for each in self._sql.copy(batch)]
        return copied

    def _exported(self, execution_ids: Sequence[str]) -> Iterator[Snapshot]:
        for each in execution_ids:
            with self._guard():
                found = self._scripts.export(self._keys(each), (each,))
            if found:
                exported = snapshot.from_export(each, found)
                # First: an execution is not removed while one of its children is still here.
                yield from self._exported(snapshot.children_of(exported.parts))
                yield exported

    def remove_copied(self, copied: Sequence[Copied]) -> int:
        """See ExecutionStore."""
        with self._guard(), self._redis.pipeline(transaction=False) as pipeline:
            for each in copied:
                arguments = (each.id, each.fingerprint, self._retention_ms)
                self._scripts.remove_copied(self._keys(each.id), arguments, pipeline)
            return sum(pipeline.execute())

    def trim(self, limit: int) -> int:
        """See ExecutionStore: what is in Redis has to be moved, and only that forgets it there."""
        days = self._settings.history_retention_days
        if not days:
            return 0
        oldest = self._now() - timedelta(days=days)
        return self._sql.trim(limit, in_ms(oldest.timestamp()))

    def restart(
        self,
        execution_id: str,
        *,
        from_start: bool = False,
        from_step: EntryKey | None = None,
        drops_signals: bool = False,
    ) -> Restart:
        """See ExecutionStore; one that was moved is brought back first, which is a write before."""
        if not from_start:
            self._bring_back_children(execution_id)
        verdict = super().restart(
            execution_id, from_start=from_start, from_step=from_step, drops_signals=drops_signals
        )
        if verdict is Restart.RESTARTED:
            self._delete_copied_secrets(execution_id)
        if verdict is not Restart.UNKNOWN:
            return verdict
        moved = self._sql.whole(execution_id)
        if moved is None:
            return verdict
        if b"parent" in snapshot.hash_of(moved, RECORD):
            is_cleanup = b"ending_state" in snapshot.hash_of(moved, RECORD)
            return Restart.MOVED if is_cleanup else Restart.CHILD
        if not self._is_moved_runnable(execution_id, moved, from_start):
            return Restart.UNREADABLE
        if from_step is not None and not from_start:
            steps = snapshot.hash_of(moved, ":steps")
            if restarting.cut(self._reader(execution_id), steps, from_step).order is None:
                return Restart.NO_STEP
        self._bring_back(execution_id, moved)
        return self.restart(
            execution_id, from_start=from_start, from_step=from_step, drops_signals=drops_signals
        )

    def dismiss(self, execution_id: str) -> bool:
        """See ExecutionStore; the secrets of a moved one are deleted in the database."""
        is_dismissed = super().dismiss(execution_id)
        if self._is_here(execution_id):
            self._delete_copied_secrets(execution_id)
            return is_dismissed
        return self._sql.delete_secrets(execution_id)

    def _delete_copied_secrets(self, execution_id: str) -> None:
        """Delete the secrets in the copy of an execution that is in both places.

        Redis has its secrets, or deleted them. If this process dies before, or the database is
        away, the copy keeps them, encrypted, until it is replaced.
        """
        with self._guard():
            is_in_both = self._redis.sismember(names.IN_BOTH, execution_id)
        if is_in_both:
            with suppress(HistoryUnavailable):
                self._sql.delete_secrets(execution_id)

    def _is_moved_runnable(self, execution_id: str, moved: Parts, from_start: bool) -> bool:
        documents = snapshot.hash_of(moved, ":documents")
        steps = () if from_start else snapshot.hash_of(moved, ":steps").values()
        return codec.is_runnable(self._reader(execution_id), documents, steps)

    def _bring_back_children(self, execution_id: str) -> None:
        """A map that goes on takes what completed of it; a large family is moved in parts."""
        with self._guard():
            ids = self._child_ids(execution_id)
            here = {each.id for each in self._read(ids)}
        for child in ids:
            if child not in here:
                self._bring_back(child, self._sql.whole(child))

    def _bring_back(self, execution_id: str, moved: Parts | None) -> None:
        if moved is not None:
            arguments = (execution_id, self._retention_ms, *snapshot.for_import(moved))
            with self._guard():
                self._scripts.bring_back(self._keys(execution_id), arguments)

    # --- reading

    def get(self, execution_id: str) -> Execution | None:
        """See ExecutionStore."""
        found = super().get(execution_id)
        moved = None if found else self._sql.whole(execution_id)
        if moved is None:
            return found
        reader = self._reader(execution_id, is_lenient=True)
        row = {**snapshot.hash_of(moved, RECORD), **snapshot.hash_of(moved, ":documents")}
        steps, children = snapshot.hash_of(moved, ":steps"), snapshot.list_of(moved, ":children")
        return codec.execution(reader, row, steps, len(children))

    def request(self, execution_id: str) -> StoredRequest | None:
        """See ExecutionStore."""
        found = super().request(execution_id)
        if found or self._is_here(execution_id):
            return found
        moved = self._sql.whole(execution_id) or {}
        documents = snapshot.hash_of(moved, ":documents")
        return codec.stored_request(self._reader(execution_id), documents)

    def children(self, execution_id: str) -> Sequence[Execution]:
        """See ExecutionStore; of one that was brought back they may be in either place.

        Those of Redis alone where the database does not answer.
        """
        with self._guard():
            ids = self._child_ids(execution_id)
        if not ids and not self._is_here(execution_id):
            ids = snapshot.children_of(self._sql.whole(execution_id) or {})
        with self._guard():
            found = {each.id: each for each in self._read(ids)}
        if missing := [each for each in ids if each not in found]:
            with suppress(HistoryUnavailable):
                found |= {row.place.id: self._summary(row) for row in self._sql.named(missing)}
        return [found[each] for each in ids if each in found]

    def copies(self, execution: Execution) -> Sequence[Execution]:
        """See ExecutionStore; those of Redis alone if the database does not answer."""
        copies = {copy.id: copy for copy in super().copies(execution)}
        with suppress(HistoryUnavailable):
            rows = self._sql.of_flow_states(flow_state_of_copies(execution), MOST_NAMED)
            moved = self._counting(rows, EVERYTHING)
            copies |= {copy.id: copy for copy in moved if copy.origin == execution.id}
        return sorted(copies.values(), key=Place.of, reverse=True)

    def log(self, execution_id: str) -> Sequence[LogLine]:
        """See ExecutionStore."""
        found = super().log(execution_id)
        if found or self._is_here(execution_id):
            return found
        moved = self._sql.whole(execution_id) or {}
        return self._lines(execution_id, snapshot.list_of(moved, ":log"))

    def _is_here(self, execution_id: str) -> bool:
        with self._guard():
            return bool(self._redis.exists(names.execution_key(execution_id)))

    def find(
        self, limit: int, wanted: ExecutionFilter = EVERYTHING, *, older_than: str = ""
    ) -> Page:
        """See ExecutionStore."""
        near = super().find(limit, wanted, older_than=older_than)
        try:
            far = self._moved(limit, wanted, Place.read(older_than))
        except HistoryUnavailable as error:
            return replace(near, problem=str(error))
        return merged(near, far, limit)

    def _moved(self, limit: int, wanted: ExecutionFilter, before: Place | None) -> Page:
        """The same of what is in the database."""
        if wanted.text:
            named = sorted(self._counting(self._named(wanted), wanted), key=Place.of, reverse=True)
            return first_of(
                [each for each in named if not before or Place.of(each) < before], limit
            )
        found: list[Execution] = []
        processes = self.known_processes()
        looked_at = 0
        while True:
            rows = self._sql.page(limit + 1, wanted, before, processes)
            found += self._counting(rows, wanted)
            if len(rows) <= limit or len(found) > limit:
                return first_of(found, limit)
            before = rows[-1].place
            looked_at += len(rows)
            if looked_at >= _LOOKED_AT:
                return first_until(found, before)

    def _named(self, wanted: ExecutionFilter) -> "Sequence[Summary]":
        requests = self._requests(wanted)
        ids = [wanted.text, *(names.request_execution_id(*each) for each in requests)]
        if len(wanted.text) < SHORTEST_PREFIX:
            return self._sql.named(ids)
        return [*self._sql.named(ids), *self._sql.of_flow_states(wanted.text, MOST_NAMED)]

    def _counting(self, rows: "Sequence[Summary]", wanted: ExecutionFilter) -> Iterator[Execution]:
        """Those that are wanted; one that is in Redis as well counts as it is there.

        Where Redis has another one of that id, a later one, it stands where that was accepted.
        """
        here = {each.id: each for each in self._read([row.place.id for row in rows])}
        for row in {row.place: row for row in rows}.values():
            found = here.get(row.place.id) or self._summary(row)
            if Place.of(found) == row.place and wanted.matches(found):
                yield found

    def _summary(self, row: "Summary") -> Execution:
        reader = self._reader(row.place.id, is_lenient=True)
        return codec.execution(
            reader, {name: row.record.get(name) for name in codec.SUMMARY_FIELDS}
        )

    def count_states(self, wanted: ExecutionFilter = EVERYTHING) -> Mapping[State, int] | None:
        """See ExecutionStore; of Redis alone where the database does not answer."""
        near = super().count_states(wanted)
        if near is None:
            return None
        try:
            far = self._sql.count_states(wanted)
            far.subtract(
                each.state
                for each in map(self._summary, self._sql.named(self._ids_in_both()))
                if replace(wanted, state=None).matches(each)
            )
        except HistoryUnavailable:
            return near
        return {state: count + far[state] for state, count in near.items()}

    def _ids_in_both(self) -> Sequence[str]:
        with self._guard():
            found = self._redis.srandmember(names.IN_BOTH, _MOST_IN_BOTH)
        return [each.id for each in self._read([each.decode() for each in found])]

    def known_processes(self) -> Sequence[str]:
        """See ExecutionStore; those of Redis alone where the database does not answer."""
        with suppress(HistoryUnavailable):
            return sorted({*super().known_processes(), *self._sql.processes()})
        return super().known_processes()

    def known_tenants(self) -> Sequence[str]:
        """See ExecutionStore; those of Redis alone where the database does not answer."""
        with suppress(HistoryUnavailable):
            return sorted({*super().known_tenants(), *self._sql.tenants()})
        return super().known_tenants()

    def history_facts(self) -> HistoryFacts | None:
        """See ExecutionStore."""
        where = masked_url(self._settings.history_url)
        try:
            return HistoryFacts(where, self._sql.total())
        except HistoryUnavailable as error:
            return HistoryFacts(where, None, str(error))


def _batch(snapshots: Iterator[Snapshot]) -> Sequence[Snapshot]:
    """The next of them, as many as are held at a time."""
    batch: list[Snapshot] = []
    size = 0
    for each in snapshots:
        batch.append(each)
        size += each.size
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            break
    return batch
