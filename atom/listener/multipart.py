"""Uploads: the file goes to its store piece by piece as it arrives, never into memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from atom.errors import (
    InvalidRequest,
    MalformedRequest,
    RequestTooLarge,
    StoreUnavailable,
    Unavailable,
    UnsupportedMedia,
)
from atom.listener.body import decoded
from atom.protocol.bodies import check_charset, content_coding
from atom.protocol.files import Upload, safe_content_type, safe_name
from atom.protocol.wire import parse_json
from atom.store.files import FileStore, FileWriter

_MOST_PARTS: Final = 20
_CHUNK_BYTES: Final = 64 * 1024
# What the parser may hold back: the headers of a part, or the start of a boundary.
_LARGEST_HEAD_BYTES: Final = 128 * 1024
_JSON: Final = "application/json"
_ENCODINGS: Final = ("", "7bit", "8bit", "binary")


class Uploads:
    """Reads the two parts of an upload, in either order."""

    def __init__(self, files: FileStore, max_file_bytes: int, max_request_bytes: int) -> None:
        self._files = files
        self._max_file_bytes, self._max_request_bytes = max_file_bytes, max_request_bytes

    @contextmanager
    def read(self) -> Iterator[tuple[Any, Upload]]:
        """Yield the parsed FileDataRequest and the stored file; delete it if the block raises.

        Raises:
            UnsupportedMedia: the body is not multipart/form-data, or a part is encoded in a way
                that is not read.
            MalformedRequest: it is cut off or malformed.
            InvalidRequest: a part is missing, or there is more than one file.
            RequestTooLarge: the file is longer than ATOM_MAX_FILE_BYTES.
            Unavailable: the store does not take it.
        """
        if request.mimetype != "multipart/form-data":
            raise UnsupportedMedia(
                "An upload must be sent as multipart/form-data, not "
                f"{request.mimetype or 'without a content type'}."
            )
        parts = _Parts(self._files, self._max_file_bytes, self._max_request_bytes)
        try:
            self._parse(parts)
            document = parts.document()
            yield document, parts.finished_file()
        except BaseException:
            parts.discard()
            raise

    def delete(self, upload: Upload) -> None:
        """Forget a file that nobody will read."""
        self._files.delete(upload.id)

    def _parse(self, parts: "_Parts") -> None:
        request.max_content_length = self._max_file_bytes + self._max_request_bytes
        coding = content_coding(request.headers.get("Content-Encoding"))
        try:
            stream = request.stream if coding is None else decoded(coding)
            _feed(stream.read, request.mimetype_params.get("boundary", ""), parts)
        except RequestEntityTooLarge:
            raise _too_large(self._max_file_bytes) from None
        except (ClientDisconnected, ValueError):
            raise MalformedRequest(
                "The body is no whole multipart/form-data document; it may have been cut off."
            ) from None
        except StoreUnavailable as error:
            raise _not_stored() from error


class _Parts:
    """The parts of an upload that have arrived so far.

    They are told apart by their content types: application/json is the request, and any other one
    the file. Either may have a file name, even an empty one. Only if that leaves a choice does the
    file name decide: of two JSON parts the one without is the request, of two others the one with
    is the file. A plain form field (neither content type nor file name) may be the request, too.
    """

    def __init__(self, files: FileStore, max_file_bytes: int, max_request_bytes: int) -> None:
        self._files = files
        self._max_file_bytes, self._max_request_bytes = max_file_bytes, max_request_bytes
        self._count = 0
        self._json: list[_Json] = []
        self._fields: list[_Json] = []
        self._file: _File | None = None

    def start(self, event: Field | File) -> Callable[[bytes], Any]:
        """Return the function that takes the content of a part."""
        self._count += 1
        if self._count > _MOST_PARTS:
            raise InvalidRequest(f"An upload has at most {_MOST_PARTS} parts.")
        headers = event.headers
        encoding = headers.get("Content-Transfer-Encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            raise UnsupportedMedia(
                f"A part has the Content-Transfer-Encoding “{encoding}”. Send it as binary."
            )
        name = event.filename if isinstance(event, File) else None
        kind = headers.get("Content-Type")
        if safe_content_type(kind) == _JSON:
            part = _Json(headers, name, self._max_request_bytes, self._start_file)
            self._json.append(part)
            return part.write
        if kind is None and name is None:
            field = _Json(headers, None, self._max_request_bytes, None)
            self._fields.append(field)
            return field.write
        return self._start_file(name, kind)

    def document(self) -> Any:
        """Return the parsed request, and store the JSON file beside it, if there is one."""
        parts = [part for part in self._json if not part.is_file]
        unnamed = [part for part in parts if part.name is None]
        named = [part for part in parts if part.name is not None]
        fields = [field for field in self._fields if field.content.lstrip().startswith(b"{")]
        candidates = unnamed + (fields + named if self._file is None else named + fields)
        if not candidates:
            raise InvalidRequest(
                "An upload needs a part application/json with the FileDataRequest."
            )
        chosen = candidates[0]
        for part in parts:
            if part is not chosen:
                part.become_file()
        return chosen.parsed()

    def finished_file(self) -> Upload:
        """Return the file, which the store has as a whole."""
        if self._file is None:
            raise InvalidRequest(
                "An upload needs a part with the file, of another content type than the request "
                "or with a file name."
            )
        try:
            return self._file.finished()
        except StoreUnavailable as error:
            raise _not_stored() from error

    def discard(self) -> None:
        """Delete what was stored."""
        if self._file is not None:
            self._file.discard()

    def _start_file(self, name: str | None, kind: str | None) -> Callable[[bytes], Any]:
        if self._file is not None:
            if self._file.has_name == (name is not None):
                raise InvalidRequest("An upload has one file, but a second one was sent.")
            if self._file.has_name:
                return len  # a form field with a content type, which nobody reads
            self._file.discard()
        self._file = _File(self._files.create(), name, kind, self._max_file_bytes)
        return self._file.write


class _Json:
    """A part that may be the request; if it is too long for one it can only be the file."""

    def __init__(
        self,
        headers: Headers,
        name: str | None,
        limit: int,
        start_file: Callable[[str | None, str | None], Callable[[bytes], Any]] | None,
    ) -> None:
        self._headers, self.name, self._limit = headers, name, limit
        self._start_file = start_file
        self._content = bytearray()
        self._write_file: Callable[[bytes], Any] | None = None

    @property
    def is_file(self) -> bool:
        return self._write_file is not None

    @property
    def content(self) -> bytes:
        return bytes(self._content)

    def write(self, data: bytes) -> None:
        if not self.is_file and len(self._content) + len(data) > self._limit:
            if self._start_file is None or self.name is None:
                raise RequestTooLarge(
                    f"The request is larger than {self._limit} bytes; the operator sets the "
                    "limit in ATOM_MAX_REQUEST_BYTES."
                )
            self.become_file()
        if self._write_file is not None:
            self._write_file(data)
        else:
            self._content += data

    def become_file(self) -> None:
        if self._start_file is not None:
            self._write_file = self._start_file(self.name, self._headers.get("Content-Type"))
            self._write_file(self.content)
            self._content.clear()

    def parsed(self) -> Any:
        _, parameters = parse_options_header(self._headers.get("Content-Type"))
        check_charset(parameters.get("charset"))
        return parse_json(self.content)


class _File:
    """The file, as it is written to the store."""

    def __init__(
        self, writer: FileWriter, name: str | None, content_type: str | None, limit: int
    ) -> None:
        self._writer, self._limit = writer, limit
        self.has_name = name is not None
        self._name, self._content_type = safe_name(name), safe_content_type(content_type)

    def write(self, data: bytes) -> None:
        if self._writer.size + len(data) > self._limit:
            raise _too_large(self._limit)
        self._writer.write(data)

    def finished(self) -> Upload:
        self._writer.finish()
        return Upload(self._writer.id, self._name, self._content_type, self._writer.size)

    def discard(self) -> None:
        self._writer.discard()


def _feed(read: Callable[[int], bytes], boundary: str, parts: _Parts) -> None:
    """Parse a multipart body to its end.

    Raises:
        ValueError: it is malformed or cut off.
    """
    if not boundary:
        raise ValueError("no boundary")
    decoder = MultipartDecoder(boundary.encode("ascii"))
    write: Callable[[bytes], Any] | None = None
    is_over = False
    while not is_over:
        data = read(_CHUNK_BYTES)
        is_over = not data
        decoder.receive_data(data or None)
        while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
            if isinstance(event, Field | File):
                write = parts.start(event)
            elif isinstance(event, Data) and write is not None:
                write(event.data)
        if len(decoder.buffer) > _LARGEST_HEAD_BYTES:
            raise RequestTooLarge(
                f"A part of the upload has headers of more than {_LARGEST_HEAD_BYTES} bytes."
            )


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"The upload is larger than {limit} bytes; the operator sets the limit in "
        "ATOM_MAX_FILE_BYTES."
    )


def _not_stored() -> Unavailable:
    return Unavailable("The file could not be stored; nothing was started.")
