"""Data actions: load (get and query), save and delete on one object type."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from atom.configuration import Configuration
from atom.context import Execution
from atom.errors import DeclarationError, InvalidRequest, InvalidResult
from atom.object_process import ObjectProcess
from atom.object_type import ObjectType
from atom.process import OpenFile, Process, ProcessFunction, ProcessOptions
from atom.protocol.data_actions import ObjectDataRequest
from atom.query import Query

_Function = TypeVar("_Function", bound=ProcessFunction)


class Operation(StrEnum):
    """What a flow does with the objects of a type."""

    GET = "get"
    QUERY = "query"
    SAVE = "save"
    DELETE = "delete"


class _DataProcess(ObjectProcess):
    def read(self, document: Any) -> ObjectDataRequest:
        """See Process."""
        return ObjectDataRequest.read(document)

    def check(self, request: ObjectDataRequest) -> None:
        """See Process."""
        self.configuration.load(request.configuration_values)


class GetProcess(_DataProcess):
    """Load with an id: the function gets the key and returns the record, or None."""

    argument = "key"

    def call(
        self, request: ObjectDataRequest, execution: Execution, open_file: OpenFile
    ) -> dict[str, Any]:
        """See Process."""
        try:
            key = self.object_type.load_key(request.list_filter.id or "")
        except ValueError:
            return self.response([], execution)  # nobody can have this id
        records = self.records(self.run(key, execution))
        if len(records) > 1:
            raise InvalidResult(self.task_name, f"one record at most, not {len(records)}")
        return self.response(records, execution)


class QueryProcess(_DataProcess):
    """Load without an id: the function gets the query and returns records, or a page of them."""

    argument = "query"
    returns_rows = True

    def check(self, request: ObjectDataRequest) -> None:
        """See Process."""
        super().check(request)
        self._query(request)

    def call(
        self, request: ObjectDataRequest, execution: Execution, open_file: OpenFile
    ) -> dict[str, Any]:
        """See Process."""
        query = self._query(request)
        if query is None:
            return self.response([], execution)
        return self.page(self.run(query, execution), query, execution)

    def _query(self, request: ObjectDataRequest) -> Query | None:
        """Return the query, or None if no record can be in its answer."""
        provided = None
        if request.list_filter.provided_only:
            provided = self.object_type.provided(request.objects)
        query = Query.load(self.object_type.profile, request.list_filter, provided)
        return query if provided is None or provided.members else None


class SaveProcess(_DataProcess):
    """Save: the function gets each record (or, `whole`, all of them) and returns what is stored."""

    argument = "record"
    whole = False

    def check(self, request: ObjectDataRequest) -> None:
        """See Process."""
        super().check(request)
        self.object_type.load(request.objects)

    def call(
        self, request: ObjectDataRequest, execution: Execution, open_file: OpenFile
    ) -> dict[str, Any]:
        """See Process. What returns nothing is answered as it was sent."""
        records = self.object_type.load_accepted(
            request.objects, is_of_several_versions=execution.is_of_several_versions
        )
        if self.whole:
            result = self.run(records, execution)
            saved = records if result is None else self.records(result)
        else:
            results = [(each, self.run(each, execution)) for each in records]
            saved = [each if result is None else result for each, result in results]
        if len(saved) != len(records):
            raise InvalidResult(self.task_name, f"{len(records)} records, not {len(saved)}")
        return self.response(saved, execution)


class SaveAllProcess(SaveProcess):
    """Save, all records of a request in one call."""

    argument = "records"
    whole = True


class DeleteProcess(_DataProcess):
    """Delete: the function gets each record; what it returns is of no matter."""

    argument = "record"

    def check(self, request: ObjectDataRequest) -> None:
        """See Process."""
        super().check(request)
        for at, record in enumerate(self.object_type.load(request.objects, partial=True)):
            if record.external_id is None:
                raise InvalidRequest(
                    f"objectData[{at}] has no externalId, so there is nothing to delete."
                )

    def call(
        self, request: ObjectDataRequest, execution: Execution, open_file: OpenFile
    ) -> dict[str, Any]:
        """See Process."""
        is_of_several_versions = execution.is_of_several_versions
        for record in self.object_type.load_accepted(
            request.objects, is_of_several_versions=is_of_several_versions, partial=True
        ):
            self.run(record, execution)
        return self.response([], execution)


class DataAction:
    """A declared object type; its decorators add the processes behind it."""

    def __init__(
        self,
        service: str,
        object_type: ObjectType,
        *,
        summary: str,
        configuration: Configuration,
        options: ProcessOptions,
        may_declare: Callable[[str], None],
    ) -> None:
        self.object_type: Final = object_type
        self.summary: Final = summary
        self._service, self._configuration, self._options = service, configuration, options
        self._may_declare = may_declare
        self._processes: dict[Operation, Process] = {}

    @property
    def processes(self) -> Mapping[Operation, Process]:
        """Its processes by what they do."""
        return MappingProxyType(self._processes)

    def get(self, function: _Function) -> _Function:
        """Declare `f(key, execution)`: it returns the record of that key, or None."""
        return self._declare(GetProcess, Operation.GET, function)

    def query(self, function: _Function) -> _Function:
        """Declare `f(query, execution)`: it returns a list of records, or `query.page(rows)`."""
        return self._declare(QueryProcess, Operation.QUERY, function)

    def save(self, function: _Function) -> _Function:
        """Declare `f(record, execution)`, called for each record: it returns what is stored.

        A `record.external_id` of None asks to create, any other to update.
        """
        return self._declare(SaveProcess, Operation.SAVE, function)

    def save_all(self, function: _Function) -> _Function:
        """Declare `f(records, execution)` in place of `save`: all or nothing is yours to keep.

        It returns what is stored, in the order of the records.
        """
        return self._declare(SaveAllProcess, Operation.SAVE, function)

    def delete(self, function: _Function) -> _Function:
        """Declare `f(record, execution)`, called for each record, which has its key at least."""
        return self._declare(DeleteProcess, Operation.DELETE, function)

    def _declare(
        self, kind: type[ObjectProcess], operation: Operation, function: _Function
    ) -> _Function:
        action = f"{self.object_type.name}.{operation}"
        self._may_declare(action)
        if operation in self._processes:
            raise DeclarationError(
                f"Service “{self._service}” declares “{action}” twice; remove one of them."
            )
        self._processes[operation] = kind(
            self._service,
            action,
            function,
            path=f"/fs/{self._service}/data",
            object_type=self.object_type,
            configuration=self._configuration,
            options=self._options,
        )
        return function
