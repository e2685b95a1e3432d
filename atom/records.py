"""What the store keeps of an execution, and the states it can be in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

from atom.context import idempotency_key
from atom.entries import EntryKey, EntryKind
from atom.names import process_task, request_execution_id
from atom.parentage import Parentage
from atom.suspension import Wait


class State(StrEnum):
    """Where an execution stands: accepted → running → one of the final states."""

    ACCEPTED = "accepted"  # durable; waits for a worker
    RUNNING = "running"  # a worker holds it, or held it until its lease ran out
    SUSPENDED = "suspended"  # waits for a time or an event, without a worker
    COMPLETED = "completed"
    FAULTED = "faulted"  # the process said no, in its own words
    FAILED = "failed"  # the process broke, or its worker was lost too often
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"

    @property
    def is_final(self) -> bool:
        """Whether the outcome stands."""
        return self not in (State.ACCEPTED, State.RUNNING, State.SUSPENDED)


class CallbackState(StrEnum):
    """Where the callback of an execution stands."""

    NONE = "none"  # nothing to tell
    DUE = "due"  # to be sent at its due time
    DELIVERING = "delivering"  # a worker is sending it
    DELIVERED = "delivered"  # the flow took it, or the listener answered with the outcome
    PARKED = "parked"  # a person has to look at it
    DISMISSED = "dismissed"  # it was parked, and a person decided that it is not sent again


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.ACCEPTED: frozenset({State.RUNNING, State.CANCELLED, State.TIMED_OUT}),
    State.RUNNING: frozenset(
        {
            State.RUNNING,  # taken over from a lost worker
            State.ACCEPTED,  # handed back: its worker ends, or it is to be tried again
            State.SUSPENDED,
            State.COMPLETED,
            State.FAULTED,
            State.FAILED,
            State.CANCELLED,
            State.TIMED_OUT,
        }
    ),
    State.SUSPENDED: frozenset({State.ACCEPTED, State.CANCELLED, State.TIMED_OUT}),
    # A person may run it once more.
    **{state: frozenset({State.ACCEPTED}) for state in State if state.is_final},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of an execution, as its cleanup gets it."""

    execution_id: str
    """The execution that ended; the cleanup is an execution with an id of its own."""

    state: State
    """COMPLETED, FAULTED, FAILED, TIMED_OUT or CANCELLED."""

    error: str | None = None
    """The error as the history shows it, without secrets; None if the execution completed."""

    def __str__(self) -> str:
        how = self.state.value.replace("_", " ")
        return f"{how}: {self.error}" if self.error else how

    def idempotency_key(self, name: str) -> str:
        """Return the key that `execution.idempotency_key(name)` gave in the ended execution."""
        return idempotency_key(self.execution_id, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """What the listener stores of a request."""

    # Follows from what makes it the same request, so that the execution itself says that it is
    # known; without a token each request is one of its own.
    id: str = field(init=False)
    service: str
    action: str
    tenant_id: str
    state_id: str
    token: str = field(repr=False)
    callback_uri: str  # '' where nobody waits: the outcome goes to the history alone
    authorization: str | None = field(repr=False)
    request: bytes = field(repr=False)  # the request without its secrets
    private_request: bytes | None = field(default=None, repr=False)  # with them, where it has any
    queue: str  # whose workers run it
    priority: int = 0  # among those of its tenant that wait there
    version: str  # of the service that accepts it
    profiles: str  # the digest of its profiles there
    service_rate: float = 0  # requests per second that its service takes; 0: any number
    timeout_seconds: float
    sync_timeout_seconds: float = 0
    trace: str = ""  # the W3C traceparent of who asked, where there is one
    # The flow waits in the request itself: no token, no callback, and no use after that time.
    is_synchronous: bool = False
    origin: str = ""  # the execution of which this is a copy

    def __post_init__(self) -> None:
        identity = (self.tenant_id, self.token, self.service, self.action)
        execution_id = request_execution_id(*identity) if self.token else str(uuid4())
        object.__setattr__(self, "id", execution_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Which attempt of which execution a worker holds."""

    id: str
    fence: int  # new at each attempt; every write of this attempt carries it


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Hold):
    """An execution in the hands of one worker, for as long as its lease is renewed."""

    attempt: int
    losses: int  # earlier attempts whose worker was lost
    tries: int  # earlier attempts that failed and are tried again by the process's policy
    service: str
    action: str
    tenant_id: str
    state_id: str
    token: str = field(repr=False)
    authorization: str | None = field(repr=False)
    queue: str
    trace: str
    request: bytes = field(repr=False)  # with its secrets, but for the token
    accepted_at: datetime
    claimed_at: datetime  # of the store's clock, as every time here
    deadline: datetime
    wait: Wait | None  # at which an earlier attempt was suspended; it may be over
    waits: Mapping[EntryKey, Wait] = field(default_factory=dict)  # begun and not recorded yet
    held_seconds: float = 0  # how long its journal has not fitted the code; 0: it is not held
    parentage: Parentage | None = None
    parent_request: bytes | None = field(default=None, repr=False)  # as `request`
    version: str = ""  # of the service that accepted it
    worker_version: str = ""  # of the service that runs this attempt
    is_of_several_versions: bool = False  # another one accepted it or ran an earlier attempt
    ending: Ending | None = None  # of a cleanup: the end of its parent


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """The request of an execution as its worker gets it."""

    content: bytes = field(repr=False)  # with its secrets, but for the token
    authorization: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an answer to a flow needs of an execution."""

    service: str
    action: str
    tenant_id: str
    state_id: str
    is_awaited: bool  # the flow has not moved on: its token is kept
    queue: str
    parentage: Parentage | None = None


class StepKind(StrEnum):
    """How a recorded step ended."""

    RESULT = "result"
    FAULT = "fault"  # it said no
    FAILURE = "failure"  # it broke, and its tries are used up


@dataclass(frozen=True, slots=True)
class Step:
    """A recorded entry of a journal, such as a step, with its outcome as the journal encoded it."""

    name: str
    result: str = field(repr=False)
    kind: StepKind = StepKind.RESULT
    ended_at: datetime | None = None
    milliseconds: int | None = None  # the duration, retries included
    occurrence: int = 1
    entry: EntryKind = EntryKind.STEP
    function: str = ""  # the qualified name; empty for a lambda or a local function
    digest: str = ""  # of the items of a map
    giver: str = ""  # of a signal; see `GivenSignal`
    masked_result: str | None = field(default=None, repr=False)  # None: the result has no secrets

    @property
    def key(self) -> EntryKey:
        """The identity of the entry."""
        return EntryKey(self.name, self.occurrence)


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """A recorded entry of a journal as people see it."""

    name: str
    kind: StepKind
    ended_at: datetime | None = None
    milliseconds: int | None = None
    occurrence: int = 1
    entry: EntryKind = EntryKind.STEP
    result: str = field(default="", repr=False)  # as that of `Step`, its secrets masked
    giver: str = ""  # of a signal


class Secrets(StrEnum):
    """The fate of the secrets of a request, which a retry needs."""

    KEPT = "kept"  # encrypted, or still in use
    UNREADABLE = "unreadable"  # encrypted, with none of our keys
    DELETED_WHEN_COMPLETED = "deleted_when_completed"
    DELETED_WHEN_DISMISSED = "deleted_when_dismissed"
    DELETED_WITHOUT_KEY = "deleted_without_key"  # they are only kept encrypted
    DELETED_BY_SETTING = "deleted_by_setting"  # ATOM_KEEP_SECRETS=never
    DELETED_OF_CHILD = "deleted_of_child"  # a retry of its parent starts another child

    @property
    def are_deleted(self) -> bool:
        """Return whether nobody has the secrets any more."""
        return self not in (Secrets.KEPT, Secrets.UNREADABLE)


class RunEnd(StrEnum):
    """How one attempt of an execution ended; the final states are those of the execution."""

    LOST = "lost"  # its worker gave no sign of life for the length of a lease
    HANDED_BACK = "handed_back"  # its worker was to end
    TRIED_AGAIN = "tried_again"  # it failed, and the process's policy repeats it
    SUSPENDED = State.SUSPENDED.value
    HELD = "held"  # its journal did not fit the code
    COMPLETED = State.COMPLETED.value
    FAULTED = State.FAULTED.value
    FAILED = State.FAILED.value
    CANCELLED = State.CANCELLED.value
    TIMED_OUT = State.TIMED_OUT.value


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt of an execution."""

    started_at: datetime
    ended_at: datetime | None  # None while it runs; of a lost one, when its lease ran out
    worker: str
    end: RunEnd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A callback in the hands of one worker."""

    execution_id: str
    fence: int
    seq: int  # which content it carries; newer content makes it due again
    is_final: bool
    callback_uri: str
    service: str
    action: str
    tenant_id: str
    state_id: str
    trace: str
    token: str = field(repr=False)
    authorization: str | None = field(repr=False)
    progress: str | None
    response: bytes | None = field(repr=False)
    failures: int  # tries that failed so far
    busy: int  # tries the flow answered BUSY since
    due_since: datetime | None  # of an outcome: when its first try was due
    claimed_at: datetime  # by the store's clock, as every time here


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a callback, as the history shows it."""

    at: datetime
    kind: str  # progress or outcome
    status: int | None  # None where there was no answer
    answer: str
    milliseconds: int

    @property
    def summary(self) -> str:
        """What came of it, in a few words: status, where there was one, and answer."""
        return f"{self.status or ''} {self.answer}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution as people see it; secrets stay behind."""

    id: str
    service: str
    action: str
    tenant_id: str
    flow_state_id: str
    state: State
    attempts: int
    losses: int
    tries: int
    worker: str | None
    version: str | None  # of the service that accepted it
    worker_version: str | None = None  # of the service that ran its latest attempt
    queue: str
    trace: str | None
    accepted_at: datetime
    started_at: datetime | None
    latest_start_at: datetime | None  # of its first attempt since an operator last retried it
    finished_at: datetime | None
    deadline: datetime
    progress: str | None
    error: str | None
    callback_uri: str
    callback_state: CallbackState
    callback_due_at: datetime | None  # None where it is not due
    delivered_at: datetime | None
    wait: Wait | None = None  # while it is suspended
    held_since: datetime | None = None  # while its journal does not fit the code
    origin: str | None = None  # the execution of which it is a copy
    parent: str | None = None  # whose child it is
    ending: Ending | None = None  # of a cleanup: the end of its parent; in a list without the error
    children: int = 0  # how many it has had, cleanups included; not in a list
    request: dict[str, Any] | None = field(default=None, repr=False)
    response: dict[str, Any] | None = field(default=None, repr=False)
    runs: tuple[Run, ...] = ()  # its attempts: the latest 20, and the one under way
    steps: tuple[RecordedStep, ...] = ()
    callback_attempts: tuple[Attempt, ...] = ()
    secrets: Secrets | None = None  # of its request; None if it has none
    is_awaited: bool = False  # its flow has not moved on; not in a list
    is_acknowledged: bool = False  # an operator dismissed its end
    unreadable: str | None = None  # why parts of it are missing here: we lack their key

    @property
    def label(self) -> str:
        """The process as lists name it: `CRM.Create`, or `CRM.Create (cleanup)`."""
        name = process_task(self.service, self.action)
        return f"{name} (cleanup)" if self.ending else name

    @property
    def versions(self) -> str:
        """The version that accepted it, and the one that ran it last if that is another."""
        versions = dict.fromkeys(filter(None, (self.version, self.worker_version)))
        return " → ".join(versions)

    def took(self, now: datetime) -> timedelta | None:
        """Return how long it ran, its waits included, up to its end or to now.

        A retry by an operator counts anew. None before the first attempt.
        """
        if self.latest_start_at is None:
            return None
        return (self.finished_at or now) - self.latest_start_at


@dataclass(frozen=True, slots=True)
class Ended:
    """An execution that was ended from outside."""

    was: State
    is_callback_due: bool  # it should go out now (else later, or there is none)


class Restart(StrEnum):
    """What came of the wish to run an ended execution once more."""

    RESTARTED = "restarted"
    UNKNOWN = "unknown"
    UNFINISHED = "unfinished"
    CHILD = "child"  # its parent has what came of it
    COMPLETED = "completed"  # it has no failed step
    UNDELIVERED = "undelivered"  # its callback is still being sent
    SECRET = "secret"  # noqa: S105 (the secrets of its request were deleted)
    UNREADABLE = "unreadable"  # it is encrypted, with none of our keys
    CLEANUP = "cleanup"  # the cleanup of its last end has begun and not ended
    MOVED = "moved"  # a cleanup in the history database
    NO_STEP = "no_step"  # no such step is recorded
    CHANGED = "changed"  # the journal is not the one that was read


class Replay(StrEnum):
    """The result of the wish to send a callback now."""

    DUE = "due"  # it is sent within seconds
    WAITS = "waits"  # the same, after one of the same flow state or one that tries its host
    SENDING = "sending"  # it is being sent already
    ANSWERING = "answering"  # the listener is about to answer with the outcome
    UNFINISHED = "unfinished"
    NONE = "none"  # there is no callback, or its flow took it
    UNKNOWN = "unknown"

    @property
    def is_due(self) -> bool:
        """Return whether the callback is going to be sent."""
        return self in (Replay.DUE, Replay.WAITS)


@dataclass(frozen=True, slots=True)
class ParkedCallback:
    """A callback that waits for a person."""

    execution_id: str
    service: str
    action: str
    host: str
    parked_at: datetime
    answer: str  # to its last try


# The level of a line that is what the process told its flow.
PROGRESS: Final = "PROGRESS"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of an execution's own log."""

    at: datetime
    level: str
    message: str = field(repr=False)
    attempt: int


@dataclass(frozen=True, slots=True)
class Presence:
    """A process that announced itself lately."""

    role: str  # of a worker: a queue that it serves
    instance: str
    seen_at: datetime  # by the store's clock
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What the Redis server says of itself; 0 and "" where it does not say."""

    version: str
    used_bytes: int
    max_bytes: int  # 0: no limit
    policy: str  # what it evicts when it is full
    evicted: int  # keys, since it was started
    clients: int
    max_clients: int
    is_append_only: bool
    is_replica: bool
    failed: tuple[str, ...]  # what it could not write to disk at its last try: AOF, RDB
