"""Names for structures: two that differ make two Flow types, which need two names.

A Flow type is named after its entry, at whatever depth. `billing.address` and `shipping.address`
make one type if they hold the same, and cannot both be `address` if they do not.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from atom import fields
from atom.profile_source.structure import LEFT_OUT, Described
from atom.protocol.values import ContentType

_Entries = tuple[Described, ...]
_Shape = tuple[Any, ...]


def with_distinct_names(entries: _Entries) -> _Entries:
    """Rename entries until every structure has a name of its own.

    The outermost structure of a name keeps it, and the first of several at one depth.
    """
    return _Names(entries).renamed(entries)


class _Names:
    def __init__(self, entries: _Entries) -> None:
        self._taken: Final = set(_names(entries))
        self._kept: Final[set[str]] = set()
        self._shapes: Final[dict[_Entries, _Shape]] = {}
        # By the name in the document and the shape: the name, and the order of the entries.
        self._assigned: Final[dict[tuple[str, _Shape], tuple[str, list[str]]]] = {}
        levels: deque[tuple[_Entries, tuple[str, ...]]] = deque([(entries, ())])
        while levels:
            level, path = levels.popleft()
            for entry in filter(_is_structure, level):
                self._assign(entry, path)
                levels.append((entry.inner, (*path, entry.name)))

    def renamed(self, entries: _Entries) -> _Entries:
        return tuple(map(self._renamed, entries))

    def _renamed(self, entry: Described) -> Described:
        if not _is_structure(entry):
            return entry
        name, order = self._assigned[entry.name, self._shape(entry.inner)]
        # Two structures are one type only if their entries are in one order.
        inner = sorted(entry.inner, key=lambda member: _position(member, order))
        original = entry.name if name != entry.name else ""
        return replace(entry, name=name, inner=self.renamed(tuple(inner)), original=original)

    def _assign(self, entry: Described, path: tuple[str, ...]) -> None:
        key = entry.name, self._shape(entry.inner)
        if key in self._assigned:
            return
        name = entry.name
        if name in self._kept:
            candidates = _candidates(name, path)
            name = next(candidate for candidate in candidates if candidate not in self._taken)
            self._taken.add(name)
        self._kept.add(name)
        self._assigned[key] = name, [inner.name for inner in entry.inner]

    def _shape(self, entries: _Entries) -> _Shape:
        """Return what two structures have in common that are one type in Flow."""
        if entries not in self._shapes:
            self._shapes[entries] = tuple(
                sorted(
                    (
                        entry.name,
                        _content_type(entry.kind),
                        entry.required,
                        self._shape(entry.inner),
                    )
                    for entry in entries
                    if entry.kind != LEFT_OUT
                )
            )
        return self._shapes[entries]


def _names(entries: _Entries) -> Iterator[str]:
    for entry in entries:
        yield entry.name
        yield from _names(entry.inner)


def _is_structure(entry: Described) -> bool:
    return bool(entry.inner) and entry.kind != LEFT_OUT


def _position(entry: Described, order: list[str]) -> int:
    return order.index(entry.name) if entry.name in order else len(order)


def _candidates(name: str, path: tuple[str, ...]) -> Iterator[str]:
    for length in range(1, len(path) + 1):
        yield " ".join((*path[-length:], name))
    number = 1
    while True:
        number += 1
        yield f"{name} {number}"


def _content_type(kind: str) -> str:
    field = getattr(fields, kind)
    if kind in ("Nested", "List"):
        return kind
    return str(getattr(field, "content_type", ContentType.STRING))
