"""Reading an upload as it arrives: the file goes to its store part by part, never into memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from atom.errors import (
    InvalidRequest,
    MalformedRequest,
    RequestTooLarge,
    StoreUnavailable,
    Unavailable,
    UnsupportedMedia,
)
from atom.protocol.files import Upload, safe_content_type, safe_name
from atom.protocol.wire import parse_json
from atom.store.files import FileStore, FileWriter

_LONGEST_FORM_PARTS = 20


class Uploads:
    """Reads the two parts of an upload, in either order."""

    def __init__(self, files: FileStore, max_file_bytes: int, max_request_bytes: int) -> None:
        self._files = files
        self._max_file_bytes, self._max_request_bytes = max_file_bytes, max_request_bytes

    @contextmanager
    def read(self) -> Iterator[tuple[Any, Upload]]:
        """The parsed FileDataRequest and the stored file; should the block raise, it is deleted.

        Raises:
            UnsupportedMedia: the body is no multipart/form-data.
            MalformedRequest: it is cut off or is none.
            InvalidRequest: a part is missing, or there is more than one file.
            RequestTooLarge: the file is longer than ATOM_MAX_FILE_BYTES.
            Unavailable: the store does not take it.
        """
        if request.mimetype != "multipart/form-data":
            raise UnsupportedMedia(
                "An upload must be sent as multipart/form-data, not "
                f"{request.mimetype or 'without a content type'}."
            )
        parts: list[_Part] = []
        try:
            document = self._parse(parts)
            part = _only(parts)
            part.finish()
            yield document, part.upload()
        except BaseException:
            for each in parts:
                each.discard()
            raise

    def delete(self, upload: Upload) -> None:
        """Forget a file that nobody will read."""
        self._files.delete(upload.id)

    def _parse(self, parts: list["_Part"]) -> Any:
        def start(
            total_content_length: int | None = None,
            content_type: str | None = None,
            filename: str | None = None,
            content_length: int | None = None,
        ) -> Any:
            if parts:
                raise InvalidRequest("An upload has one file, but a second one was sent.")
            parts.append(_Part(self._files.create(), filename, content_type, self._max_file_bytes))
            return parts[0]

        request.max_content_length = self._max_file_bytes + self._max_request_bytes
        parser = FormDataParser(
            stream_factory=start,
            max_form_memory_size=self._max_request_bytes,
            max_form_parts=_LONGEST_FORM_PARTS,
            silent=False,
        )
        try:
            _, form, _ = parser.parse(
                request.stream,
                request.mimetype,
                request.content_length,
                request.mimetype_params,
            )
        except RequestEntityTooLarge:
            raise RequestTooLarge(
                f"The upload is larger than {self._max_file_bytes} bytes; the operator sets the "
                "limit in ATOM_MAX_FILE_BYTES."
            ) from None
        except (ClientDisconnected, ValueError):
            raise MalformedRequest(
                "The body is no whole multipart/form-data document; it may have been cut off."
            ) from None
        except StoreUnavailable as error:
            raise Unavailable("The file could not be stored; nothing was started.") from error
        return _document(list(form.values()))


class _Part:
    """What the parser writes the file to."""

    def __init__(
        self, writer: FileWriter, name: str | None, content_type: str | None, limit: int
    ) -> None:
        self._writer, self._limit = writer, limit
        self._name, self._content_type = safe_name(name), safe_content_type(content_type)

    def write(self, data: bytes) -> int:
        if self._writer.size + len(data) > self._limit:
            raise RequestEntityTooLarge
        return self._writer.write(bytes(data))

    def seek(self, offset: int) -> None:
        """The parser rewinds what it has written; nobody here reads it."""

    def finish(self) -> None:
        try:
            self._writer.finish()
        except StoreUnavailable as error:
            raise Unavailable("The file could not be stored; nothing was started.") from error

    def discard(self) -> None:
        self._writer.discard()

    def upload(self) -> Upload:
        return Upload(self._writer.id, self._name, self._content_type, self._writer.size)


def _only(parts: list[_Part]) -> _Part:
    if not parts:
        raise InvalidRequest("An upload needs a part with the file (one that has a file name).")
    return parts[0]


def _document(fields: list[str]) -> Any:
    """The part that is a JSON object: it comes before or after the file, under any name."""
    for text in fields:
        if text.lstrip().startswith("{"):
            return parse_json(text.encode())
    raise InvalidRequest("An upload needs a part application/json with the FileDataRequest.")
