"""File resources: list and upload on one resource path."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from atom import fields
from atom.configuration import Configuration
from atom.context import Execution
from atom.errors import DeclarationError, InvalidRequest, InvalidResult
from atom.files import UploadedFile
from atom.object_process import ObjectProcess
from atom.object_type import ObjectType
from atom.process import OpenFile, Process, ProcessFunction, ProcessOptions
from atom.profile import Profile
from atom.protocol.files import FILE_TYPE, FileDataRequest, normal_path
from atom.query import Query

_Function = TypeVar("_Function", bound=ProcessFunction)

FILE_KEY: Final = "id"


class FileProfile(Profile):
    """The ten standard entries of a file; a response profile may add to them."""

    date_created = fields.DateTime(data_key="Date Created")
    date_modified = fields.DateTime(data_key="Date Modified")
    description = fields.String(data_key="Description")
    download_uri = fields.String(data_key="Download Uri")
    embed_uri = fields.String(data_key="Embed Uri")
    icon_uri = fields.String(data_key="Icon Uri")
    id = fields.String(data_key="Id")
    kind = fields.String(data_key="Kind")
    mime_type = fields.String(data_key="Mime Type")
    name = fields.String(data_key="Name")


class FileOperation(StrEnum):
    """What a flow does with the files of a resource."""

    LIST = "list"
    UPLOAD = "upload"


class _FileProcess(ObjectProcess):
    def read(self, document: Any) -> FileDataRequest:
        """See Process."""
        return FileDataRequest.read(document)

    def check(self, request: FileDataRequest) -> None:
        """See Process."""
        self.configuration.load(request.configuration_values)


class ListProcess(_FileProcess):
    """List: the function gets the query and returns file objects, or a page of them."""

    argument = "query"
    returns_rows = True

    def check(self, request: FileDataRequest) -> None:
        """See Process."""
        super().check(request)
        self._query(request)

    def call(
        self, request: FileDataRequest, execution: Execution, open_file: OpenFile
    ) -> dict[str, Any]:
        """See Process."""
        query = self._query(request)
        if request.list_filter.provided_only:  # and a file request provides no objects
            return self.response([], execution)
        return self.page(self.run(query, execution), query, execution)

    def _query(self, request: FileDataRequest) -> Query:
        return Query.load(self.object_type.profile, request.list_filter)


class UploadProcess(_FileProcess):
    """Upload: the function gets the file and returns the object it became."""

    argument = "file"

    def call(
        self, request: FileDataRequest, execution: Execution, open_file: OpenFile
    ) -> dict[str, Any]:
        """See Process."""
        if request.upload is None:
            raise InvalidRequest("The request was stored without its file.")
        with UploadedFile(open_file(request.upload), request.upload) as file:
            records = self.records(self.run(file, execution))
        if len(records) != 1:
            raise InvalidResult(self.task_name, f"the uploaded file's object, not {len(records)}")
        return self.response(records, execution)


class FileResource:
    """A declared resource path; its decorators add the processes behind it."""

    def __init__(
        self,
        service: str,
        path: str,
        response: type[Profile] | None,
        *,
        configuration: Configuration,
        options: ProcessOptions,
        may_declare: Callable[[str], None],
    ) -> None:
        where = f"Service “{service}”"
        if not isinstance(path, str) or not path.strip("/"):
            raise DeclarationError(f"{where}: a file resource needs a path such as /file.")
        self.path: Final = normal_path(path)
        name = FILE_TYPE if response is None else f"{FILE_TYPE} RESPONSE - {response.__name__}"
        self.object_type: Final = ObjectType(
            f"{where}, file resource {self.path}", name, response or FileProfile, FILE_KEY
        )
        self._service, self._configuration, self._options = service, configuration, options
        self._may_declare = may_declare
        self._processes: dict[FileOperation, Process] = {}

    @property
    def processes(self) -> Mapping[FileOperation, Process]:
        """Its processes by what they do."""
        return MappingProxyType(self._processes)

    def list(self, function: _Function) -> _Function:
        """Declare `f(query, execution)`: it returns file objects, or `query.page(rows)`."""
        return self._declare(ListProcess, FileOperation.LIST, function)

    def upload(self, function: _Function) -> _Function:
        """Declare `f(file, execution)`: it reads the file and returns the object it became."""
        return self._declare(UploadProcess, FileOperation.UPLOAD, function)

    def _declare(
        self, kind: type[ObjectProcess], operation: FileOperation, function: _Function
    ) -> _Function:
        action = f"{self.path}.{operation}"
        self._may_declare(action)
        if operation in self._processes:
            raise DeclarationError(
                f"Service “{self._service}” declares “{action}” twice; remove one of them."
            )
        endpoint = "file/content" if operation is FileOperation.UPLOAD else "file"
        self._processes[operation] = kind(
            self._service,
            action,
            function,
            path=f"/fs/{self._service}/{endpoint}",
            object_type=self.object_type,
            configuration=self._configuration,
            options=self._options,
        )
        return function
