"""fsspec, only where a setting asks for it: it is an extra, and its import costs memory."""

import importlib
from typing import Any

from atom.errors import SettingsError


def import_fsspec() -> Any:
    """The module.

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
