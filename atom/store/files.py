"""Uploaded files on their way from the listener to a worker, in Redis or behind an fsspec URL.

Where there is a key (see `atom.store.encryption`), each chunk is encrypted by itself, and the
file's id says that they are: content may begin with any byte, so no mark in it would be safe.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, Final, Protocol
from uuid import uuid4

from atom import names
from atom.errors import SettingsError, StoreUnavailable
from atom.settings import Settings
from atom.store.connection import connect, guarded, server_time
from atom.store.encryption import Cipher
from atom.store.lazily import import_fsspec

_CHUNK_BYTES: Final = 512 * 1024
# Of an encrypted one: a byte, time, vector, content with 1 to 16 bytes of padding and digest, in
# base64 with its own padding.
_ENCRYPTED_CHUNK_BYTES: Final = -(-(1 + 8 + 16 + _CHUNK_BYTES + 16 + 32) // 3) * 4
_ENCRYPTED: Final = ".encrypted"


class FileStore(Protocol):
    """Keeps content from an upload until its process has read it; any machine can read it.

    What nobody deletes is forgotten after ATOM_FILE_HOURS. Every method raises StoreUnavailable
    where the store does not answer.
    """

    def create(self) -> "FileWriter":
        """Begin a file."""

    def open(self, file_id: str, size: int) -> io.RawIOBase:
        """Read a file; it can be searched.

        Raises:
            FileNotFoundError: it was deleted or has expired.
            Unreadable: it is encrypted, with none of our keys; reading may say so, too.
        """

    def delete(self, file_id: str) -> None:
        """Forget a file, whole or in parts."""

    def trim(self) -> int:
        """Delete what has expired, where the store does not by itself; returns how many."""


class FileWriter(Protocol):
    """A file that is being written. Nothing of it stays unless it was finished."""

    id: str
    size: int

    def write(self, data: bytes) -> int:
        """Append."""

    def finish(self) -> None:
        """Write out what is left; the file is whole."""

    def discard(self) -> None:
        """Forget what was written."""


def file_store(settings: Settings) -> FileStore:
    """The store that the settings ask for.

    Raises:
        SettingsError: ATOM_FILE_STORE names none that can be used here.
    """
    if settings.file_store:
        return _RemoteFiles(settings)
    return _RedisFiles(settings)


# --- in Redis, in chunks


class _RedisFiles:
    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url
        self._redis = connect(settings.redis_url)
        self._seconds = int(settings.file_hours * 3600)
        self._cipher = Cipher(settings.secret_key)

    def create(self) -> FileWriter:
        file_id = str(uuid4())
        if not self._cipher.is_on:
            return _ChunkWriter(file_id, partial(self._put, file_id), partial(self.delete, file_id))
        file_id += _ENCRYPTED

        def put(index: int, data: bytes) -> None:
            self._put(file_id, index, self._cipher.encrypt(data))

        return _ChunkWriter(file_id, put, partial(self.delete, file_id))

    def open(self, file_id: str, size: int) -> io.RawIOBase:
        reader = _ChunkReader(lambda index: self._get(file_id, index), size)
        if size:
            reader.probe()
        return reader

    def delete(self, file_id: str) -> None:
        with guarded(self._url):
            index = 0
            while self._redis.delete(names.file_key(file_id, index)):
                index += 1

    def trim(self) -> int:
        return 0  # keys expire by themselves

    def _put(self, file_id: str, index: int, data: bytes) -> None:
        with guarded(self._url):
            self._redis.set(names.file_key(file_id, index), data, ex=self._seconds)

    def _get(self, file_id: str, index: int) -> bytes:
        with guarded(self._url):
            chunk: bytes | None = self._redis.get(names.file_key(file_id, index))
        if chunk is None:
            raise FileNotFoundError(
                f"Part {index} of upload {file_id} is gone (deleted or expired)."
            )
        if file_id.endswith(_ENCRYPTED):
            return self._cipher.decrypt(chunk, f"upload {file_id}")
        return chunk


class _ChunkWriter:
    """Holds one chunk in memory, however long the file is."""

    def __init__(
        self,
        file_id: str,
        put: Callable[[int, bytes], None],
        discard: Callable[[], None],
        finish: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = file_id
        self.size = 0
        self._put, self._discard, self._finish = put, discard, finish
        self._index = 0
        self._buffer = bytearray()

    def write(self, data: bytes) -> int:
        self._buffer += data
        self.size += len(data)
        while len(self._buffer) >= _CHUNK_BYTES:
            self._flush(_CHUNK_BYTES)
        return len(data)

    def finish(self) -> None:
        if self._buffer:
            self._flush(len(self._buffer))
        self._finish()

    def discard(self) -> None:
        self._buffer.clear()
        self._discard()

    def _flush(self, length: int) -> None:
        self._put(self._index, bytes(memoryview(self._buffer)[:length]))
        del self._buffer[:length]
        self._index += 1


class _ChunkReader(io.RawIOBase):
    """Reads chunk by chunk; keeps the latest."""

    def __init__(
        self, get: Callable[[int], bytes], size: int, close: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__()
        self._get, self._size, self._close = get, size, close
        self._position = 0
        self._index, self._chunk = -1, b""

    def probe(self) -> None:
        """Fetch the first chunk: a file that is gone says so when it is opened."""
        self._fetch(0)

    def close(self) -> None:
        if not self.closed:
            self._close()
        super().close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"cannot seek to {start + offset}")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self._position >= self._size:
            return 0
        index, offset = divmod(self._position, _CHUNK_BYTES)
        self._fetch(index)
        part = self._chunk[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def _fetch(self, index: int) -> None:
        if index != self._index:
            self._chunk, self._index = self._get(index), index


# --- behind an fsspec URL


class _RemoteFiles:
    def __init__(self, settings: Settings) -> None:
        fsspec = import_fsspec()
        self._shown = settings.file_store
        self._seconds = settings.file_hours * 3600
        self._cipher = Cipher(settings.secret_key)
        self._redis_url, self._redis = settings.redis_url, connect(settings.redis_url)
        try:
            self._files, self._root = fsspec.core.url_to_fs(settings.file_store)
            with self._guard():
                self._files.makedirs(self._root, exist_ok=True)
        except (ValueError, ImportError) as error:
            raise SettingsError(f"ATOM_FILE_STORE: {error}") from None

    def create(self) -> FileWriter:
        # The time of its making is in the id, so that `trim` need not ask for each file's.
        made = int(self._now())
        file_id = f"{made}-{uuid4()}{_ENCRYPTED if self._cipher.is_on else ''}"
        with self._guard():
            file = _RemoteWriter(file_id, self._files.open(self._path(file_id), "wb"), self.delete)
        if not self._cipher.is_on:
            return file

        def put(_index: int, data: bytes) -> None:
            file.write(self._cipher.encrypt(data))

        return _ChunkWriter(file_id, put, file.discard, file.finish)

    def open(self, file_id: str, size: int) -> io.RawIOBase:
        with self._guard():
            file = self._files.open(self._path(file_id), "rb")
        if not file_id.endswith(_ENCRYPTED):
            return _RawFile(file)

        def get(index: int) -> bytes:
            file.seek(index * _ENCRYPTED_CHUNK_BYTES)
            return self._cipher.decrypt(file.read(_ENCRYPTED_CHUNK_BYTES), f"upload {file_id}")

        return _ChunkReader(get, size, file.close)

    def delete(self, file_id: str) -> None:
        with self._guard():
            if self._files.exists(self._path(file_id)):
                self._files.rm_file(self._path(file_id))

    def trim(self) -> int:
        oldest = self._now() - self._seconds
        with self._guard():
            found = [str(path).rpartition("/")[2] for path in self._files.ls(self._root, False)]
        expired = [each for each in found if _made(each) < oldest]
        for each in expired:
            self.delete(each)
        return len(expired)

    def _now(self) -> float:
        """Return the time by the clock of Redis: listeners write files, and recovery trims them."""
        with guarded(self._redis_url):
            return server_time(self._redis).timestamp()

    def _path(self, file_id: str) -> str:
        return f"{self._root}/{file_id}"

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreUnavailable(
                f"The file store (ATOM_FILE_STORE) does not answer as it should: {error}"
            ) from error


def _made(file_id: str) -> float:
    made = file_id.partition("-")[0]
    return float(made) if made.isdecimal() else float("inf")


class _RemoteWriter:
    def __init__(self, file_id: str, file: BinaryIO, delete: Any) -> None:
        self.id = file_id
        self.size = 0
        self._file, self._delete = file, delete

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self.size += len(data)
        return len(data)

    def finish(self) -> None:
        self._file.close()

    def discard(self) -> None:
        self._file.close()
        self._delete(self.id)


class _RawFile(io.RawIOBase):
    """A file of fsspec's as the raw part of a buffered reader."""

    def __init__(self, file: Any) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        part = self._file.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()
