"""Finding the declared services, and what can be wrong with that."""

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Final

from atom.data_action import Operation
from atom.errors import AtomError, CatalogError, NotFound
from atom.file_resource import FileOperation
from atom.message_process import MessageProcess
from atom.process import Process
from atom.service import FlowService

ENTRY_POINT_GROUP: Final = "atom.services"


class Catalog:
    """The services an Atom serves, frozen."""

    def __init__(
        self, services: Iterable[FlowService], failures: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Put them together.

        Args:
            services: each under a name of its own.
            failures: what could not be loaded beside them, by what ATOM_SERVICES calls it, and
                why. Empty wherever work is done: who serves refuses to begin with half of it.

        Raises:
            CatalogError: two have the same name.
        """
        self.failures: Final = failures
        found: dict[str, FlowService] = {}
        for service in services:
            if found.setdefault(service.name, service) is not service:
                raise CatalogError(
                    f"Two services are named “{service.name}”; rename one, or leave it out of "
                    "ATOM_SERVICES."
                )
            service.freeze()
        self.services: Final[Mapping[str, FlowService]] = MappingProxyType(found)
        self._processes: Final = {name: service.processes for name, service in found.items()}

    def service(self, name: str) -> FlowService:
        """Look a service up by its External Name.

        Raises:
            NotFound: there is none.
        """
        try:
            return self.services[name]
        except KeyError:
            raise NotFound(f"There is no service “{name}” here.") from None

    def process(self, service: str, action: str) -> Process:
        """Look a process up by the name of its action.

        Raises:
            NotFound: there is no such service or action.
        """
        try:
            return self._processes[self.service(service).name][action]
        except KeyError:
            raise NotFound(f"Service “{service}” has no action “{action}”.") from None

    def process_of(self, function: Callable[..., Any]) -> MessageProcess:
        """Look a message action up by the function that is declared as it.

        Raises:
            NotFound: none is.
        """
        for process in self.processes():
            if process.function is function and isinstance(process, MessageProcess):
                return process
        name = getattr(function, "__qualname__", repr(function))
        raise NotFound(
            f"“{name}” is declared as no message action of a service that is loaded here."
        )

    def message_process(self, service: str, action: str) -> MessageProcess:
        """Look the process behind a message action up; raises as `process` does."""
        process = self.process(service, action)
        if not isinstance(process, MessageProcess):
            raise NotFound(f"“{action}” of service “{service}” is no message action.")
        return process

    def data_process(self, service: str, type_name: str, operation: Operation) -> Process:
        """Look the process behind a data action up.

        Raises:
            NotFound: there is no such service or type, or the type has no such process.
        """
        declared = self.service(service).data_actions
        if type_name not in declared:
            known = ", ".join(declared) or "none"
            raise NotFound(
                f"Service “{service}” has no data action for the type “{type_name}”; "
                f"there are: {known}."
            )
        return self._operation(service, declared[type_name].processes, type_name, operation)

    def file_process(self, service: str, path: str, operation: FileOperation) -> Process:
        """Look the process behind a file resource up.

        Raises:
            NotFound: there is no such service or resource, or it has no such process.
        """
        declared = self.service(service).file_resources
        if path not in declared:
            known = ", ".join(declared) or "none"
            raise NotFound(
                f"Service “{service}” has no file resource “{path}”; there are: {known}."
            )
        return self._operation(service, declared[path].processes, path, operation)

    @staticmethod
    def _operation(
        service: str, processes: Mapping[Any, Process], name: str, operation: str
    ) -> Process:
        if operation not in processes:
            raise NotFound(
                f"“{name}” of service “{service}” has no process for {operation}; "
                f"there are: {', '.join(processes) or 'none'}."
            )
        return processes[operation]

    def processes(self) -> Iterator[Process]:
        """Every process of every service."""
        for service in self.services.values():
            yield from self._processes[service.name].values()

    def queues(self) -> set[str]:
        """The queues that processes are declared for; empty where there is no process."""
        return {process.options.queue for process in self.processes()}


def load_catalog(references: Iterable[str], *, required: bool = True) -> Catalog:
    """Import the services named in ATOM_SERVICES and those that installed packages offer.

    The working directory is importable.

    Args:
        references: modules, or `module:attribute`.
        required: refuse to go on without any service.

    Raises:
        CatalogError: one cannot be found or fails to load; the sentence says which and why.
    """
    sources = _sources(references)
    services = [service for source in sources for service in _load(source)]
    if required and not services:
        raise CatalogError(
            "No service is declared: set ATOM_SERVICES to the modules that declare one, for "
            "example ATOM_SERVICES=examples.orders."
        )
    return Catalog(_unique(services))


def load_what_loads(references: Iterable[str]) -> Catalog:
    """Import as `load_catalog` does, and keep the reasons of failures instead of raising them.

    For roles and commands that show declarations and serve nothing.
    """
    services: list[FlowService] = []
    failures = {}
    for source in _sources(references):
        try:
            loaded = _unique([*services, *_load(source)])
            Catalog(loaded)
        except CatalogError as error:
            failures[source.reference] = str(error).removeprefix("ATOM_SERVICES: ")
        else:
            services = loaded
    return Catalog(services, failures)


@dataclass(frozen=True, slots=True)
class _Source:
    """A module, or an attribute of one, and where its name comes from."""

    reference: str
    origin: str
    """The setting, or the installed package, that errors name."""

    def failure(self, reason: str) -> CatalogError:
        return CatalogError(f"{self.origin}: {reason}")


def _sources(references: Iterable[str]) -> list[_Source]:
    """Return what is to be imported, and make the working directory importable."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    settings = [_Source(reference.strip(), "ATOM_SERVICES") for reference in references]
    return [*settings, *map(_installed, entry_points(group=ENTRY_POINT_GROUP))]


def _installed(point: EntryPoint) -> _Source:
    package = point.dist.name if point.dist else "unknown"
    return _Source(
        point.value, f"Installed package {package} (entry point “{point.name}” of {point.group})"
    )


def _unique(services: Iterable[FlowService]) -> list[FlowService]:
    return list({id(service): service for service in services}.values())


def _load(source: _Source) -> list[FlowService]:
    module_name, _, attribute = source.reference.partition(":")
    module = _import(module_name, source)
    if not attribute:
        services = [value for value in vars(module).values() if isinstance(value, FlowService)]
        if not services:
            raise source.failure(f"module {module_name} declares no FlowService at its top level.")
        return services
    service: Any = getattr(module, attribute, None)
    if not isinstance(service, FlowService):
        raise source.failure(f"{source.reference} is not a FlowService.")
    return [service]


def _import(module_name: str, source: _Source) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(f"{missing}."):
            raise source.failure(
                f"there is no module {missing} (from {source.reference!r}); it must be installed "
                "or lie in the working directory."
            ) from None
        raise source.failure(
            f"module {module_name} needs {missing}, which is not installed."
        ) from error
    except AtomError as error:
        raise source.failure(f"module {module_name}: {error}") from error
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        raise source.failure(
            f"importing {module_name} ended the program: SystemExit: {error.code}. A module of "
            "services must not call sys.exit or parse the command line while it is imported."
        ) from error
    except BaseException as error:
        is_name = module_name and not module_name.startswith(".")
        if isinstance(error, ValueError | TypeError) and not is_name:
            raise source.failure(f"{source.reference!r} is not a module name.") from None
        raise source.failure(
            f"importing {module_name} failed: {type(error).__name__}: {error}"
        ) from error
