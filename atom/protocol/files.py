"""File resources on the wire: the FileDataRequest, and what is known of an uploaded file."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from marshmallow import fields, validate

from atom.errors import InvalidRequest
from atom.protocol.prepared_schema import PreparedSchema
from atom.protocol.query_filter import ListFilter
from atom.protocol.requests import ConnectorRequest, RequestSchema, none_as_empty
from atom.protocol.wire import load

FILE_TYPE: Final = "$File"

# The two tracked properties of an upload, by their names on the platform.
FILE_NAME: Final = "File Name"
FILE_CONTENT_TYPE: Final = "File Content Type"

DEFAULT_CONTENT_TYPE: Final = "application/octet-stream"

# Where the listener notes the upload in the request that it stores; the wire has no such field.
_UPLOAD_KEY: Final = "atomUpload"

_LONGEST_NAME_BYTES: Final = 255  # what common file systems take
_LONGEST_SUFFIX: Final = 20
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"|?*]+')
_CONTENT_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", re.ASCII)


class FileDataRequestSchema(RequestSchema):
    """The part of a FileDataRequest that an Atom reads."""

    resource_path = fields.String(
        data_key="resourcePath", required=True, validate=validate.Length(1, 1000)
    )
    list_filter = fields.Raw(data_key="listFilter", load_default=None)


_FILE_DATA_REQUEST: Final = PreparedSchema(FileDataRequestSchema())


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file: its name made safe, and where its content is kept."""

    id: str
    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDataRequest(ConnectorRequest):
    """What a flow sends to list the files of a resource, or beside a file that it uploads."""

    resource_path: str
    list_filter: ListFilter
    upload: Upload | None

    @classmethod
    def read(cls, document: Any) -> "FileDataRequest":
        """Check a parsed body.

        Raises:
            InvalidRequest: a field is missing or wrong.
        """
        loaded = none_as_empty(load(_FILE_DATA_REQUEST, document, "FileDataRequest"))
        loaded["list_filter"] = ListFilter.read(loaded["list_filter"])
        loaded["upload"] = upload_of(document)
        return cls(**loaded)

    def properties(self, *, tenant_id: str, running_user: str | None) -> dict[str, str]:
        """See ConnectorRequest; an upload has the two tracked properties."""
        named = ConnectorRequest.properties(self, tenant_id=tenant_id, running_user=running_user)
        if self.upload is not None:
            named[FILE_NAME] = self.upload.name
            named[FILE_CONTENT_TYPE] = self.upload.content_type
        return named


def upload_of(document: Mapping[str, Any]) -> Upload | None:
    """Our note of the upload in a stored request."""
    noted = document.get(_UPLOAD_KEY)
    return Upload(**noted) if isinstance(noted, dict) else None


def with_upload(document: Mapping[str, Any], upload: Upload | None) -> dict[str, Any]:
    """The request as it is stored: with our note of the upload, and none that a sender made."""
    return {**document, _UPLOAD_KEY: asdict(upload) if upload is not None else None}


def resource_path_of(document: Any) -> str:
    """Which resource a parsed FileDataRequest is about, before the rest of it is looked at.

    Raises:
        InvalidRequest: it does not say.
    """
    path = document.get("resourcePath") if isinstance(document, Mapping) else None
    if not isinstance(path, str) or not path.strip("/"):
        raise InvalidRequest(
            "The FileDataRequest is not valid: resourcePath must name the file resource."
        )
    return normal_path(path)


def normal_path(path: str) -> str:
    """A resource path with its leading slash and no trailing one (either way is understood)."""
    return f"/{path.strip('/')}"


def safe_name(sent: str | None) -> str:
    r"""A file name that can be used as one anywhere: its last part, printable, not too long.

    `../../etc/passwd` becomes `passwd`, `C:\temp\a.txt` becomes `a.txt`; a name of which nothing
    is left becomes `file`.
    """
    last = re.split(r"[/\\]", sent or "")[-1]
    name = _UNSAFE.sub("_", last.encode(errors="replace").decode()).strip(" .")
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > _LONGEST_SUFFIX:
        stem, dot, suffix = name, "", ""
    room = _LONGEST_NAME_BYTES - len(f"{dot}{suffix}".encode())
    stem = stem.encode()[:room].decode(errors="ignore")
    return f"{stem}{dot}{suffix}" if stem else "file"


def safe_content_type(sent: str | None) -> str:
    """The media type without its parameters; what is none becomes application/octet-stream."""
    kind = (sent or "").partition(";")[0].strip().lower()
    return kind if _CONTENT_TYPE.fullmatch(kind) else DEFAULT_CONTENT_TYPE
