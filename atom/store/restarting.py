"""Lookup of the record at which a retry begins."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from atom.entries import EntryKey, EntryKind
from atom.records import StepKind
from atom.store import codec
from atom.store.reading import Reader

_WITH_CHILDREN: Final = (EntryKind.MAP, EntryKind.CALL)


@dataclass(frozen=True, slots=True)
class Cut:
    """A place in a journal: the record from which on everything is dropped.

    The script compares the digest of the record with what it finds there: the journal may have
    changed since it was read.
    """

    order: int | None = None  # the number of the record; None: there is no such record
    digest: str = ""  # its SHA-1, as Redis computes it
    joined: tuple[EntryKey, ...] = ()
    """Earlier entries whose children failed in part: a retry of them takes those that completed."""

    @property
    def arguments(self) -> Iterator[str | int]:
        """The arguments of the script."""
        yield "" if self.order is None else self.order
        yield self.digest
        yield from map(str, self.joined)


def cut(reader: Reader, steps: Mapping[bytes, bytes], key: EntryKey) -> Cut:
    """Return the place of an entry among the records of an execution.

    Args:
        reader: of the execution; it has the keys for all records.
        steps: the records by their numbers.
        key: the entry, by the name and occurrence under which it is recorded.
    """
    joined: list[EntryKey] = []
    for order in sorted(steps, key=int):
        step = codec.decode_step(reader, steps[order])
        if step.key == key:
            digest = hashlib.sha1(steps[order], usedforsecurity=False).hexdigest()
            return Cut(int(order), digest, tuple(joined))
        if step.entry in _WITH_CHILDREN and step.kind is not StepKind.RESULT:
            joined.append(step.key)
    return Cut()
