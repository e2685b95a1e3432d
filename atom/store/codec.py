"""Between the records and what Redis holds of them, encrypted where it has to be."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from atom.entries import EntryKey, EntryKind
from atom.errors import Unreadable
from atom.overview import ClockChange, Overview, QueueState
from atom.records import (
    Attempt,
    CallbackState,
    Claim,
    Delivery,
    Ending,
    Execution,
    Hold,
    LogLine,
    NewExecution,
    ParkedCallback,
    Presence,
    RecordedStep,
    Run,
    RunEnd,
    Secrets,
    State,
    Step,
    StepKind,
    StoredRequest,
)
from atom.redaction import MASK, masked
from atom.store.child_codec import parentage
from atom.store.encryption import Cipher
from atom.store.reading import Reader
from atom.suspension import Wait, WaitKind

# Written into every record. A change that makes older code misread a record, or newer code misread
# an older record, takes the next number: a worker claims only records of its own format.
FORMAT_VERSION: Final = 1

# The content of a recorded entry that our keys do not decrypt.
_UNREADABLE_ENTRY: Final = (MASK, 1, "", EntryKind.STEP, "", "", "", None)

# What a list of executions shows; the documents are left in the store.
SUMMARY_FIELDS: Final = [
    b"service",
    b"action",
    b"tenant_id",
    b"state_id",
    b"state",
    b"attempts",
    b"losses",
    b"tries",
    b"worker",
    *(b"version", b"worker_version"),
    b"queue",
    b"trace",
    b"accepted_at",
    b"started_at",
    b"restarted_at",
    b"finished_at",
    b"deadline",
    b"progress",
    b"error",
    b"callback_uri",
    b"callback_state",
    b"callback_due_at",
    b"delivered_at",
    *(b"wait_entry", b"wait_kind", b"wait_until", b"held_since"),
    b"parent",
    b"ending_state",
    *(b"is_private", b"secrets_deleted", b"is_acknowledged"),
    b"origin",
]


def accepted_fields(new: NewExecution) -> list[Any]:
    """Field, value, field, value, … of a new execution, beside those that the script knows."""
    fields = ["format", FORMAT_VERSION, "callback_uri", new.callback_uri]
    fields += ["version", new.version, "profiles", new.profiles]
    if new.private_request is not None:
        fields += ["is_private", 1]
    if new.origin:
        fields += ["origin", new.origin]
    if new.priority:
        fields += ["priority", new.priority]
    if new.trace:
        fields += ["trace", new.trace]
    if new.callback_uri:
        fields += ["callback_host", urlsplit(new.callback_uri).netloc.lower()]
    return fields


def accepted_documents(new: NewExecution, cipher: Cipher) -> list[Any]:
    """The same of what is kept apart."""
    fields = ["token", cipher.seal(new.token.encode()), "request", cipher.seal(new.request)]
    if new.authorization is not None:
        fields += ["authorization", cipher.seal(new.authorization.encode())]
    if new.private_request is not None:
        fields += ["private_request", cipher.seal(new.private_request)]
    return fields


def hold(execution_id: str, flat: Sequence[bytes]) -> Hold:
    """From the first of what `claim` gets."""
    return Hold(id=execution_id, fence=int(_row(flat)[b"fence"]))


def claim(
    reader: Reader,
    flat: Sequence[bytes],
    documents: Sequence[bytes],
    of_parent: Sequence[bytes | None] | None,
) -> Claim:
    """From what claim.lua returns: an execution, its documents, and the requests of its parent."""
    return claim_of(reader, _row(flat) | _row(documents), of_parent)


def claim_of(
    reader: Reader, row: Mapping[bytes, bytes], of_parent: Sequence[bytes | None] | None
) -> Claim:
    """Return the claim of an execution from its fields, documents included."""
    parent_request, parent_private_request = of_parent or (None, None)
    return Claim(
        id=reader.execution_id,
        fence=int(row[b"fence"]),
        attempt=int(row[b"attempts"]),
        losses=int(row.get(b"losses", 0)),
        tries=int(row.get(b"tries", 0)),
        service=row[b"service"].decode(),
        action=row[b"action"].decode(),
        tenant_id=row[b"tenant_id"].decode(),
        state_id=row[b"state_id"].decode(),
        token=reader.text(row.get(b"token")) or "",
        authorization=reader.text(row.get(b"authorization")),
        queue=row[b"queue"].decode(),
        trace=row.get(b"trace", b"").decode(),
        request=reader.content(row.get(b"private_request") or row[b"request"]) or b"",
        accepted_at=_moment(row[b"accepted_at"]),
        claimed_at=_moment(row.get(b"run_started_at") or row[b"started_at"]),
        deadline=_moment(row[b"deadline"]),
        wait=_wait(row),
        waits=_waits(row),
        held_seconds=_held_seconds(row),
        parentage=parentage(row.get(b"parent"), row.get(b"root")),
        parent_request=reader.content(parent_private_request or parent_request),
        version=row[b"version"].decode(),
        worker_version=row.get(b"worker_version", b"").decode(),
        is_of_several_versions=b"is_of_several_versions" in row,
        ending=_ending(reader, row),
    )


def delivery(reader: Reader, flat: Sequence[bytes]) -> Delivery:
    """From the fields that take_callback() of the scripts returns."""
    row = _row(flat)
    due_since = row.get(b"callback_due_since")
    return Delivery(
        execution_id=reader.execution_id,
        fence=int(row[b"callback_fence"]),
        seq=int(row[b"callback_seq"]),
        is_final=State(row[b"state"].decode()).is_final,
        callback_uri=row[b"callback_uri"].decode(),
        service=row[b"service"].decode(),
        action=row[b"action"].decode(),
        tenant_id=row[b"tenant_id"].decode(),
        state_id=row[b"state_id"].decode(),
        trace=row.get(b"trace", b"").decode(),
        token=reader.text(row.get(b"token")) or "",
        authorization=reader.text(row.get(b"authorization")),
        progress=reader.text(row.get(b"progress")),
        response=reader.content(row.get(b"private_response") or row.get(b"response")),
        failures=int(row.get(b"callback_failures", 0)),
        busy=int(row.get(b"callback_busy", 0)),
        due_since=_moment(due_since) if due_since else None,
        claimed_at=_moment(row[b"claimed_at"]),
    )


def execution(
    reader: Reader,
    row: Mapping[bytes, bytes | None],
    steps: Mapping[bytes, bytes] | None = None,
    children: int = 0,
) -> Execution:
    """Return one execution without secrets.

    Args:
        reader: of the execution.
        row: its fields; in a list without its documents.
        steps: its journal.
        children: how many it has had.
    """
    text, moment = partial(_text_of, row), partial(_moment_of, row)
    state = State(text(b"state") or "")
    callback_state = CallbackState(text(b"callback_state") or "none")
    return Execution(
        id=reader.execution_id,
        service=text(b"service") or "",
        action=text(b"action") or "",
        tenant_id=text(b"tenant_id") or "",
        flow_state_id=text(b"state_id") or "",
        state=state,
        attempts=int(row.get(b"attempts") or 0),
        losses=int(row.get(b"losses") or 0),
        tries=int(row.get(b"tries") or 0),
        worker=text(b"worker"),
        version=text(b"version") or None,
        worker_version=text(b"worker_version") or None,
        queue=text(b"queue") or "",
        trace=text(b"trace"),
        accepted_at=_moment(row[b"accepted_at"] or b"0"),
        started_at=moment(b"started_at"),
        latest_start_at=moment(_latest_start(row)),
        finished_at=moment(b"finished_at"),
        deadline=_moment(row[b"deadline"] or b"0"),
        progress=reader.text(row.get(b"progress")),
        error=reader.text(row.get(b"error")) or None,
        callback_uri=text(b"callback_uri") or "",
        callback_state=callback_state,
        callback_due_at=moment(b"callback_due_at") if callback_state is CallbackState.DUE else None,
        delivered_at=moment(b"delivered_at"),
        wait=_wait(row) if state is State.SUSPENDED else None,
        held_since=moment(b"held_since"),
        origin=text(b"origin"),
        parent=text(b"parent"),
        ending=_ending(reader, row),
        children=children,
        request=_document(reader, row, b"request"),
        response=_document(reader, row, b"response"),
        runs=tuple(_runs(row)),
        steps=tuple(_recorded(reader, steps or {})),
        callback_attempts=tuple(_attempts(reader, row.get(b"callback_attempts"))),
        secrets=_secrets(reader, row),
        is_awaited=bool(row.get(b"token")),
        is_acknowledged=bool(row.get(b"is_acknowledged")),
        unreadable=str(reader.failure) if reader.failure else None,  # known when all is read
    )


def _text_of(row: Mapping[bytes, bytes | None], name: bytes) -> str | None:
    return _text(row.get(name))


def _moment_of(row: Mapping[bytes, bytes | None], name: bytes) -> datetime | None:
    value = row.get(name)
    return _moment(value) if value else None


def stored_request(reader: Reader, documents: Mapping[bytes, bytes | None]) -> StoredRequest | None:
    """Read the request of an execution with its secrets; None if it was not kept.

    Raises:
        Unreadable: it is encrypted, with none of our keys.
    """
    strict = reader.strict()
    content = strict.content(documents.get(b"private_request") or documents.get(b"request"))
    if not content:
        return None
    return StoredRequest(content, strict.text(documents.get(b"authorization")))


def _document(reader: Reader, row: Mapping[bytes, bytes | None], name: bytes) -> Any:
    content = reader.content(row.get(name))
    return masked(orjson.loads(content)) if content else None


def _latest_start(row: Mapping[bytes, bytes | None]) -> bytes:
    return b"started_at" if row.get(b"restarted_at") is None else b"restarted_at"


def _secrets(reader: Reader, row: Mapping[bytes, bytes | None]) -> Secrets | None:
    """Return the state of the secrets; in a list, without the documents, they may be unreadable."""
    if not row.get(b"is_private"):
        return None
    if deleted := _text(row.get(b"secrets_deleted")):
        return Secrets(deleted)
    return Secrets.KEPT if is_runnable(reader, row, ()) else Secrets.UNREADABLE


def is_runnable(
    reader: Reader, documents: Mapping[bytes, bytes | None], steps: Iterable[bytes]
) -> bool:
    """Return whether our keys read all that a worker needs to run an execution again.

    Args:
        reader: of the execution.
        documents: its documents.
        steps: the recorded ones that it keeps.
    """
    strict = reader.strict()
    request = documents.get(b"private_request") or documents.get(b"request")
    needed = [request, documents.get(b"authorization"), documents.get(b"token")]
    needed += [value for name, value in documents.items() if name.startswith(b"event:")]
    try:
        for value in needed:
            strict.content(value)
        for step in steps:
            decode_step(strict, step)
    except Unreadable:
        return False
    return True


def encode_attempt(attempt: Attempt, cipher: Cipher) -> bytes:
    """One try of a callback as a line."""
    at_ms = int(attempt.at.timestamp() * 1000)
    values = [at_ms, attempt.kind, attempt.status, attempt.answer, attempt.milliseconds]
    return cipher.seal(orjson.dumps(values))


def _attempts(reader: Reader, lines: bytes | None) -> Iterator[Attempt]:
    """Yield the readable tries of a callback, oldest first."""
    for line in lines.split(b"\n") if lines else ():
        encoded = reader.content(line)
        if encoded is not None:
            at_ms, kind, status, answer, milliseconds = orjson.loads(encoded)
            yield Attempt(
                at=_moment(at_ms),
                kind=kind,
                status=status,
                answer=answer,
                milliseconds=milliseconds,
            )


def encode_step(step: Step, cipher: Cipher) -> bytes:
    """Write a recorded entry: its content, encrypted or not, failure or false, end, duration.

    The content is a JSON array of name, occurrence, result, entry kind, function, digest, giver and
    masked result (or null), or the text of that array encrypted. Scripts know a failure by the
    third element. The end and the duration are milliseconds, null if they were not measured.
    """
    content: Any = [step.name, step.occurrence, step.result, step.entry, step.function, step.digest]
    content += [step.giver, step.masked_result]
    if cipher.is_on:
        content = cipher.encrypt(orjson.dumps(content)).decode()
    failed = step.kind is not StepKind.RESULT and step.kind
    ended_ms = step.ended_at and int(step.ended_at.timestamp() * 1000)
    return orjson.dumps([content, cipher.is_on, failed, ended_ms, step.milliseconds])


def decode_step(reader: Reader, encoded: bytes) -> Step:
    """Read a recorded entry; the content of one that cannot be decrypted is masked."""
    content, is_encrypted, kind, ended_ms, milliseconds = orjson.loads(encoded)
    if is_encrypted:
        decrypted = reader.decrypted(content.encode())
        content = orjson.loads(decrypted) if decrypted else _UNREADABLE_ENTRY
    name, occurrence, result, entry, function, digest, giver, masked_result = content
    return Step(
        name,
        result,
        StepKind(kind) if kind else StepKind.RESULT,
        _moment(ended_ms) if ended_ms else None,
        milliseconds,
        occurrence=occurrence,
        entry=EntryKind(entry),
        function=function,
        digest=digest,
        giver=giver,
        masked_result=masked_result,
    )


def _recorded(reader: Reader, steps: Mapping[bytes, bytes]) -> Iterator[RecordedStep]:
    """Return the recorded entries as people see them, in the order of their records."""
    for order in sorted(steps, key=int):
        step = decode_step(reader, steps[order])
        yield RecordedStep(
            step.name,
            step.kind,
            step.ended_at,
            step.milliseconds,
            occurrence=step.occurrence,
            entry=step.entry,
            result=step.result if step.masked_result is None else step.masked_result,
            giver=step.giver,
        )


def _wait(row: Mapping[bytes, bytes | None]) -> Wait | None:
    entry, kind, until = (row.get(b"wait_" + name) for name in (b"entry", b"kind", b"until"))
    if not entry or not kind:
        return None
    key, since = EntryKey.parse(entry.decode()), row.get(b"due_set_at")
    return Wait(
        name=key.name,
        occurrence=key.occurrence,
        kind=WaitKind(kind.decode()),
        until=_moment(until) if until else None,
        since=_moment(since) if since else None,
    )


def _ending(reader: Reader, row: Mapping[bytes, bytes | None]) -> Ending | None:
    """Return the end that a cleanup follows; None if the execution is not a cleanup."""
    state = _text(row.get(b"ending_state"))
    if state is None:
        return None
    error = reader.text(row.get(b"ending_error")) or None
    return Ending(execution_id=_text(row[b"parent"]) or "", state=State(state), error=error)


def _waits(row: Mapping[bytes, bytes]) -> dict[EntryKey, Wait]:
    """Return every wait that was begun: the latest one, and those that were set aside for it."""
    waits = {}
    for text, (kind, until, since) in orjson.loads(row.get(b"waits") or b"{}").items():
        key = EntryKey.parse(text)
        waits[key] = Wait(
            name=key.name,
            occurrence=key.occurrence,
            kind=WaitKind(kind),
            until=_moment(until) if until else None,
            since=_moment(since) if since else None,
        )
    latest = _wait(row)
    if latest is not None and latest.kind is not WaitKind.HELD:
        waits[latest.key] = latest
    return waits


def _held_seconds(row: Mapping[bytes, bytes]) -> float:
    since = row.get(b"held_since")
    if since is None:
        return 0
    claimed_ms = int(row.get(b"run_started_at") or row[b"started_at"])
    return max(0, claimed_ms - int(since)) / 1000


def _runs(row: Mapping[bytes, bytes | None]) -> Iterator[Run]:
    """The attempts: those that were kept, and the latest one."""
    runs = orjson.loads(row.get(b"runs") or b"[]")
    for started, ended, worker, how in runs:
        yield Run(_moment(started), _moment(ended), worker, RunEnd(how))
    started_at = row.get(b"run_started_at") or (not runs and row.get(b"started_at"))
    if started_at:
        finished_at, worker = row.get(b"finished_at"), _text(row.get(b"worker"))
        yield Run(
            _moment(started_at),
            _moment(finished_at) if finished_at else None,
            worker or "",
            RunEnd(_text(row[b"state"]) or "") if finished_at else None,
        )


def parked(
    reader: Reader, row: Sequence[bytes | None], parked_ms: float, attempts: bytes | None
) -> ParkedCallback:
    """Return a parked callback.

    Args:
        reader: of its execution.
        row: the fields service, action and callback_uri.
        parked_ms: its score in the index.
        attempts: the stored tries.
    """
    service, action, uri = (_text(value) or "" for value in row)
    last = attempts.rpartition(b"\n")[2] if attempts else None
    attempt = next(_attempts(reader, last), None)
    return ParkedCallback(
        execution_id=reader.execution_id,
        service=service,
        action=action,
        host=urlsplit(uri).netloc.lower(),
        parked_at=datetime.fromtimestamp(parked_ms / 1000, UTC),
        answer=attempt.summary if attempt else "",
    )


def encode_line(line: LogLine, cipher: Cipher) -> bytes:
    """One line of an execution's log as a list element."""
    return cipher.seal(orjson.dumps([line.at, line.level, line.attempt, line.message]))


def decode_line(reader: Reader, stored: bytes) -> LogLine | None:
    """One line of an execution's log; None where it is left out."""
    encoded = reader.content(stored)
    if encoded is None:
        return None
    at, level, attempt, message = orjson.loads(encoded)
    return LogLine(datetime.fromisoformat(at), level, message, attempt)


def presence(member: bytes, value: bytes) -> Presence:
    """From its member in the index and what `announce.lua` wrote."""
    role, _, instance = member.decode().partition("\0")
    seen_at, _, details = value.partition(b" ")
    return Presence(role, instance, _moment(seen_at), orjson.loads(details))


def overview(found: Sequence[Any]) -> Overview:
    """From what `overview.lua` returns."""
    now, queues, scheduled, suspended, running, lost, overdue, *rest = found
    callbacks, late_since, parked, failed, held, *flats, stored, (changed_at, changed_by) = rest
    circuits, paused, counters, held_back = (_row(flat) for flat in flats)
    return Overview(
        at=_moment(now),
        queues={
            queue.decode(): QueueState(waiting, _moment(oldest) if oldest else None)
            for queue, waiting, oldest in sorted(queues)
        },
        scheduled=scheduled,
        suspended=suspended,
        running=running,
        lost=lost,
        overdue_deadlines=overdue,
        callbacks_due=callbacks,
        callbacks_late_since=_moment(late_since) if late_since else None,
        parked=parked,
        failed=failed,
        held=held,
        open_circuits={host.decode(): _moment(until) for host, until in circuits.items()},
        paused=since_by_target(paused),
        counters=counts_by_name(counters),
        stored=stored,
        held_back=counts_by_name(held_back),
        clock_change=(
            ClockChange(_moment(changed_at), int(changed_by) / 1000) if changed_at else None
        ),
    )


def since_by_target(found: Mapping[bytes, bytes]) -> dict[str, datetime]:
    """What is paused, by name."""
    return {
        target.decode(): datetime.fromisoformat(since.decode())
        for target, since in sorted(found.items())
    }


def counts_by_name(found: Mapping[bytes, bytes]) -> dict[str, int]:
    """The counters."""
    return {name.decode(): int(count) for name, count in sorted(found.items())}


def _row(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _moment(milliseconds: bytes | int) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
