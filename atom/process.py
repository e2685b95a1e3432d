"""A process: a plain function, its options, and how it is asked and answers."""

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from io import RawIOBase
from typing import Any, ClassVar, Final

from atom.configuration import Configuration
from atom.context import Execution
from atom.errors import DeclarationError, Fault, InvalidResult
from atom.names import CALLBACKS, PROCESSES, RECOVERY, process_task
from atom.process_function import check_function, is_deferred
from atom.protocol.files import Upload
from atom.protocol.objects import Entry, nested_entries
from atom.protocol.requests import ConnectorRequest
from atom.retry import Retry

MAX_SYNC_TIMEOUT_SECONDS: Final = 59
DEFAULT_WAIT_MESSAGE: Final = "Working on it…"
DEFAULT_TIMEOUT_SECONDS: Final = 86_400
# Of a process whose caller is gone after a minute at most.
DEFAULT_SYNCHRONOUS_TIMEOUT_SECONDS: Final = 300

MOST_PRIORITY: Final = 100

ProcessFunction = Callable[..., Any]
CleanupFunction = Callable[..., Any]
OpenFile = Callable[[Upload], RawIOBase]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """How the executions of a process are answered and run."""

    wait_message: str = DEFAULT_WAIT_MESSAGE
    """What the flow shows until the first progress message."""

    sync_timeout: int = 0
    """Seconds the listener waits for the result before it answers WAIT; 0 is WAIT at once."""

    timeout: float = DEFAULT_TIMEOUT_SECONDS
    """Seconds from acceptance after which the flow hears that the execution timed out."""

    queue: str = PROCESSES
    """The queue whose workers run it."""

    retry: Retry | None = None
    """Which of its failures are tried again; none where there is no policy."""

    priority: int = 0
    """Which of a tenant's waiting executions begin first: those of the highest (-100 to 100)."""

    max_concurrency: int | None = None
    """How many of its executions run at a time, in all workers together; any number where None."""

    def check(self, where: str) -> None:
        """Refuse values nobody can have meant.

        Raises:
            DeclarationError: naming the option.
        """
        if type(self.sync_timeout) is not int or not (
            0 <= self.sync_timeout <= MAX_SYNC_TIMEOUT_SECONDS
        ):
            raise DeclarationError(
                f"{where}: sync_timeout must be whole seconds from 0 to "
                f"{MAX_SYNC_TIMEOUT_SECONDS} (the flow itself gives up after 60), "
                f"not {self.sync_timeout!r}."
            )
        if (
            type(self.timeout) not in (int, float)
            or not math.isfinite(self.timeout)
            or self.timeout <= self.sync_timeout
        ):
            raise DeclarationError(
                f"{where}: timeout must be more seconds than sync_timeout, not {self.timeout!r}."
            )
        if self.retry is not None:
            if not isinstance(self.retry, Retry):
                raise DeclarationError(
                    f"{where}: retry must be a Retry, such as Retry(attempts=5), "
                    f"not {self.retry!r}."
                )
            self.retry.check(where)
        if type(self.priority) is not int or abs(self.priority) > MOST_PRIORITY:
            raise DeclarationError(
                f"{where}: priority must be a whole number from -{MOST_PRIORITY} to "
                f"{MOST_PRIORITY} (higher begins first), not {self.priority!r}."
            )
        if self.max_concurrency is not None and (
            type(self.max_concurrency) is not int or self.max_concurrency < 1
        ):
            raise DeclarationError(
                f"{where}: max_concurrency must be a whole number of executions, 1 or more (leave "
                f"it out for any number), not {self.max_concurrency!r}."
            )
        if not isinstance(self.wait_message, str) or not self.wait_message:
            raise DeclarationError(
                f"{where}: wait_message must be a text that is not empty, "
                f"not {self.wait_message!r}."
            )
        # Workers announce themselves by their queue, recovery by its role.
        if not isinstance(self.queue, str) or not self.queue or self.queue in (CALLBACKS, RECOVERY):
            raise DeclarationError(
                f"{where}: queue {self.queue!r} is none that processes may use; leave it out "
                f"for “{PROCESSES}” or name one of your own."
            )


class Process(ABC):
    """What a listener and a worker need of a declared process, whatever kind it is of."""

    is_synchronous: ClassVar[bool]
    """Whether the flow waits in the request itself: there is no WAIT and no callback."""

    argument: ClassVar[str] = "request"
    """The name of the function's first argument, in documentation and errors."""

    version: str = ""
    """The version of its service, set when the service is frozen."""

    on_end: CleanupFunction | None = None
    """The cleanup, which runs after each end of an execution of the process; see `Ending`."""

    returns_rows: ClassVar[bool] = False
    """Whether the function returns a list of rows, and may therefore yield them."""

    def __init__(
        self,
        service: str,
        action: str,
        function: ProcessFunction,
        *,
        configuration: Configuration,
        options: ProcessOptions,
    ) -> None:
        check_function(
            function,
            (self.argument, "execution"),
            may_yield=self.returns_rows,
            location=f"Service “{service}”, action “{action}”",
        )
        self.service: Final = service
        self.action: Final = action
        self.function: Final = function
        self.configuration: Final = configuration
        self.options: Final = options
        self.task_name: Final = process_task(service, action)

    @abstractmethod
    def read(self, document: Any) -> ConnectorRequest:
        """The request as its kind, from the parsed body (or as it was stored).

        Raises:
            InvalidRequest: a field is missing or wrong.
        """

    @abstractmethod
    def check(self, request: Any) -> None:
        """Refuse, before anything is stored, what the process could not be called with.

        Raises:
            InvalidRequest: naming what is missing or wrong.
        """

    @abstractmethod
    def call(self, request: Any, execution: Execution, open_file: OpenFile) -> dict[str, Any]:
        """Run the function; the response document that says it completed.

        Raises:
            Fault, Faults: the process said no.
            InvalidRequest: a query names a property that this version does not have.
            InvalidResult: what it returned fits no response.
        """

    @abstractmethod
    def refusal(
        self, token: str, tenant_id: str, faults: Sequence[Fault], *, request: Any, status: int
    ) -> dict[str, Any]:
        """The response document that says it did not complete.

        Args:
            token: of the waiting step; without meaning for a synchronous request.
            tenant_id: of the flow that asks.
            faults: what a person may read of the reason.
            request: the request where it could be read, else None.
            status: for a request that is answered with an HTTP status.
        """

    def run(self, argument: Any, execution: Execution) -> Any:
        """Call the function.

        Raises:
            InvalidResult: it returned work that has not run, such as a coroutine.
        """
        return self._checked(self.function(argument, execution))

    def clean_up(self, request: Any, execution: Execution, ending: Any) -> None:
        """Run `on_end`, which the process has to declare, for an execution that has ended.

        Args:
            request: the request of that execution, as `read` returns it.
            execution: of the cleanup itself.
            ending: the `Ending` of that execution.

        Raises:
            InvalidResult: it returned work that has not run, such as a coroutine.
        """
        raise NotImplementedError(f"{self.task_name} has no cleanup")

    def _checked(self, result: Any) -> Any:
        """Return the result of a function that has run.

        Raises:
            InvalidResult: its body has not run.
        """
        if is_deferred(result) or (inspect.isgenerator(result) and not self.returns_rows):
            raise InvalidResult(
                self.task_name,
                f"a {type(result).__name__}, whose body has not run; return its result instead",
            )
        return result

    @property
    @abstractmethod
    def entries(self) -> Sequence[Entry]:
        """Everything that its requests and responses may hold."""

    @cached_property
    def profiles_digest(self) -> str:
        """Eight hexadecimal digits that follow from its profiles and configuration values."""
        entries = (*self.entries, *self.configuration.entries)
        return sha256(repr((self.action, entries)).encode()).hexdigest()[:8]

    @cached_property
    def secret_names(self) -> frozenset[str]:
        """The names of its secret entries, at any depth, and of secret configuration values."""
        entries = [*self.entries, *self.configuration.entries]
        nested = [inner for each in nested_entries(entries) for inner in each.entries]
        return frozenset(each.name for each in (*entries, *nested) if each.content_type.is_secret)
