"""What is imported only where a setting asks for it: its import costs memory and time."""

import importlib
from typing import TYPE_CHECKING, Any

from atom.errors import HistoryUnavailable, SettingsError

if TYPE_CHECKING:
    from atom.store.sql.history import SqlHistory


def import_fernet() -> Any:
    """The module `cryptography.fernet`."""
    return importlib.import_module("cryptography.fernet")


def import_fsspec() -> Any:
    """The module; it is an extra.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        return importlib.import_module("fsspec")
    except ModuleNotFoundError:
        raise SettingsError(
            "ATOM_FILE_STORE needs fsspec: pip install 'flow-atom[files]' (and the package of the "
            "storage, such as s3fs)."
        ) from None


def import_sql_history() -> "type[SqlHistory]":
    """The class; what it imports is an extra.

    Raises:
        HistoryUnavailable: it is not installed.
    """
    try:
        module = importlib.import_module("atom.store.sql.history")
    except ModuleNotFoundError as error:
        raise HistoryUnavailable(
            f"ATOM_HISTORY_URL needs {error.name}, which is not installed: "
            "pip install 'flow-atom[history]'."
        ) from None
    found: type[SqlHistory] = module.SqlHistory
    return found
