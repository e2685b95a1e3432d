"""One setting: a field that knows its ATOM_* variable, how it is read and what it means."""

from collections.abc import Callable
from dataclasses import field
from typing import Any


def setting(variable: str, read: Callable[..., Any], default: Any, meaning: str) -> Any:
    """One setting; `read` is the environs parser method that understands its text."""
    metadata = {"variable": variable, "read": read, "meaning": meaning}
    is_secret = variable.endswith(("_PASSWORD", "_URL", "_SECRET_KEY"))
    return field(default=default, metadata=metadata, repr=not is_secret)
