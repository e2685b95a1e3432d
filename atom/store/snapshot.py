"""An ended execution as a whole: what Redis holds of it, and the same as text in a database.

It is the same content in both places, encrypted values as they are, so that one reading serves
both, and none of it needs a key to be moved.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

# The parts by their names: hashes are mappings, lists are sequences.
Hash = Mapping[bytes, bytes]
Parts = Mapping[str, Hash | Sequence[bytes]]

RECORD = ""  # the part that a list of executions shows, called as the execution itself


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One execution at one moment."""

    id: str
    at_us: int  # by Redis's clock: of two, the later one counts
    fingerprint: bytes  # differs when anything changes
    parts: Parts

    @property
    def record(self) -> Hash:
        """What a list shows."""
        return hash_of(self.parts, RECORD)

    @property
    def root(self) -> str:
        """Which execution began it all; empty where it is no child."""
        return self.record.get(b"root", b"").decode()

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum(len(each) for part in self.parts.values() for each in _items(part))


def from_export(execution_id: str, exported: Sequence[Any]) -> Snapshot:
    """From what `export.lua` returns."""
    at_us, fingerprint, *rest = exported
    parts: dict[str, Hash | Sequence[bytes]] = {}
    for name, kind, content in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        is_hash = kind == b"hash"
        parts[name.decode()] = (
            dict(zip(content[::2], content[1::2], strict=True)) if is_hash else content
        )
    return Snapshot(execution_id, int(at_us), fingerprint, parts)


def for_import(parts: Parts) -> Iterator[Any]:
    """What `bring_back.lua` takes."""
    for name, part in parts.items():
        items = list(_items(part))
        yield from (name, "hash" if isinstance(part, Mapping) else "list", len(items), *items)


def hash_of(parts: Parts, name: str) -> Hash:
    """One of the parts that are hashes; empty where there is none."""
    part = parts.get(name, {})
    return part if isinstance(part, Mapping) else {}


def list_of(parts: Parts, name: str) -> Sequence[bytes]:
    """One of the parts that are lists; empty where there is none."""
    part = parts.get(name, ())
    return () if isinstance(part, Mapping) else part


def children_of(parts: Parts) -> Sequence[str]:
    """The ids of all children that it ever had."""
    return [each.decode() for each in list_of(parts, ":children")]


def write(parts: Parts) -> str:
    """As JSON; what is not UTF-8 (it is encrypted, or binary) is a list of one text in Latin-1."""
    return orjson.dumps({name: _written(part) for name, part in parts.items()}).decode()


def read(text: str) -> Parts:
    """What `write` wrote."""
    return {name: _part(written) for name, written in orjson.loads(text).items()}


def _written(part: Hash | Sequence[bytes]) -> Any:
    if isinstance(part, Mapping):
        return {key.decode(): _write(value) for key, value in part.items()}
    return [_write(value) for value in part]


def _part(written: Any) -> Hash | Sequence[bytes]:
    if isinstance(written, dict):
        return {key.encode(): _read(value) for key, value in written.items()}
    return [_read(value) for value in written]


def _write(value: bytes) -> str | list[str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return [value.decode("latin-1")]


def _read(value: str | list[str]) -> bytes:
    return value.encode() if isinstance(value, str) else value[0].encode("latin-1")


def _items(part: Hash | Sequence[bytes]) -> Iterator[bytes]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            yield from (key, value)
    else:
        yield from part
