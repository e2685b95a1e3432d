"""A process: a plain function and the options it was declared with."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from marshmallow import ValidationError

from atom.errors import DeclarationError, InvalidResult
from atom.names import CALLBACKS, PROCESSES, RECOVERY, process_task
from atom.outcome import dump_response
from atom.profile import Profile, entries_of, load_request
from atom.protocol.metadata import ActionDescription
from atom.protocol.objects import Document, Entry, read_values, write_values

MAX_SYNC_TIMEOUT_SECONDS: Final = 59
DEFAULT_WAIT_MESSAGE: Final = "Working on it…"
DEFAULT_TIMEOUT_SECONDS: Final = 86_400

ProcessFunction = Callable[..., Any]


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
        if not isinstance(self.wait_message, str) or not self.wait_message:
            raise DeclarationError(
                f"{where}: wait_message must be a text that is not empty, "
                f"not {self.wait_message!r}."
            )
        if not isinstance(self.queue, str) or not self.queue or self.queue in (CALLBACKS, RECOVERY):
            raise DeclarationError(
                f"{where}: queue {self.queue!r} is none that processes may use; leave it out "
                f"for “{PROCESSES}” or name one of your own."
            )


class Process:
    """A declared message action: the function behind it and what the flow sees of it."""

    def __init__(
        self,
        service: str,
        action: str,
        function: ProcessFunction,
        *,
        summary: str = "",
        request: type[Profile] | None = None,
        response: type[Profile] | None = None,
        options: ProcessOptions,
    ) -> None:
        self.service: Final = service
        self.action: Final = action
        self.function: Final = function
        self.options: Final = options
        self.task_name: Final = process_task(service, action)
        self.inputs: Final[tuple[Entry, ...]] = entries_of(request, f"{action} REQUEST")
        self.outputs: Final[tuple[Entry, ...]] = entries_of(response, f"{action} RESPONSE")
        self.description: Final = ActionDescription(action, summary, self.inputs, self.outputs)
        options.check(f"Action “{action}” of service “{service}”")
        self._request: Final = request() if request else None
        self._response: Final = response() if response else None
        self._no_outputs: Final = write_values(self.outputs, {})

    def load(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Validate the inputs of a request: what the function receives.

        Raises:
            InvalidRequest: naming every entry that is missing or wrong.
        """
        return load_request(self._request, read_values(self.inputs, inputs))

    def dump(self, result: Any) -> list[dict[str, Any]]:
        """Validate what the function returned: every declared output as an EngineValue.

        Raises:
            InvalidResult: naming every entry that is missing, unknown or wrong.
        """
        try:
            document: Document = dump_response(self._response, result)
        except ValidationError as error:
            found = "; ".join(cast(list[str], error.messages))
            raise InvalidResult(self.task_name, found) from None
        return write_values(self.outputs, document)

    def no_outputs(self) -> list[dict[str, Any]]:
        """Every declared output without a value: what goes with a fault."""
        return self._no_outputs
