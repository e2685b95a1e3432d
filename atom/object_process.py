"""What data actions and file resources have in common: they are answered in the request itself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

from marshmallow import ValidationError

from atom.configuration import Configuration
from atom.context import Execution
from atom.errors import Fault, InvalidResult
from atom.object_type import ObjectType
from atom.outcome import Misfits
from atom.process import Process, ProcessFunction, ProcessOptions
from atom.protocol.data_actions import object_data_response
from atom.protocol.objects import Entry
from atom.protocol.problems import service_problem
from atom.query import Page, Query


class ObjectProcess(Process):
    """A process that takes and gives objects of one type."""

    is_synchronous: ClassVar = True

    def __init__(
        self,
        service: str,
        action: str,
        function: ProcessFunction,
        *,
        path: str,
        object_type: ObjectType,
        configuration: Configuration,
        options: ProcessOptions,
    ) -> None:
        super().__init__(service, action, function, configuration=configuration, options=options)
        self.object_type: Final = object_type
        self._path: Final = path

    @property
    def entries(self) -> Sequence[Entry]:
        """See Process."""
        return self.object_type.entries

    def refusal(
        self, token: str, tenant_id: str, faults: Sequence[Fault], *, request: Any, status: int
    ) -> dict[str, Any]:
        """See Process: a ServiceProblem."""
        message = " ".join(each.message for each in faults)
        return service_problem(self._path, status, message, self.action)

    def response(
        self, records: Sequence[Any], execution: Execution, *, has_more: bool = False
    ) -> dict[str, Any]:
        """Return the ObjectDataResponse of what the function returned.

        Raises:
            InvalidResult: a record fits the type's profile not, or has no key.
        """
        objects: list[dict[str, Any]] = []
        misfits: list[Any] = []
        tolerated = Misfits("A record") if execution.is_of_several_versions else None
        for order, record in enumerate(records):
            try:
                objects.append(self.object_type.dump(record, order, f"[{order}] ", tolerated))
            except ValidationError as error:
                misfits += error.messages
        if misfits:
            raise InvalidResult(self.task_name, "; ".join(map(str, misfits[:10])))
        if tolerated:
            tolerated.log()
        return object_data_response(objects, has_more=has_more)

    def page(self, result: Any, query: Query, execution: Execution) -> dict[str, Any]:
        """Return the response to a query: one record, a list, a page, or None for nothing.

        Raises:
            InvalidResult: it is none of these.
        """
        page = result if isinstance(result, Page) else query.cut(self.records(result))
        return self.response(page.rows, execution, has_more=page.has_more)

    def records(self, result: Any) -> list[Any]:
        """What a function returned as a list.

        Raises:
            InvalidResult: a text or a number is neither a record nor a list of them.
        """
        if result is None:
            return []
        if isinstance(result, Mapping):
            return [result]
        if isinstance(result, str | bytes | int | float):
            raise InvalidResult(self.task_name, f"a record or a list of them, not {result!r:.60}")
        if isinstance(result, Iterable):
            return list(result)
        return [result]
