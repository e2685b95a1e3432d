"""What a process gets of an uploaded file."""

import io
from io import RawIOBase

from atom.protocol.files import Upload


class UploadedFile(io.BufferedReader):
    """The content of an upload, as a binary stream that can be read and searched."""

    def __init__(self, raw: RawIOBase, upload: Upload) -> None:
        super().__init__(raw)
        self._upload = upload

    @property
    def name(self) -> str:
        """The file's name, made safe: no path, no control characters, at most 255 bytes."""
        return self._upload.name

    @property
    def content_type(self) -> str:
        """The media type that came with it; nobody checked it against the content."""
        return self._upload.content_type

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self._upload.size
