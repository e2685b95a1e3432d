"""For service authors: run a process in a test, without Redis, Celery or a flow."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from json import dumps
from typing import Any, TypeVar, cast

from atom.context import Circumstances, Execution
from atom.entries import Entry, EntryKey, EntryKind, qualified_name
from atom.errors import Fault, Faults, NestedStep
from atom.execution.children import (
    child_failure,
    items_digest,
    path_of,
    results_of,
    stored_items,
)
from atom.execution.failures import described
from atom.execution.ownership import Owner
from atom.execution.recorded_entries import RecordedEntries, completed
from atom.execution.recorded_values import decode, encode
from atom.execution.steps import event_of, outcome_of, run_step, step_of_signal
from atom.files import UploadedFile
from atom.profile import Profile
from atom.protocol.exact_json import normal_json
from atom.protocol.files import Upload, safe_content_type, safe_name
from atom.protocol.query_filter import ListFilter
from atom.protocol.running_user import RunningUser
from atom.query import Query
from atom.records import Ending, State, Step, StepKind
from atom.retry import Retry
from atom.service import FlowService

_T = TypeVar("_T")


class MemoryJournal:
    """A journal in memory. Hand the same one to a second execution to replay the first."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        """The progress messages, in order."""
        self.steps: list[Step] = []
        """The recorded steps: name, encoded outcome and how it ended, in order."""
        self.pauses: list[float] = []
        """The seconds that steps would have waited before they were tried again."""
        self.waits: list[datetime | timedelta] = []
        """Until when, or for how long, the process would have been suspended."""
        self.signals: dict[str, Any] = {}
        """The events that come, by the names of their signals; another signal times out."""
        self.children: list[MemoryJournal] = []
        """The journals of what the process mapped over or called, in order."""
        self.cancelled = False
        """What `execution.cancelled` says; set it to play a lost worker."""
        self._owner = Owner.current()  # the caller that made the execution
        self._entries = RecordedEntries()
        self._step: str | None = None  # the one that runs
        self._surroundings: Mapping[str, Any] = {}  # of its execution, and so of its children

    def progress(self, message: str, fraction: float | None) -> None:
        """See `atom.context.Journal`."""
        self.messages.append(message)

    @property
    def unreached(self) -> list[str]:
        """The names of the recorded steps and waits that the latest execution did not ask for.

        A worker logs a warning of them at the end of an execution: a new version of the process
        has removed or renamed them.
        """
        return [key.name for key in self._entries.unreached]

    def step(self, entry: Entry, function: Callable[[], _T], retry: Retry | None = None) -> _T:
        """See `atom.context.Journal`."""
        (key, recorded), cause = self._next(entry), None
        if recorded is None:
            self._step = entry.name
            try:
                recorded, cause = run_step(key.name, function, retry, self.pauses.append)
            finally:
                self._step = None
            self._record(key, entry, recorded)
        return cast(_T, outcome_of(recorded, cause))

    def wait_until(self, entry: Entry, due: datetime | timedelta) -> None:
        """See `atom.context.Journal`."""
        key, recorded = self._next(entry)
        if recorded is None:
            self.waits.append(due)
            self._record(key, entry, Step(key.name, encode(None)))

    def signal(self, entry: Entry, timeout: timedelta | None) -> Any:
        """See `atom.context.Journal`."""
        name = entry.name
        key, recorded = self._next(entry)
        if recorded is None:
            event = None
            if name in self.signals:  # as strict as a listener
                event = normal_json(dumps(self.signals[name]).encode())
            recorded = step_of_signal(name, event)
            self._record(key, entry, recorded)
        return event_of(name, recorded)

    def map(
        self,
        entry: Entry,
        function: Callable[[Any, Any], Any],
        items: Iterable[Any],
        concurrency: int,
        *,
        returns_faults: bool,
    ) -> list[Any]:
        """See `atom.context.Journal`. One item after the other, each with a journal of its own."""
        path_of(function)  # as strict as a worker
        every = list(items)
        entry = replace(entry, digest=items_digest(every))
        key, recorded = self._next(entry)
        if recorded is None:
            recorded = self._mapped(key.name, function, every, returns_faults=returns_faults)
            self._record(key, entry, recorded)
        return results_of(key.name, recorded, returns_faults=returns_faults)

    def call(
        self,
        name: str | None,
        function: Callable[..., Any],
        document: Mapping[str, Any],
        formerly: str | None,
    ) -> dict[str, Any]:
        """See `atom.context.Journal`. The function is called as it is, without its profiles."""
        process = qualified_name(function)
        name = name or f"call {process or function}"
        entry = Entry(kind=EntryKind.CALL, name=name, function=process, formerly=formerly)
        key, recorded = self._next(entry)
        if recorded is None:
            recorded = self._run_child(key.name, 0, lambda child: function(dict(document), child))
            self._record(key, entry, recorded)
        return cast(dict[str, Any], outcome_of(recorded))

    def _mapped(
        self,
        name: str,
        function: Callable[[Any, Any], Any],
        items: Iterable[Any],
        *,
        returns_faults: bool,
    ) -> Step:
        ended = []
        for index, stored in enumerate(stored_items(items)):
            step = self._run_child(name, index, partial(function, decode(stored)))
            if step.kind is not StepKind.RESULT and not returns_faults:
                return step
            ended.append((step.kind.value, step.result))
        return Step(name, encode(ended))

    def _run_child(self, name: str, index: int, function: Callable[[Execution], Any]) -> Step:
        child = MemoryJournal()
        child.signals = self.signals
        self.children.append(child)
        made = execution(child, **self._surroundings)
        step, cause = run_step(name, lambda: function(made), None, self.pauses.append)
        if step.kind is StepKind.FAILURE and cause is not None:
            reason = f"Child {index} failed: {described(cause)}"
            return Step(name, child_failure(reason), step.kind)
        return step

    def signal_token(self, name: str) -> str:
        """See `atom.context.Journal`."""
        return f"token-of-{name}"

    def _next(self, entry: Entry) -> tuple[EntryKey, Step | None]:
        """Advance to an entry; raises JournalMismatch where a worker would hold the execution."""
        self._owner.check(entry.name)
        if self._step is not None:
            raise NestedStep(entry.name, self._step)
        return self._entries.find(entry)

    def _record(self, key: EntryKey, entry: Entry, step: Step) -> None:
        self.steps.append(completed(step, key, entry))

    def rewind(self) -> None:
        """Let the next execution replay the recorded steps, as a new attempt does.

        From now on steps belong to the calling thread.
        """
        self._owner = Owner.current()
        self._entries = RecordedEntries(self.steps)


def execution(  # noqa: PLR0913 (each is an option, by keyword)
    journal: MemoryJournal | None = None,
    *,
    attempt: int = 1,
    user: RunningUser | None = None,
    configuration: Mapping[str, Any] | None = None,
    properties: Mapping[str, str] | None = None,
    outcomes: Sequence[str] = (),
    flow: Any = None,
    version: str = "",
    is_of_several_versions: bool = False,
    execution_id: str = "00000000-0000-4000-8000-000000000000",
) -> Execution:
    """Make an execution to call a process with.

    Args:
        journal: to look at afterwards, or to replay.
        attempt: above 1 for what a later worker would see.
        user: who runs the flow.
        configuration: the service's configuration values, by name.
        properties: process properties, by their names on the platform.
        outcomes: the names that `execution.outcome` may choose from.
        flow: what stands in for the Flow Client connector.
        version: the version of the service that accepted the execution.
        is_of_several_versions: whether another version accepted it or ran an earlier attempt.
        execution_id: from which the idempotency keys follow.
    """
    journal = journal or MemoryJournal()
    journal.rewind()
    surroundings = {
        "user": user,
        "configuration": configuration,
        "properties": properties,
        "flow": flow,
    }
    journal._surroundings = surroundings
    return Execution(
        execution_id,
        journal,
        process_name="Test.Process",
        tenant_id="11111111-1111-4111-8111-111111111111",
        flow_state_id="22222222-2222-4222-8222-222222222222",
        attempt=attempt,
        deadline=datetime.now(UTC) + timedelta(days=1),
        version=version,
        is_of_several_versions=is_of_several_versions,
        circumstances=Circumstances(
            user=user,
            configuration=configuration or {},
            properties=properties or {},
            outcomes=outcomes,
            flow=lambda: flow,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRun:
    """A message action that ran in a test, up to its end."""

    ending: Ending
    """The end of the execution, as its cleanup received it."""

    result: Any = None
    """The result of the function, if the execution completed."""


def run_action(
    service: FlowService,
    action: str,
    request: Any,
    execution: Execution,
    cleanup: Execution | None = None,
) -> ActionRun:
    """Run a message action and then its cleanup, if it declares `on_end`.

    The functions are called as they are, without the profiles. What the cleanup raises is raised
    here.

    Args:
        service: which declares the action.
        action: its name.
        request: what both functions are called with.
        execution: of the action; see `execution`.
        cleanup: the execution of the cleanup; by default a new one with another id.
    """
    process, result, error = service.message_processes[action], None, None
    state = State.COMPLETED
    try:
        result = process.function(request, execution)
    except (Fault, Faults) as refusal:
        state, error = State.FAULTED, described(refusal)
    except Exception as failure:
        state, error = State.FAILED, described(failure)
    ending = Ending(execution_id=execution.id, state=state, error=error)
    if process.on_end is not None:
        process.on_end(request, cleanup or _execution_of_cleanup(), ending)
    return ActionRun(ending=ending, result=result)


def _execution_of_cleanup() -> Execution:
    return execution(execution_id="00000000-0000-5000-8000-000000000000")


def query(profile: type[Profile], list_filter: Mapping[str, Any] | None = None) -> Query:
    """A query as a flow asks it, from a `listFilter` of the wire.

    Raises:
        InvalidRequest: it fits the profile not.
    """
    return Query.load(profile(), ListFilter.read(dict(list_filter or {})))


def uploaded_file(
    content: bytes, name: str = "file.txt", content_type: str = "text/plain"
) -> UploadedFile:
    """A file as a process gets it."""
    upload = Upload("test", safe_name(name), safe_content_type(content_type), len(content))
    return UploadedFile(_Bytes(content), upload)


class _Bytes(io.RawIOBase):
    """Bytes as the raw part of a buffered reader."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._content.seek(offset, whence)

    def tell(self) -> int:
        return self._content.tell()

    def readinto(self, buffer: Any) -> int:
        return self._content.readinto(buffer)
