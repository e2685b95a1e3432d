"""What is secret, and how it is kept out of what people read."""

import json
import os
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
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
# Shorter ones stand in other words by chance: masked there, they would blot out half of a log.
_SHORTEST_ANYWHERE: Final = 4
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


def has_mask(document: Any, depth: int = 0) -> bool:
    """Return whether a part of a document that `masked` made is masked."""
    if document == MASK:
        return True
    if depth > _DEEPEST:
        return False
    parts = document.values() if isinstance(document, Mapping) else document
    return isinstance(document, list | Mapping) and any(has_mask(part, depth + 1) for part in parts)


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
_known: Counter[str] = Counter()  # those that are masked anywhere, in all forms
_known_words: Counter[str] = Counter()  # those that are masked as words
_lock = threading.Lock()
# A process that is forked while another thread holds it could never log.
os.register_at_fork(
    before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
)


@contextmanager
def hiding(secrets: Iterable[str]) -> Iterator[None]:
    """Mask these texts in everything this process logs while the block runs.

    A text of one to three characters is masked only as a word of its own: with neither a letter
    nor a digit beside it.
    """
    forms = {secret: _written_forms(secret) for secret in secrets if _can_be_masked(secret)}
    anywhere = {form for secret in forms if not _is_short(secret) for form in forms[secret]}
    words = {form for secret in forms if _is_short(secret) for form in forms[secret]}
    with _lock:
        _known.update(anywhere)
        _known_words.update(words)
    try:
        yield
    finally:
        with _lock:
            _remove(_known, anywhere)
            _remove(_known_words, words)


def _remove(counter: Counter[str], forms: set[str]) -> None:
    counter.subtract(forms)
    for form in forms:
        if counter[form] <= 0:
            del counter[form]


def _is_short(secret: str) -> bool:
    return len(secret) < _SHORTEST_ANYWHERE


def _can_be_masked(secret: str) -> bool:
    # A blank is no word, and a mask hides itself.
    return not _is_short(secret) or bool(secret.strip().strip(MASK))


def _written_forms(secret: str) -> set[str]:
    """A text as it is, and as Python and JSON write it within quotes."""
    if _PLAIN.fullmatch(secret):
        return {secret}
    in_json = (json.dumps(secret, ensure_ascii=each)[1:-1] for each in (True, False))
    return {secret, repr(str(secret))[1:-1], *in_json}


def redacted(text: str, *, words: bool = True) -> str:
    """Return the text without the secrets of what this process is doing now.

    Args:
        text: any text.
        words: whether short secrets are masked, too; they may be the name of a key by chance.
    """
    if not _known and not _known_words:
        return text
    with _lock:
        secrets = sorted(_known, key=len, reverse=True)
        short = sorted(_known_words, key=len, reverse=True) if words else []
    for secret in secrets:
        text = text.replace(secret, MASK)
    return _words_of(tuple(short)).sub(MASK, text) if short else text


def is_known(text: str, *, words: bool = True) -> bool:
    """Return whether this is one of the secrets of what this process is doing now."""
    return text in _known or (words and text in _known_words)


def without(text: str, secrets: Iterable[str]) -> str:
    """Return a text of the platform without these secrets, in whatever case it repeats them."""
    for secret in filter(_can_be_masked, secrets):
        if _is_short(secret):
            text = _words_of((secret,), re.IGNORECASE).sub(MASK, text)
        else:
            text = re.sub(re.escape(secret), MASK, text, flags=re.IGNORECASE)
    return text


@lru_cache(maxsize=32)
def _words_of(secrets: tuple[str, ...], flags: int = 0) -> re.Pattern[str]:
    """Return a pattern of these texts where each is a word of its own, longer ones first."""
    alternatives = "|".join(map(re.escape, secrets))
    # The letter before a word may belong to an escape sequence of Python or JSON, such as a \\n.
    before = r"(?:(?<![^\W_])|(?<=\\[abfnrtv]))"
    return re.compile(f"{before}(?:{alternatives})(?![^\\W_])", flags)


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
