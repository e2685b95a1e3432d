"""What is imported only where a setting asks for it: its import costs memory and time."""

import importlib
from typing import Any

from atom.errors import SettingsError


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
