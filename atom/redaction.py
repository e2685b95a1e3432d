"""What is secret, and how it is kept out of what people read."""

import json
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import orjson

MASK: Final = "••••"

_SECRET_TYPES: Final = {"contentpassword", "contentencrypted"}
_SECRET_KEYS: Final = {"token", "authorization"}
_SECRET_WORDS: Final = tuple(each.encode() for each in _SECRET_TYPES)
_SECRET_MEMBERS: Final = tuple(f'"{each}":'.encode() for each in _SECRET_KEYS)
# What names a value, in EngineValues and properties, and in the conditions of a filter.
_NAMING_KEYS: Final = ("developerName", "columnName")
_VALUE_KEYS: Final = {"contentvalue", "value"}
# What a request may hold nests less deeply than this; what else is in it, nobody reads.
_DEEPEST: Final = 150
# Shorter ones would blot out half of a log without hiding anything.
_SHORTEST_SECRET: Final = 4
# In the query of a URL, as in that of Sentinel.
_SECRET_PARAMETER: Final = re.compile(r"(password=)[^&]*")
# A text that nobody has to write in any other way.
_PLAIN: Final = re.compile(r"[A-Za-z0-9 !#$%()*+,./:;<=>?@^_{|}~-]*")


class Secret(str):
    """A text that does not show itself: its repr, and so that of what holds it, is a mask."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"'{MASK}'"


def masked(document: Any, names: Collection[str] = (), depth: int = 0) -> Any:
    """A copy of a wire document without tokens, passwords and encrypted values.

    Args:
        document: any JSON value.
        names: of entries that are secret whatever content type a sender gives them.
        depth: how deeply it is nested in what is copied; what is too deep is masked.
    """
    if not isinstance(document, list | Mapping):
        return document
    if depth > _DEEPEST:
        return MASK
    if isinstance(document, list):
        return [masked(each, names, depth + 1) for each in document]
    is_secret = _is_named_secret(document, names)
    return {
        key: MASK
        if value is not None and _is_secret(key, value, is_secret)
        else masked(value, names, depth + 1)
        for key, value in document.items()
    }


def _is_named_secret(value: Mapping[str, Any], names: Collection[str]) -> bool:
    """Whether an EngineValue, a property or a condition is of something secret."""
    if str(value.get("contentType", "")).lower() in _SECRET_TYPES:
        return True
    given = (value.get(key) for key in _NAMING_KEYS)
    return any(isinstance(name, str) and name in names for name in given)


def _is_secret(key: str, value: Any, is_secret: bool) -> bool:
    key = key.lower()
    # The `authorization` of a request's body is an object that says who may run the flow.
    return (key in _SECRET_KEYS and not isinstance(value, Mapping)) or (
        is_secret and key in _VALUE_KEYS
    )


def secrets_in(document: Any, names: Collection[str] = (), depth: int = 0) -> Iterator[str]:
    """Every text of a wire document that `masked` would mask."""
    if depth > _DEEPEST:
        return
    if isinstance(document, list):
        for each in document:
            yield from secrets_in(each, names, depth + 1)
    elif isinstance(document, Mapping):
        is_secret = _is_named_secret(document, names)
        for key, value in document.items():
            if isinstance(value, str):
                if _is_secret(key, value, is_secret):
                    yield value
            else:
                yield from secrets_in(value, names, depth + 1)


def has_secret_types(lowered: bytes) -> bool:
    """Whether there may be a value of a secret type in what is encoded, here in lower case.

    A look that is cheap, however long it is.
    """
    return any(word in lowered for word in _SECRET_WORDS)


def secrets_of(
    document: Mapping[str, Any], encoded: bytes, names: Collection[str] = ()
) -> list[str]:
    """The same as `secrets_in`, of a document and how `orjson` wrote it.

    Most have no secrets but those on top, which the bytes tell sooner than a walk through them.
    """
    lowered = encoded.lower()
    on_top = sum(key.lower() in _SECRET_KEYS for key in document)
    if names or has_secret_types(lowered) or sum(map(lowered.count, _SECRET_MEMBERS)) > on_top:
        return list(secrets_in(document, names))
    return [
        value
        for key, value in document.items()
        if isinstance(value, str) and _is_secret(key, value, is_secret=False)
    ]


def masked_url(url: str) -> str:
    """A URL, or several with semicolons between them, without the passwords in it."""
    return ";".join(_masked_url(each) for each in url.split(";"))


def _masked_url(url: str) -> str:
    parts = urlsplit(url)
    netloc = parts.netloc
    if parts.password is not None:
        netloc = f"{parts.username or ''}:{MASK}@{netloc.rpartition('@')[2]}"
    query = _SECRET_PARAMETER.sub(rf"\1{MASK}", parts.query)
    if (netloc, query) == (parts.netloc, parts.query):
        return url
    return urlunsplit(parts._replace(netloc=netloc, query=query))


# The secrets of what this process is doing now: user code may log or raise what it was given.
_known: Counter[str] = Counter()
_lock = threading.Lock()


@contextmanager
def hiding(secrets: Iterable[str]) -> Iterator[None]:
    """Mask these texts in everything this process logs while the block runs."""
    mine = {
        form for each in secrets if len(each) >= _SHORTEST_SECRET for form in _written_forms(each)
    }
    with _lock:
        _known.update(mine)
    try:
        yield
    finally:
        with _lock:
            _known.subtract(mine)
            for each in mine:
                if _known[each] <= 0:
                    del _known[each]


def _written_forms(secret: str) -> set[str]:
    """A text as it is, and as Python and JSON write it within quotes."""
    if _PLAIN.fullmatch(secret):
        return {secret}
    in_json = (json.dumps(secret, ensure_ascii=each)[1:-1] for each in (True, False))
    return {secret, repr(str(secret))[1:-1], *in_json}


def redacted(text: str) -> str:
    """The text without the secrets of what this process is doing now."""
    if not _known:
        return text
    with _lock:
        secrets = sorted(_known, key=len, reverse=True)
    for each in secrets:
        text = text.replace(each, MASK)
    return text


def parted(document: Mapping[str, Any], names: frozenset[str]) -> tuple[bytes, bytes | None]:
    """A request as anybody may see it, and as only its process may, where that is more.

    The token has its own place in the store, and is in neither.
    """
    hidden = {**document, "token": MASK} if document.get("token") else document
    plain = orjson.dumps(hidden)
    if not names and not has_secret_types(plain.lower()):
        return plain, None
    public = orjson.dumps(masked(hidden, names))
    return public, plain if public != plain else None
