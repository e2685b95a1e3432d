"""What a process may ask of its execution."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha1
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from atom.entries import Entry, EntryKind, qualified_name
from atom.errors import DeclarationError, UnknownOutcome
from atom.protocol.running_user import RunningUser
from atom.retry import Retry
from atom.text import text_of

_T = TypeVar("_T")

# The namespace of idempotency keys: it may never change.
_KEYS: Final = UUID("0f1d3ab4-6f0e-4a63-9d3c-0d8a4a1f7a52")


def idempotency_key(execution_id: str, name: str) -> str:
    """Return the idempotency key of a side effect of an execution."""
    # As uuid5 does it, which takes no text that UTF-8 cannot carry.
    place = f"{execution_id}/{name}".encode(errors="surrogatepass")
    digest = sha1(_KEYS.bytes + place, usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))


class Journal(Protocol):
    """What stands behind an execution: the store in a worker, memory in a test."""

    def progress(self, message: str, fraction: float | None) -> None:
        """Record the progress; the flow shows it soon after."""

    def step(self, entry: Entry, function: Callable[[], _T], retry: Retry | None = None) -> _T:
        """Return the recorded outcome of a step, or run and record it."""

    def wait_until(self, entry: Entry, due: datetime | timedelta) -> None:
        """Return at a time, or after a delay from the first attempt that came here."""

    def signal(self, entry: Entry, timeout: timedelta | None) -> Any:
        """Return the event of the signal that has the name of the entry.

        Raises:
            SignalTimedOut: it did not come within the timeout.
        """

    def map(
        self,
        entry: Entry,
        function: Callable[[Any, Any], Any],
        items: Iterable[Any],
        concurrency: int,
        *,
        returns_faults: bool,
    ) -> list[Any]:
        """Return what the function says to each item, in their order."""

    def call(
        self,
        name: str | None,
        function: Callable[..., Any],
        document: Mapping[str, Any],
        formerly: str | None,
    ) -> dict[str, Any]:
        """Return the result of another process; without a name the entry is named after it."""

    def signal_token(self, name: str) -> str:
        """What gives the signal from outside: the same in every attempt."""

    @property
    def cancelled(self) -> bool:
        """Whether this attempt no longer counts."""


class ExecutionLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose every line names its execution."""

    def __init__(self, logger: logging.Logger, execution_id: str) -> None:
        super().__init__(logger)
        self._execution_id = execution_id

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Mark the record with the execution."""
        kwargs["extra"] = {**kwargs.get("extra", {}), "execution_id": self._execution_id}
        return msg, kwargs


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the request brought along beside its document."""

    user: RunningUser | None = None
    culture: Any = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    outcomes: Sequence[str] = ()
    flow: Callable[[], Any] | None = None  # makes the Flow Client connector


def _check_policy(step: str, retry: Any) -> None:
    """Refuse a value that was meant for the function, and a policy nobody can have meant."""
    if not isinstance(retry, Retry):
        raise DeclarationError(
            f"{step}: retry must be a Retry, not {type(retry).__name__}: it is the policy of the "
            "step. Pass an argument of that name to the function by "
            "functools.partial(function, retry=…)."
        )
    retry.check(step)


def _entry(
    kind: EntryKind,
    name: str,
    formerly: str | None = None,
    function: Callable[..., Any] | None = None,
) -> Entry:
    """Return the entry of a request; raises DeclarationError if its former name is its name."""
    return Entry(
        kind=kind,
        name=text_of(name),
        function="" if function is None else qualified_name(function),
        formerly=_former(name, formerly),
    )


def _former(name: str, formerly: str | None) -> str | None:
    if formerly is None:
        return None
    if not isinstance(formerly, str):
        raise DeclarationError(
            f"“{name}”: formerly must be the earlier name of this entry, a text, not "
            f"{type(formerly).__name__}. Pass an argument of that name to the function of a step "
            "by functools.partial(function, formerly=…)."
        )
    if formerly == name:
        raise DeclarationError(
            f"“{name}”: formerly names an earlier name of this entry, not its name. Leave it out, "
            "or pass the earlier name."
        )
    return text_of(formerly)


class Execution:
    """One run of a process, as the process sees it."""

    def __init__(  # noqa: PLR0913 (made in two places, by keyword)
        self,
        execution_id: str,
        journal: Journal,
        *,
        process_name: str,
        tenant_id: str,
        flow_state_id: str,
        attempt: int,
        deadline: datetime,
        circumstances: Circumstances | None = None,
        version: str = "",
        is_of_several_versions: bool = False,
    ) -> None:
        self._journal = journal
        self._circumstances = circumstances = circumstances or Circumstances()
        self._outcome: str | None = None
        self.id = execution_id
        """The execution id; also the id of the Celery task."""
        self.tenant_id = tenant_id
        """The tenant whose flow asks."""
        self.flow_state_id = flow_state_id
        """The state (run) of the flow that asks."""
        self.attempt = attempt
        """1 at first; more after a worker was lost or ended, and when the process is retried."""
        self.version = version
        """The version of the service that accepted this execution."""
        self.is_of_several_versions = is_of_several_versions
        """True if another version accepted this execution or ran an earlier attempt of it."""
        self.deadline = deadline
        """When the flow will be told that this execution timed out."""
        self.user = circumstances.user
        """Who runs the flow, where the flow says so."""
        self.culture = circumstances.culture
        """The culture of the request as it came: brand, language, country, variant."""
        self.configuration = circumstances.configuration
        """The service's configuration values, typed, by name."""
        self.properties = circumstances.properties
        """The process properties by their names on the platform; texts all."""
        self.log = ExecutionLog(logging.getLogger(f"atom.process.{process_name}"), execution_id)
        """A standard logger; its lines carry the execution id."""

    def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell the person who runs the flow how far it is.

        Args:
            message: one sentence, shown in place of the wait message.
            fraction: how much is done, from 0.0 to 1.0, for the history.

        Raises:
            ClaimLost: this attempt no longer counts; let it end the process.
        """
        if fraction is not None and not 0.0 <= fraction <= 1.0:
            raise ValueError(f"fraction must be between 0.0 and 1.0, not {fraction!r}")
        self._journal.progress(text_of(message), fraction)

    def step(
        self,
        name: str,
        function: Callable[..., _T],
        /,
        *args: Any,
        retry: Retry | None = None,
        formerly: str | None = None,
        **kwargs: Any,
    ) -> _T:
        """Run `function(*args, **kwargs)` at least once, and never again after its record.

        The outcome is recorded under the name of the step and its occurrence, such as the third
        step named “ship”: the result of the function, its Fault, or its failure. A later attempt of
        this execution gets the same outcome without running the function again, and so does a
        later version of the process that has inserted, removed or moved other steps. Between the
        end of the function and the record the worker may die: then the step runs again. The record
        stays in the history: return no secret.

        Every keyword argument except `retry` and `formerly` is passed to the function. A function
        that has a parameter of such a name gets it by `functools.partial(function, retry=…)`.

        Args:
            name: of the step.
            function: its body.
            args: passed to the function.
            retry: the policy by which the step is retried, in this worker, before it fails.
            formerly: the name that this step had in an earlier version of the process.
            kwargs: passed to the function.

        Raises:
            DeclarationError: `retry` is not a `Retry`, or `formerly` is not another name.
            StepFailed: the function raised something other than a Fault.
            WrongThread: the caller is not the thread that runs the process.
            StepResultError: what the function returned cannot be recorded.
            ClaimLost: this attempt no longer counts; let it end the process.
        """
        if retry is not None:
            _check_policy(f"Step “{name}”", retry)
        entry = _entry(EntryKind.STEP, name, formerly, function)
        return self._journal.step(entry, lambda: function(*args, **kwargs), retry)

    def sleep(self, seconds: float, *, name: str = "sleep", formerly: str | None = None) -> None:
        """Resume after a number of seconds, which may be days; no worker is held meanwhile.

        The attempt ends here, and after the delay the process is called again: recorded steps are
        not run again, all other code is. Recovery looks once a second for executions whose delay
        is over.

        Args:
            seconds: from the first attempt that comes here.
            name: of the entry in the journal; several waits may share it.
            formerly: the name that this wait had in an earlier version of the process.

        Raises:
            CannotSuspend: the deadline comes before, or the process is answered in its request, or
                this is within a step.
        """
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError(f"seconds must be a number from 0, not {seconds!r}")
        entry = _entry(EntryKind.WAIT, name, formerly)
        self._journal.wait_until(entry, timedelta(seconds=seconds))

    def wait_until(
        self, time: datetime, *, name: str = "wait until", formerly: str | None = None
    ) -> None:
        """Resume at a time, or at once if it has passed; see `sleep` for everything else."""
        if time.tzinfo is None:
            raise ValueError("time needs a time zone, such as datetime.now(UTC) has")
        self._journal.wait_until(_entry(EntryKind.WAIT, name, formerly), time)

    def signal(self, name: str, /, *, timeout: float | None = None) -> Any:
        """Wait for an event from outside and return it; no worker is held meanwhile (see `sleep`).

        It comes as `POST /signals/<execution id>/<name>` with the signal's token, or from
        `atom executions signal`. Of each name one event comes to an execution; it may come before
        it is waited for.

        Args:
            name: of the signal.
            timeout: seconds; None is until the deadline of the execution.

        Raises:
            SignalTimedOut: it did not come within the timeout.
            CannotSuspend: as `sleep` does.
        """
        if timeout is not None and (not math.isfinite(timeout) or timeout < 0):
            raise ValueError(f"timeout must be a number of seconds from 0, not {timeout!r}")
        within = None if timeout is None else timedelta(seconds=timeout)
        return self._journal.signal(_entry(EntryKind.SIGNAL, name), within)

    def signal_token(self, name: str) -> str:
        """The token with which a signal is given from outside, as `Authorization: Bearer …`.

        It is the same in every attempt, good for this signal of this execution, and a secret: hand
        it to who shall give the signal, and record it in no step.
        """
        return self._journal.signal_token(text_of(name))

    def map(
        self,
        name: str,
        function: Callable[[Any, "Execution"], _T],
        items: Iterable[Any],
        /,
        *,
        concurrency: int = 10,
        return_faults: bool = False,
        formerly: str | None = None,
    ) -> list[_T]:
        """Call `function(item, execution)` for each item, on any worker; returns their results.

        Each call is an execution of its own, a child of this one, with steps and waits of its own.
        This one holds no worker meanwhile (see `sleep`), and its flow sees how many have ended.
        What they return is recorded together, as what a step returns is.

        Args:
            name: of it all: it is recorded under that name, and shown with the progress.
            function: declared with `def` in a module, so that other workers find it.
            items: the same in every attempt, so from the request or from a step; each may be what
                a step may return.
            concurrency: so many are under way at once.
            return_faults: let a Fault or a StepFailed stand in the place of its item. Else the
                first that an item ends with stops the others and is raised.
            formerly: the name that this map had in an earlier version of the process.

        Raises:
            Fault, Faults: an item said no.
            StepFailed: an item failed, timed out or was cancelled, or all results together are more
                than the journal takes.
            CannotSpawn: the function cannot be found by its name, or an item cannot be stored.
            CannotSuspend: the process is answered in its request.
        """
        if type(concurrency) is not int or concurrency < 1:
            raise ValueError(f"concurrency must be a whole number from 1, not {concurrency!r}")
        entry = _entry(EntryKind.MAP, name, formerly, function)
        return self._journal.map(entry, function, items, concurrency, returns_faults=return_faults)

    def call(
        self,
        process: Callable[..., Any],
        document: Mapping[str, Any] | None = None,
        /,
        *,
        name: str | None = None,
        formerly: str | None = None,
    ) -> dict[str, Any]:
        """Run another declared message action as a child, and return what it returns.

        It gets the configuration values, the user and the culture of this one. For all else see
        `map`.

        Args:
            process: the function that is declared as the action.
            document: what it is called with, by the names of its request profile.
            name: of the entry in the journal; by default `call <Service>.<Action>`.
            formerly: the name that this call had in an earlier version of the process.

        Raises:
            Fault, Faults: it said no.
            StepFailed: it failed, timed out or was cancelled.
            InvalidRequest: its request profile refuses the document.
            NotFound: it is declared as no message action.
        """
        name, formerly = None if name is None else text_of(name), _former(name or "", formerly)
        return self._journal.call(name, process, document or {}, formerly)

    def idempotency_key(self, name: str) -> str:
        """A UUID for a side effect in another system: the same in every attempt, and for no other.

        Args:
            name: of the side effect; that of its step, as a rule.
        """
        return idempotency_key(self.id, name)

    def outcome(self, name: str) -> None:
        """Choose along which outcome of its step the flow goes on; the last choice counts.

        Raises:
            UnknownOutcome: the step has none of that name.
        """
        if name not in self._circumstances.outcomes:
            raise UnknownOutcome(name, tuple(self._circumstances.outcomes))
        self._outcome = name

    @property
    def chosen_outcome(self) -> str | None:
        """The name of the outcome chosen so far."""
        return self._outcome

    @cached_property
    def flow(self) -> Any:
        """The Flow Client connector (see `atom.FlowClient`), as the ATOM_FLOW_… settings say.

        Raises:
            SettingsError: they do not say which flow platform.
        """
        if self._circumstances.flow is None:
            raise RuntimeError("this execution was made without a Flow Client connector")
        return self._circumstances.flow()

    @property
    def cancelled(self) -> bool:
        """Whether this attempt no longer counts; a long process asks now and then and ends."""
        return self._journal.cancelled
