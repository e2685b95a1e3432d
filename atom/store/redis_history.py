"""The history in Redis: what people look for, by way of the indexes that the scripts keep."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

from atom import names
from atom.history import EVERYTHING, ExecutionFilter, Minute, Page, Place, flow_state_of_copies
from atom.records import Execution, LogLine, State, StoredRequest
from atom.store import codec
from atom.store.paging import first_of, first_until
from atom.store.redis_part import RedisPart

# Where no index has exactly what is asked for, so many candidates are looked at for one page.
_LOOKED_AT: Final = 5_000
_AT_ONCE: Final = 500
MOST_NAMED: Final = 1_000
# A token is known by a hash of it with its process and tenant: so many of these pairs are tried.
_MOST_PAIRS: Final = 20_000
# Less of a flow state's id would find too much.
SHORTEST_PREFIX: Final = 4


class RedisHistory(RedisPart):
    """See `ExecutionStore`."""

    def get(self, execution_id: str) -> Execution | None:
        """See ExecutionStore."""
        with self._guard(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(names.execution_key(execution_id))
            pipeline.hgetall(names.documents_key(execution_id))
            pipeline.hgetall(names.steps_key(execution_id))
            pipeline.llen(names.children_key(execution_id))
            row, documents, steps, children = pipeline.execute()
        if not row:
            return None
        reader = self._reader(execution_id, is_lenient=True)
        return codec.execution(reader, {**row, **documents}, steps, children)

    def request(self, execution_id: str) -> StoredRequest | None:
        """See ExecutionStore."""
        with self._guard():
            documents = self._redis.hgetall(names.documents_key(execution_id))
        return codec.stored_request(self._reader(execution_id), documents)

    def log(self, execution_id: str) -> Sequence[LogLine]:
        """See ExecutionStore."""
        with self._guard():
            lines = self._redis.lrange(names.log_key(execution_id), 0, -1)
        return self._lines(execution_id, lines)

    def _lines(self, execution_id: str, lines: Iterable[bytes]) -> Sequence[LogLine]:
        reader = self._reader(execution_id, is_lenient=True)
        return list(filter(None, (codec.decode_line(reader, each) for each in lines)))

    def children(self, execution_id: str) -> Sequence[Execution]:
        """See ExecutionStore."""
        with self._guard():
            return self._read(self._child_ids(execution_id))

    def _child_ids(self, execution_id: str) -> Sequence[str]:
        found = self._redis.lrange(names.children_key(execution_id), 0, -1)
        return [each.decode() for each in found]

    def copies(self, execution: Execution) -> Sequence[Execution]:
        """See ExecutionStore."""
        with self._guard():
            found = self._read(list(self._in_flow_states(f"{flow_state_of_copies(execution)} ")))
        return sorted(
            (copy for copy in found if copy.origin == execution.id), key=Place.of, reverse=True
        )

    def find(
        self, limit: int, wanted: ExecutionFilter = EVERYTHING, *, older_than: str = ""
    ) -> Page:
        """See ExecutionStore."""
        before = Place.read(older_than)
        with self._guard():
            if wanted.text:
                return self._page_of_named(limit, wanted, before)
            return self._page(limit, wanted, before)

    def count_states(self, wanted: ExecutionFilter = EVERYTHING) -> Mapping[State, int] | None:
        """See ExecutionStore."""
        if wanted.text or wanted.names_version or (wanted.tenant_id and wanted.names_process):
            return None
        with self._guard():
            by_state = {state: self._indexes(wanted, [state]) for state in State}
            counts = iter(self._counts([key for keys in by_state.values() for key in keys], wanted))
        return {state: sum(next(counts) for _ in keys) for state, keys in by_state.items()}

    def known_processes(self) -> Sequence[str]:
        """See ExecutionStore."""
        return self._processes()

    def known_tenants(self) -> Sequence[str]:
        """See ExecutionStore."""
        return self._tenants()

    def minutes(self, count: int) -> Sequence[Minute]:
        """See ExecutionStore."""
        with self._guard():
            seconds, _ = self._redis.time()
            latest = int(seconds) // 60
            asked = range(latest - count + 1, latest + 1)
            with self._redis.pipeline(transaction=False) as pipeline:
                for minute in asked:
                    pipeline.hgetall(names.minute_key(minute))
                found = pipeline.execute()
        return [
            Minute(datetime.fromtimestamp(minute * 60, UTC), codec.counts_by_name(counts))
            for minute, counts in zip(asked, found, strict=True)
        ]

    def failed(self, limit: int) -> Sequence[Execution]:
        """See ExecutionStore."""
        with self._guard():
            found = self._redis.zrevrange(names.FAILED, 0, limit - 1)
            return self._read([each.decode() for each in found])

    def held(self, limit: int) -> Sequence[Execution]:
        """See ExecutionStore."""
        with self._guard():
            ids = self._redis.zrange(names.HELD_EXECUTIONS, 0, limit - 1)
            return self._read([execution_id.decode() for execution_id in ids])

    # --- which indexes

    def _indexes(self, wanted: ExecutionFilter, states: Sequence[State]) -> Sequence[str]:
        """The keys whose entries together are what is wanted, or the fewest that hold it."""
        by_process = [
            names.process_history_key(process, state)
            for process, state in product(filter(wanted.names, self._processes()), states)
        ]
        tenants = [wanted.tenant_id] if wanted.tenant_id else self._tenants()
        by_tenant = [
            names.tenant_history_key(tenant, state) for tenant, state in product(tenants, states)
        ]
        if wanted.names_process and wanted.tenant_id:
            return min(by_process, by_tenant, key=lambda keys: sum(self._counts(keys, wanted)))
        if wanted.names_process:
            return by_process
        if wanted.tenant_id:
            return by_tenant
        return min(by_process, by_tenant, key=len)

    def _counts(self, keys: Sequence[str], wanted: ExecutionFilter) -> Sequence[int]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.zcount(key, *_bounds(wanted))
            counts: Sequence[int] = pipeline.execute()
        return counts

    def _processes(self) -> Sequence[str]:
        return self._members(names.KNOWN_PROCESSES)

    def _tenants(self) -> Sequence[str]:
        return self._members(names.KNOWN_TENANTS)

    def _members(self, key: str) -> Sequence[str]:
        with self._guard():
            return sorted(each.decode() for each in self._redis.smembers(key))

    # --- one page

    def _page(self, limit: int, wanted: ExecutionFilter, before: Place | None) -> Page:
        states = list(State) if wanted.state is None else [wanted.state]
        narrows = wanted.state or wanted.names_process or wanted.tenant_id
        keys = self._indexes(wanted, states) if narrows else [names.HISTORY]
        is_exact = not (wanted.names_version or (wanted.names_process and wanted.tenant_id))
        size = limit + 1 if is_exact else max(limit + 1, _AT_ONCE)
        found: list[Execution] = []
        looked_at = 0
        while True:
            places = self._places(keys, wanted, before, size)
            read = self._read([each.id for each in places], keys)
            found += filter(wanted.matches, read)
            if len(places) < size or len(found) > limit:
                return first_of(found, limit)
            before = places[-1]
            looked_at += len(places)
            if looked_at >= _LOOKED_AT:
                return first_until(found, before)

    def _places(
        self, keys: Sequence[str], wanted: ExecutionFilter, before: Place | None, size: int
    ) -> Sequence[Place]:
        """The newest places in all the indexes together, of those before one."""
        lowest, highest = _bounds(wanted)
        ties: Sequence[int] = [0] * len(keys)
        if before:
            highest = str(before.accepted_ms)
            with self._redis.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.zcount(key, highest, highest)
                ties = pipeline.execute()
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, tied in zip(keys, ties, strict=True):
                pipeline.zrevrangebyscore(key, highest, lowest, 0, size + tied, withscores=True)
            found = pipeline.execute()
        places = {Place(int(score), each.decode()) for part in found for each, score in part}
        return sorted((each for each in places if not before or each < before), reverse=True)[:size]

    def _read(self, ids: Sequence[str], indexes: Sequence[str] = ()) -> Sequence[Execution]:
        """Those that are there, without documents; the others are taken out of the indexes."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for each in ids:
                pipeline.hmget(names.execution_key(each), codec.SUMMARY_FIELDS)
            rows: Any = pipeline.execute()
        found, gone = [], []
        for each, values in zip(ids, rows, strict=True):
            row = dict(zip(codec.SUMMARY_FIELDS, values, strict=True))
            if row[b"state"]:
                reader = self._reader(each, is_lenient=True)
                found.append(codec.execution(reader, row))
            else:  # Redis has forgotten it, where recovery did not run for long
                gone.append(each)
        for each in gone if indexes else ():
            self._scripts.drop_forgotten((*self._keys(each), *indexes), (each,))
        return found

    # --- by what a person has in hand

    def _page_of_named(self, limit: int, wanted: ExecutionFilter, before: Place | None) -> Page:
        """Few enough to be read whole."""
        ids = {wanted.text, *self._of_flow_state(wanted.text), *self._with_token(wanted)}
        found = sorted(filter(wanted.matches, self._read(sorted(ids))), key=Place.of, reverse=True)
        return first_of([each for each in found if not before or Place.of(each) < before], limit)

    def _of_flow_state(self, prefix: str) -> Iterable[str]:
        return () if len(prefix) < SHORTEST_PREFIX else self._in_flow_states(prefix)

    def _in_flow_states(self, prefix: str) -> Iterable[str]:
        found = self._redis.zrangebylex(
            names.FLOW_STATES, f"[{prefix}", f"[{prefix}\x7f", 0, MOST_NAMED
        )
        return [each.decode().rpartition(" ")[2] for each in found]

    def _with_token(self, wanted: ExecutionFilter) -> Iterable[str]:
        requests = self._requests(wanted)
        if not requests:
            return
        ids = [names.request_execution_id(*each) for each in requests]
        if self._redis.exists(*map(names.execution_key, ids)):
            yield from ids

    def _requests(self, wanted: ExecutionFilter) -> Sequence[tuple[str, str, str, str]]:
        """What may have been asked for with the text as its token."""
        tenants = [wanted.tenant_id] if wanted.tenant_id else self.known_tenants()
        pairs = list(product(tenants, filter(wanted.names, self.known_processes())))[:_MOST_PAIRS]
        return [(tenant, wanted.text, *_split(process)) for tenant, process in pairs]


def _split(process: str) -> tuple[str, str]:
    service, _, action = process.partition(".")
    return service, action


def _bounds(wanted: ExecutionFilter) -> tuple[str, str]:
    """The scores of what was accepted in the time that is wanted."""
    return (
        "-inf" if wanted.since is None else str(int(wanted.since.timestamp() * 1000)),
        "+inf" if wanted.until is None else f"({int(wanted.until.timestamp() * 1000)}",
    )
