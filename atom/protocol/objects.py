"""Entries of a profile, and the way between EngineValues or objects and plain documents.

A *document* is what a profile loads and dumps: entry name → text, None, a document (object) or
a list of documents (list).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson

from atom.errors import InvalidRequest
from atom.protocol.values import ContentType, engine_value

Document = dict[str, Any]


class RawText(str):
    """The text of a value whose shape is not that of its entry; objects are JSON."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a profile: an input, an output or a property of a type."""

    name: str
    content_type: ContentType
    required: bool = False
    type_name: str | None = None  # of an object or list: the Flow type of its elements
    entries: tuple["Entry", ...] = ()  # of an object or list: what its elements hold


def nested_entries(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Every object or list entry, outer ones first: those that make a Flow type."""
    for entry in entries:
        if entry.type_name is not None:
            yield entry
            yield from nested_entries(entry.entries)


def read_values(
    entries: Sequence[Entry],
    values: Sequence[Mapping[str, Any]],
    where: str = "",
    *,
    keep_raw: bool = False,
) -> Document:
    """Turn EngineValues (or the properties of an object) into a document.

    Values nobody declared are left out; entries without a value are absent.

    Args:
        entries: the declared entries.
        values: as they were sent.
        where: the path to the object that has these properties, for errors.
        keep_raw: keep a value of another shape than its entry (objects for a simple entry, a text
            for an object entry, several objects for one) as a RawText. Without it, such a value
            is left out or refused.

    Raises:
        InvalidRequest: an object entry holds several objects.
    """
    given = {value["developerName"]: value for value in values}
    document: Document = {}
    for entry in entries:
        value = given.get(entry.name)
        if value is None:
            continue
        objects, text = value.get("objectData"), value.get("contentValue")
        content: Any = None
        if entry.content_type.is_structure:
            if objects is not None:
                content = _read_objects(entry, objects, where + entry.name, keep_raw=keep_raw)
            elif keep_raw and text:
                content = RawText(text)
        elif text is not None and (text or entry.content_type.is_text):
            content = text
        elif keep_raw and objects:
            content = _raw(objects)
        if content is not None:
            document[entry.name] = content
    return document


def _read_objects(
    entry: Entry, objects: Sequence[Mapping[str, Any]], where: str, *, keep_raw: bool
) -> Document | list[Document] | RawText | None:
    if entry.content_type is ContentType.LIST:
        return [
            read_values(
                entry.entries,
                each.get("properties") or (),
                f"{where}[{index}].",
                keep_raw=keep_raw,
            )
            for index, each in enumerate(objects)
        ]
    if len(objects) > 1:
        if keep_raw:
            return _raw(objects)
        raise InvalidRequest(f"{where} is a single object, but {len(objects)} were sent.")
    if not objects:
        return None
    properties = objects[0].get("properties") or ()
    return read_values(entry.entries, properties, f"{where}.", keep_raw=keep_raw)


def _raw(objects: Sequence[Mapping[str, Any]]) -> RawText:
    return RawText(orjson.dumps(objects).decode())


def write_values(entries: Sequence[Entry], document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Turn a document into EngineValues: one for every entry, in order, null where none is."""
    return [
        engine_value(
            entry.name,
            entry.content_type,
            content_value=None if entry.content_type.is_structure else document.get(entry.name),
            object_data=_write_objects(entry, document.get(entry.name)),
            type_name=entry.type_name,
        )
        for entry in entries
    ]


def _write_objects(entry: Entry, content: Any) -> list[dict[str, Any]] | None:
    if not entry.content_type.is_structure or content is None:
        return None
    documents = content if entry.content_type is ContentType.LIST else [content]
    return [
        write_object(entry.type_name or "", entry.entries, document, str(uuid4()), order)
        for order, document in enumerate(documents)
    ]


def write_object(
    type_name: str,
    entries: Sequence[Entry],
    document: Mapping[str, Any],
    external_id: str,
    order: int = 0,
) -> dict[str, Any]:
    """An MObject: a document as an object of a type."""
    return {
        "internalId": str(uuid4()),
        "externalId": external_id,
        "developerName": type_name,
        "order": order,
        "typeElementId": None,
        "typeElementBindingDeveloperName": None,
        "isSelected": False,
        "properties": [
            {
                "developerName": each.name,
                "contentType": each.content_type.value,
                "contentValue": None if each.content_type.is_structure else document.get(each.name),
                "contentFormat": None,
                "typeElementPropertyId": None,
                "objectData": _write_objects(each, document.get(each.name)),
            }
            for each in entries
        ],
    }
