"""FlowService: what one Path to Service offers, collected as it is declared."""

import hashlib
import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from marshmallow.fields import Field

from atom import fields
from atom.configuration import Configuration
from atom.data_action import DataAction
from atom.errors import DeclarationError
from atom.file_resource import FileResource
from atom.message_process import FaultStyle, MessageProcess
from atom.names import PROCESSES
from atom.object_type import ObjectType
from atom.process import (
    DEFAULT_SYNCHRONOUS_TIMEOUT_SECONDS,
    DEFAULT_TIMEOUT_SECONDS,
    DEFAULT_WAIT_MESSAGE,
    CleanupFunction,
    Process,
    ProcessFunction,
    ProcessOptions,
)
from atom.profile import Profile, check_type_names
from atom.protocol.metadata import TypeDescription, describe_service
from atom.retry import Retry

_Function = TypeVar("_Function", bound=ProcessFunction)

# The External Name is one segment of the Path to Service and part of every task name.
_SERVICE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_NAME_LENGTH: Final = 200


class FlowService:
    """A Flow Service under `/fs/<name>`; declare what it offers with the methods below."""

    def __init__(
        self, name: str, *, summary: str = "", version: str = "", requests_per_second: float = 0
    ) -> None:
        """Make a service.

        Args:
            name: its External Name, the last segment of its path.
            summary: one line for people.
            version: of its code, kept with each execution: change it with every change of the
                service. Without one, it is a digest of the source files that hold its processes
                and of its profiles.
            requests_per_second: what asks more often is refused with 429; 0 takes any number.

        Raises:
            DeclarationError: the name or the rate is none.
        """
        if not isinstance(name, str) or not _SERVICE_NAME.fullmatch(name):
            raise DeclarationError(
                f"A service name is a path segment: letters, digits, “-” and “_”, not {name!r}."
            )
        if type(requests_per_second) not in (int, float) or not (
            0 <= requests_per_second < math.inf
        ):
            raise DeclarationError(
                f"Service “{name}”: requests_per_second must be a number, 0 for no limit, "
                f"not {requests_per_second!r}."
            )
        self.name: Final = name
        self.summary: Final = summary
        self.requests_per_second: Final = requests_per_second
        self.configuration: Final = Configuration(name)
        self._message_processes: dict[str, MessageProcess] = {}
        self._data_actions: dict[str, DataAction] = {}
        self._file_resources: dict[str, FileResource] = {}
        self._version = version
        self._frozen = False

    def __repr__(self) -> str:
        return f"FlowService({self.name!r}, {len(self.processes)} processes)"

    @property
    def path(self) -> str:
        """The Path to Service."""
        return f"/fs/{self.name}"

    @property
    def version(self) -> str:
        """The version of its code: the declared one, else a digest."""
        return self._version or _digest(self._processes())

    @property
    def message_processes(self) -> Mapping[str, MessageProcess]:
        """Its message actions by name."""
        return MappingProxyType(self._message_processes)

    @property
    def data_actions(self) -> Mapping[str, DataAction]:
        """Its data actions by the name of their type."""
        return MappingProxyType(self._data_actions)

    @property
    def file_resources(self) -> Mapping[str, FileResource]:
        """Its file resources by their path."""
        return MappingProxyType(self._file_resources)

    @property
    def processes(self) -> Mapping[str, Process]:
        """Every process by the name of its action: `Retrieve`, `Contact.save`, `/file.upload`."""
        return MappingProxyType({each.action: each for each in self._processes()})

    def configuration_value(
        self, name: str, kind: type[Field[Any]] = fields.String, *, required: bool = False
    ) -> None:
        """Declare a value that is set on the connector and sent with each request.

        Args:
            name: as the flow's builder sees it; processes read `execution.configuration[name]`.
            kind: a simple kind; what is a `fields.Password` is never logged or shown.
            required: whether a request without it is refused.

        Raises:
            DeclarationError: the declaration is one that no flow could use.
        """
        self._refuse_when_frozen(name)
        self.configuration.declare(name, kind, required=required)

    def message_action(  # noqa: PLR0913 (each is an option of the declaration, by keyword)
        self,
        name: str,
        *,
        summary: str = "",
        request: type[Profile] | None = None,
        response: type[Profile] | None = None,
        faults: FaultStyle = "root",
        wait_message: str = DEFAULT_WAIT_MESSAGE,
        sync_timeout: int = 0,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        queue: str = PROCESSES,
        retry: Retry | None = None,
        priority: int = 0,
        max_concurrency: int | None = None,
        on_end: CleanupFunction | None = None,
    ) -> Callable[[_Function], _Function]:
        """Declare the decorated function `f(request, execution)` as a message action.

        The function stays as it is. Without a `summary` the first line of its docstring is taken.
        With `faults="outputs"` the action has the outputs success, errorCode and errorMessage
        beside its own, and a fault is told in them instead of as a root fault.
        `on_end(request, execution, ending)` is the cleanup: it runs after each end of an
        execution that began, on any worker, at least once; `ending` is an `Ending`.

        Raises:
            DeclarationError: the declaration is one that no flow could use.
        """
        self._check_name("an action", name)

        def declare(function: _Function) -> _Function:
            self._may_declare(name)
            process = MessageProcess(
                self.name,
                name,
                function,
                summary=summary or _first_line(function),
                request=request,
                response=response,
                faults=faults,
                on_end=on_end,
                configuration=self.configuration,
                options=ProcessOptions(
                    wait_message=wait_message,
                    sync_timeout=sync_timeout,
                    timeout=timeout,
                    queue=queue,
                    retry=retry,
                    priority=priority,
                    max_concurrency=max_concurrency,
                ),
            )
            # Before it is added, so that a refused declaration leaves the service as it was.
            self._types([*self._message_processes.values(), process], self._data_actions)
            self._message_processes[name] = process
            return function

        return declare

    def data_action(  # noqa: PLR0913 (each is an option of the declaration, by keyword)
        self,
        name: str,
        *,
        profile: type[Profile],
        key: str,
        summary: str = "",
        timeout: float = DEFAULT_SYNCHRONOUS_TIMEOUT_SECONDS,
        queue: str = PROCESSES,
        priority: int = 0,
        max_concurrency: int | None = None,
    ) -> DataAction:
        """Declare an object type; the decorators of what is returned add its processes.

        Args:
            name: of the type in Flow.
            profile: its properties; flat.
            key: the attribute of a record (of the profile or beside it) that identifies it.
            summary: shown to the flow's builder.
            timeout: seconds after which an execution is given up; the caller waits no longer
                than ATOM_SYNC_SECONDS.
            queue: whose workers run it.
            priority: which of a tenant's waiting executions begin first: those of the highest.
            max_concurrency: how many executions of each of its processes run at a time.

        Raises:
            DeclarationError: the declaration is one that no flow could use.
        """
        where = f"Data action “{name}” of service “{self.name}”"
        self._check_name("a data action", name)
        self._refuse_when_frozen(name)
        if name in self._data_actions:
            raise DeclarationError(f"Service “{self.name}” declares the type “{name}” twice.")
        declared = DataAction(
            self.name,
            ObjectType(where, name, profile, key),
            summary=summary,
            configuration=self.configuration,
            options=_synchronous(where, timeout, queue, priority, max_concurrency),
            may_declare=self._may_declare,
        )
        self._types(list(self._message_processes.values()), {**self._data_actions, name: declared})
        self._data_actions[name] = declared
        return declared

    def file_resource(
        self,
        path: str,
        *,
        response: type[Profile] | None = None,
        timeout: float = DEFAULT_SYNCHRONOUS_TIMEOUT_SECONDS,
        queue: str = PROCESSES,
        priority: int = 0,
        max_concurrency: int | None = None,
    ) -> FileResource:
        """Declare a resource path; the decorators of what is returned add its processes.

        Args:
            path: the flow's resource path, such as `/file`.
            response: the entries of a file's object where the ten standard ones will not do.
            timeout: as for a data action, as are the others.
            queue: whose workers run it.
            priority: which of a tenant's waiting executions begin first: those of the highest.
            max_concurrency: how many executions of each of its processes run at a time.

        Raises:
            DeclarationError: the declaration is one that no flow could use.
        """
        where = f"File resource {path} of “{self.name}”"
        self._refuse_when_frozen(path)
        declared = FileResource(
            self.name,
            path,
            response,
            configuration=self.configuration,
            options=_synchronous(where, timeout, queue, priority, max_concurrency),
            may_declare=self._may_declare,
        )
        if declared.path in self._file_resources:
            raise DeclarationError(
                f"Service “{self.name}” declares the file resource {declared.path} twice."
            )
        self._file_resources[declared.path] = declared
        return declared

    def describe(self) -> dict[str, Any]:
        """The DescribeServiceResponse of this service."""
        processes = list(self._message_processes.values())
        return describe_service(
            [process.description for process in processes],
            self._types(processes, self._data_actions),
            self.configuration.entries,
            has_files=bool(self._file_resources),
        )

    def freeze(self) -> None:
        """Refuse further declarations and fix the version: the service is complete."""
        self._version = self.version
        self._frozen = True
        for process in self._processes():
            process.version = self._version

    def _processes(self) -> Iterator[Process]:
        yield from self._message_processes.values()
        for data_action in self._data_actions.values():
            yield from data_action.processes.values()
        for resource in self._file_resources.values():
            yield from resource.processes.values()

    def _types(
        self, processes: list[MessageProcess], data_actions: Mapping[str, DataAction]
    ) -> list[TypeDescription]:
        try:
            types = check_type_names(
                [entries for process in processes for entries in (process.inputs, process.outputs)]
            )
        except DeclarationError as error:
            raise DeclarationError(f"Service “{self.name}”: {error}") from None
        for name in data_actions:
            if name in types:
                raise DeclarationError(
                    f"Service “{self.name}”: the type “{name}” is made by a message action too; "
                    "rename one of them."
                )
        bound = [
            TypeDescription(name, each.summary, each.object_type.entries, is_bound=True)
            for name, each in data_actions.items()
        ]
        return [*bound, *(TypeDescription(name, "", inner) for name, inner in types.items())]

    def _check_name(self, what: str, name: str) -> None:
        if not isinstance(name, str) or not name.strip() or len(name) > _NAME_LENGTH:
            raise DeclarationError(
                f"Service “{self.name}”: {what} needs a name of 1 to {_NAME_LENGTH} "
                f"characters, not {name!r}."
            )

    def _may_declare(self, action: str) -> None:
        self._refuse_when_frozen(action)
        if action in self.processes:
            raise DeclarationError(
                f"Service “{self.name}” declares the action “{action}” twice; rename one of them."
            )

    def _refuse_when_frozen(self, name: str) -> None:
        if self._frozen:
            raise DeclarationError(
                f"Service “{self.name}” is being served already; declare “{name}” when its "
                "module is imported."
            )


def _digest(processes: Iterable[Process]) -> str:
    """Return eight hexadecimal digits of the source files and the profiles of processes."""
    declared = list(processes)
    functions = [
        function
        for process in declared
        for function in (process.function, process.on_end)
        if function is not None
    ]
    names = {_source_file(function) for function in functions}
    digest = hashlib.sha256()
    for process in declared:  # profiles may be in other files
        digest.update(process.profiles_digest.encode())
    for name in sorted(filter(None, names)):
        with suppress(OSError):  # declared in an interpreter, or shipped without its source
            digest.update(Path(name).read_bytes())
    return digest.hexdigest()[:8]


def _source_file(function: ProcessFunction) -> str | None:
    """Return the file of a function, or of the class of a callable object, if there is one."""
    while isinstance(function, partial):
        function = function.func
    with suppress(TypeError):
        return inspect.getsourcefile(inspect.unwrap(function))
    with suppress(TypeError):
        return inspect.getsourcefile(type(function))
    return None


def _synchronous(
    where: str, timeout: float, queue: str, priority: int, max_concurrency: int | None
) -> ProcessOptions:
    options = ProcessOptions(
        timeout=timeout, queue=queue, priority=priority, max_concurrency=max_concurrency
    )
    options.check(where)
    return options


def _first_line(function: ProcessFunction) -> str:
    lines = (function.__doc__ or "").strip().splitlines()
    return lines[0] if lines else ""
