"""Values of steps, items and results as JSON, and back without a change.

JSON has no word for some of them. Each of those is written as an object with one key, its mark. A
dict of the user's that looks like one is marked itself.
"""

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import orjson

from atom.redaction import Secret
from atom.text import simple_name, text_of

_OBJECT, _TEXT, _INTEGER, _FLOAT = "$object", "$text", "$integer", "$float"
_SMALLEST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1

# A datetime is a date as well, so it comes first.
_WRITTEN: Final[dict[str, tuple[type, Callable[[Any], str]]]] = {
    "$decimal": (Decimal, str),
    "$datetime": (datetime, datetime.isoformat),
    "$date": (date, date.isoformat),
    "$uuid": (UUID, str),
}
_STRICT: Final = (
    orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
_UNWRITABLE: Final = re.compile(r"[\\\ud800-\udfff]")
_ESCAPE: Final = re.compile(r"\\(\\|u[0-9a-f]{4})")


def encode(value: Any) -> str:
    """Write a value as JSON.

    Raises:
        TypeError: it holds something that could not be read back; the message names it.
    """
    try:
        return orjson.dumps(_marked(value), _refuse, option=_STRICT).decode()
    except RecursionError:
        raise TypeError("it nests too deeply") from None
    except Exception as error:  # a value may be of a class that raises anything
        raise TypeError(text_of(error)) from error


def decode(text: str) -> Any:
    """Read a value that `encode` wrote."""
    return unmarked(orjson.loads(text))


def unmarked(value: Any) -> Any:
    """Read a value that `encode` wrote, as parsed JSON."""
    if isinstance(value, list):
        return [unmarked(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (mark, content), *_ = value.items()
        if mark in _READ:
            return _READ[mark](content)
    return {key: unmarked(each) for key, each in value.items()}


def _refuse(value: Any) -> Any:
    raise TypeError(f"{simple_name(type(value))} is not supported")


def _marked(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value if _is_encodable(value) else {_TEXT: _escaped(value)}
    if kind is int:
        fits = _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER
        return value if fits else {_INTEGER: hex(value)}  # decimals have a limit in Python
    if kind is float:
        return value if math.isfinite(value) else {_FLOAT: repr(value)}
    if isinstance(value, dict):
        return _marked_object(value)
    if isinstance(value, list | tuple):
        return [_marked(each) for each in value]
    if isinstance(value, Secret):
        return _marked(str(value))
    if isinstance(value, Enum) and value == value.value:  # orjson would write any member's value
        return _marked(value.value)
    if isinstance(value, Enum):
        _refuse(value)
    for mark, (marked_kind, write) in _WRITTEN.items():
        if isinstance(value, marked_kind):
            return {mark: _written(value, write, _READ[mark])}
    return value


def _marked_object(value: dict[Any, Any]) -> dict[Any, Any]:
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"a key of a dict is of {simple_name(type(key))}, not a text")
    looks_marked = len(value) == 1 and next(iter(value)).startswith("$")
    if looks_marked or not all(map(_is_encodable, value)):
        return {_OBJECT: {_escaped(key): _marked(each) for key, each in value.items()}}
    return {key: _marked(each) for key, each in value.items()}


def _written(value: Any, write: Callable[[Any], str], read: Callable[[str], Any]) -> str:
    """Write a value of a marked class, or of one derived from it that adds nothing."""
    text = write(value)
    if type(value) is not Decimal and read(text) != value:  # not a number equals no other
        raise TypeError(f"{simple_name(type(value))} could not be read back as it is")
    return text


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escaped(text: str) -> str:
    def escape(found: re.Match[str]) -> str:
        return r"\\" if found[0] == "\\" else f"\\u{ord(found[0]):04x}"

    return _UNWRITABLE.sub(escape, text)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1][1:], 16)) if found[1] != "\\" else "\\", text)


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    _OBJECT: lambda content: {_unescaped(key): unmarked(each) for key, each in content.items()},
    _TEXT: _unescaped,
    _INTEGER: lambda content: int(content, 16),
    _FLOAT: float,
    "$decimal": Decimal,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$uuid": UUID,
}
