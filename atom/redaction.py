"""What is secret, and how it is kept out of what people read."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

MASK: Final = "••••"

_SECRET_TYPES: Final = {"contentpassword", "contentencrypted"}
_SECRET_KEYS: Final = {"token", "authorization"}


def masked(document: Any) -> Any:
    """A copy of a wire document without tokens, passwords and encrypted values."""
    if isinstance(document, list):
        return [masked(each) for each in document]
    if not isinstance(document, Mapping):
        return document
    is_secret = str(document.get("contentType", "")).lower() in _SECRET_TYPES
    return {
        key: MASK
        if value is not None
        and (key.lower() in _SECRET_KEYS or (is_secret and key == "contentValue"))
        else masked(value)
        for key, value in document.items()
    }


def masked_url(url: str) -> str:
    """A URL without the password in it."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{MASK}@{host}"))
