"""Files that hold the keys of ATOM_SECRET_KEY."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from atom.errors import SettingsError


def read_keys(path: Path, source: str) -> tuple[str, ...]:
    """Return the keys in a file, in its order; they are separated by commas or line breaks.

    Args:
        path: the file.
        source: the setting or the path that an error names.

    Raises:
        SettingsError: the file cannot be read, or holds no key.
    """
    try:
        text = path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise SettingsError(f"{source}: {path} is not a file of keys.") from None
    except OSError as error:
        raise SettingsError(
            f"{source}: {path} cannot be read ({error.strerror}). `atom secret-key --file {path}` "
            "creates it with a new key; if it is lost, restore it from a backup."
        ) from None
    keys = tuple(key for each in text.replace("\n", ",").split(",") if (key := each.strip()))
    if not keys:
        raise SettingsError(f"{source}: {path} holds no key.")
    return keys


def create_key_file(path: Path, new_key: Callable[[], str]) -> bool:
    """Create a file with a new key, readable by this user alone, unless there is one.

    Several processes may do this at once: all of them find the same file afterwards, and none
    finds a part of it. The key is on disk before the file has its name.

    Args:
        path: the file; its directory is created as well.
        new_key: makes a key.

    Returns:
        Whether it was created.

    Raises:
        SettingsError: it cannot be created.
    """
    if path.exists():
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _create(path, new_key)
    except OSError as error:
        raise SettingsError(
            f"The key file {path} cannot be created ({error.strerror}). Create it with `atom "
            "secret-key --file`, or set ATOM_SECRET_KEY."
        ) from None


def _create(path: Path, new_key: Callable[[], str]) -> bool:
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{new_key()}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)
    return True


def _sync(directory: Path) -> None:
    """Write the directory's entries to disk, where the file system can."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
