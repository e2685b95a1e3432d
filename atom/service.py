"""FlowService: what one Path to Service offers, collected as it is declared."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from atom.errors import DeclarationError
from atom.names import PROCESSES
from atom.process import (
    DEFAULT_TIMEOUT_SECONDS,
    DEFAULT_WAIT_MESSAGE,
    Process,
    ProcessFunction,
    ProcessOptions,
)
from atom.profile import Profile, check_type_names
from atom.protocol.metadata import TypeDescription, describe_service

_Function = TypeVar("_Function", bound=ProcessFunction)

# The External Name is one segment of the Path to Service and part of every task name.
_SERVICE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_ACTION_NAME_LENGTH: Final = 200


class FlowService:
    """A Flow Service under `/fs/<name>`; declare its actions with the decorators below."""

    def __init__(self, name: str, *, summary: str = "") -> None:
        if not isinstance(name, str) or not _SERVICE_NAME.fullmatch(name):
            raise DeclarationError(
                f"A service name is a path segment: letters, digits, “-” and “_”, not {name!r}."
            )
        self.name: Final = name
        self.summary: Final = summary
        self._processes: dict[str, Process] = {}
        self._frozen = False

    def __repr__(self) -> str:
        return f"FlowService({self.name!r}, {len(self._processes)} message actions)"

    @property
    def path(self) -> str:
        """The Path to Service."""
        return f"/fs/{self.name}"

    @property
    def processes(self) -> Mapping[str, Process]:
        """Its processes by action name."""
        return MappingProxyType(self._processes)

    def message_action(  # noqa: PLR0913 (each is an option of the declaration, by keyword)
        self,
        name: str,
        *,
        summary: str = "",
        request: type[Profile] | None = None,
        response: type[Profile] | None = None,
        wait_message: str = DEFAULT_WAIT_MESSAGE,
        sync_timeout: int = 0,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        queue: str = PROCESSES,
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function `f(request, execution)` as a message action.

        The function stays as it is. Without a `summary` the first line of its docstring is taken.

        Raises:
            DeclarationError: the declaration is one that no flow could use.
        """
        self._check_action_name(name)

        def declare(function: _Function) -> _Function:
            self._refuse_when_frozen(name)
            self._refuse_twice(name)
            lines = (function.__doc__ or "").strip().splitlines()
            process = Process(
                self.name,
                name,
                function,
                summary=summary or (lines[0] if lines else ""),
                request=request,
                response=response,
                options=ProcessOptions(
                    wait_message=wait_message,
                    sync_timeout=sync_timeout,
                    timeout=timeout,
                    queue=queue,
                ),
            )
            # Before it is added, so that a refused declaration leaves the service as it was.
            self._types([*self._processes.values(), process])
            self._processes[name] = process
            return function

        return declare

    def describe(self) -> dict[str, Any]:
        """The DescribeServiceResponse of this service."""
        processes = list(self._processes.values())
        return describe_service(
            [process.description for process in processes], self._types(processes)
        )

    def freeze(self) -> None:
        """Refuse declarations from here on: a service is complete before it is served."""
        self._frozen = True

    def _types(self, processes: list[Process]) -> list[TypeDescription]:
        try:
            types = check_type_names(
                [entries for process in processes for entries in (process.inputs, process.outputs)]
            )
        except DeclarationError as error:
            raise DeclarationError(f"Service “{self.name}”: {error}") from None
        return [TypeDescription(name, "", properties) for name, properties in types.items()]

    def _check_action_name(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip() or len(name) > _ACTION_NAME_LENGTH:
            raise DeclarationError(
                f"Service “{self.name}”: an action needs a name of 1 to {_ACTION_NAME_LENGTH} "
                f"characters, not {name!r}."
            )

    def _refuse_twice(self, name: str) -> None:
        if name in self._processes:
            raise DeclarationError(
                f"Service “{self.name}” declares the action “{name}” twice; rename one of them."
            )

    def _refuse_when_frozen(self, name: str) -> None:
        if self._frozen:
            raise DeclarationError(
                f"Service “{self.name}” is being served already; declare “{name}” when its "
                "module is imported."
            )
