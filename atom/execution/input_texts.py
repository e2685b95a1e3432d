"""Values of declared entries, from the texts that a person or a program gives for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from atom.errors import InvalidRequest
from atom.protocol.objects import Document, Entry, write_values
from atom.protocol.values import ContentType, boolean_text, number_text


def values_of(
    entries: Sequence[Entry], given: Mapping[str, str | None], otherwise: str
) -> list[dict[str, Any]]:
    """Return the EngineValues of all entries.

    Args:
        entries: the declared ones.
        given: texts by the names of entries; those of objects and lists are JSON.
        otherwise: how the error about an unknown name begins, such as “There is no input”.

    Raises:
        InvalidRequest: a name is unknown, or a text is not JSON of the right shape.
    """
    _refuse_unknown(entries, given, otherwise)
    return write_values(
        entries,
        {
            each.name: _parsed(each, text)
            for each in entries
            if (text := given.get(each.name)) is not None
        },
    )


def _parsed(entry: Entry, text: str) -> str | Document | list[Document]:
    """A text as what its entry holds; whether it fits is for the profile to say."""
    if not entry.content_type.is_structure:
        return text
    try:
        return _structure(entry, orjson.loads(text), entry.name)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"“{entry.name}” is not valid JSON: {error}.") from None


def _structure(entry: Entry, value: Any, where: str) -> Document | list[Document]:
    if entry.content_type is not ContentType.LIST:
        return _object(entry.entries, value, where)
    if not isinstance(value, list):
        raise InvalidRequest(f"“{where}” is a list of objects.")
    return [_object(entry.entries, each, f"{where}[{at}]") for at, each in enumerate(value)]


def _object(entries: Sequence[Entry], value: Any, where: str) -> Document:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"“{where}” is an object of named values.")
    _refuse_unknown(entries, value, f"“{where}” has no property")
    return {
        each.name: _structure(each, content, f"{where}.{each.name}")
        if each.content_type.is_structure
        else simple_text(content, f"{where}.{each.name}")
        for each in entries
        if (content := value.get(each.name)) is not None
    }


def simple_text(value: Any, where: str) -> str:
    """A JSON value as the text of a simple one; some clients send true for the text “true”.

    Raises:
        InvalidRequest: it is an object or a list.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return boolean_text(value)
    if isinstance(value, int | float):
        return number_text(value)
    raise InvalidRequest(f"“{where}” is a simple value.")


def _refuse_unknown(entries: Sequence[Entry], given: Mapping[str, Any], otherwise: str) -> None:
    names = [each.name for each in entries]
    for name in given:
        if name not in names:
            raise InvalidRequest(f"{otherwise} “{name}”; there are: {', '.join(names) or 'none'}.")
