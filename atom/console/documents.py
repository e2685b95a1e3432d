"""Documents of the protocol as tables for people; see protocol.md's names in `atom.protocol`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from atom.protocol.values import ContentType

# So many objects of a list, and characters of a text, are shown; the JSON has all of them.
_MOST_OBJECTS: Final = 50
_MOST_CHARACTERS: Final = 2_000
_DEEPEST: Final = 8


@dataclass(frozen=True, slots=True)
class Table:
    """Objects with the same properties."""

    columns: Sequence[str]
    rows: Sequence[Sequence["Value"]]
    left_out: int


@dataclass(frozen=True, slots=True)
class Value:
    """What an entry holds: a text, or a table of objects."""

    kind: str  # without the protocol's “Content”
    text: str | None = None
    table: Table | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it."""
        return self.text is None and self.table is None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a document under its name: named values, or a table."""

    name: str
    values: Mapping[str, Value]
    table: Table | None = None


def parts(document: Mapping[str, Any] | None) -> Sequence[Part]:
    """What people look for in a request or a response: values, objects, faults."""
    if not document:
        return []
    found = [
        Part(name, _values(document.get(key)))
        for name, key in (
            ("Inputs", "inputs"),
            ("Outputs", "outputs"),
            ("Configuration", "configurationValues"),
        )
    ]
    faults = document.get("rootFaults")
    if isinstance(faults, Mapping):
        texts = {str(name): Value("String", _cut(str(text))) for name, text in faults.items()}
        found.append(Part("Faults", texts))
    found.append(Part("Faults of values", _values(document.get("valueFaults"))))
    found.append(Part("Objects", {}, _table(document.get("objectData"), 0)))
    return [each for each in found if each.values or each.table]


def _values(entries: Any, depth: int = 0) -> dict[str, Value]:
    if not isinstance(entries, list):
        return {}
    return {
        str(each.get("developerName")): _value(each, depth)
        for each in entries
        if isinstance(each, Mapping)
    }


def _value(entry: Mapping[str, Any], depth: int) -> Value:
    kind = str(entry.get("contentType") or ContentType.STRING).removeprefix("Content")
    table = _table(entry.get("objectData"), depth + 1)
    if table is not None:
        return Value(kind, table=table)
    text = entry.get("contentValue")
    return Value(kind, None if text is None else _cut(str(text)))


def _table(objects: Any, depth: int) -> Table | None:
    if not isinstance(objects, list) or not objects or depth > _DEEPEST:
        return None
    rows = [
        _values(each.get("properties"), depth)
        for each in objects[:_MOST_OBJECTS]
        if isinstance(each, Mapping)
    ]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    nothing = Value("String")
    return Table(
        columns,
        [[row.get(name, nothing) for name in columns] for row in rows],
        max(len(objects) - _MOST_OBJECTS, 0),
    )


def _cut(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}… ({len(text) - _MOST_CHARACTERS:,} characters more)"
