"""Recorded entries of an execution, looked up as a process asks for them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from atom.children import Join, OpenJoin
from atom.entries import Entry, EntryKey, EntryKind
from atom.errors import JournalMismatch
from atom.records import Step
from atom.suspension import Wait, WaitKind

_NOUNS: Final = {
    EntryKind.STEP: "a step",
    EntryKind.WAIT: "a wait for a time",
    EntryKind.SIGNAL: "a wait for a signal",
    EntryKind.MAP: "a map",
    EntryKind.CALL: "a call",
}
_KINDS_BY_WAIT: Final = {
    WaitKind.TIME: (EntryKind.WAIT,),
    WaitKind.SIGNAL: (EntryKind.SIGNAL,),
    WaitKind.CHILDREN: (EntryKind.MAP, EntryKind.CALL),
}


class RecordedEntries:
    """The entries that earlier attempts recorded, and the waits that they began.

    An entry belongs to its name and occurrence: the third request for a step “ship” finds the
    third record of that name, wherever it stands among the others. So a new version of a process
    may insert, remove and reorder entries.
    """

    def __init__(self, steps: Iterable[Step] = (), waits: Iterable[Wait] = ()) -> None:
        """Make the lookup of one attempt.

        Args:
            steps: the recorded entries, in the order of their records.
            waits: the waits that were begun and are not recorded.
        """
        self._steps = {step.key: step for step in steps}
        self._waits = {wait.key: wait for wait in waits}
        self._occurrences: Counter[str] = Counter()
        self._names: set[str] = set()
        self._former_names: dict[str, str] = {}  # to the names that replace them
        self._unreached = dict.fromkeys([*self._steps, *self._waits])  # in order
        self._latest = next(reversed(self._unreached), None)

    @property
    def unreached(self) -> list[EntryKey]:
        """The entries that this attempt has not asked for, in the order of their records."""
        return list(self._unreached)

    @property
    def is_catching_up(self) -> bool:
        """Return whether an earlier attempt came further than this one has yet."""
        return self._latest is not None

    def find(self, entry: Entry) -> tuple[EntryKey, Step | None]:
        """Advance to an entry and return its key, and its record if there is one.

        An entry that was begun under its former name keeps the former key.

        Raises:
            JournalMismatch: the entry that is recorded or begun under this key is another one.
        """
        self._check_names(entry)
        self._occurrences[entry.name] += 1
        key = EntryKey(entry.name, self._occurrences[entry.name])
        if entry.formerly is not None and not self._knows(key):
            former = EntryKey(entry.formerly, key.occurrence)
            key = former if self._knows(former) else key
        step, wait = self._steps.get(key), self._waits.get(key)
        self._check_kind(key, entry, step, wait)
        if step is not None:
            _check_content(key, entry, step)
        self._unreached.pop(key, None)
        if key == self._latest or not self._knows(key):
            self._latest = None
        return key, step

    def wait_of(self, key: EntryKey) -> Wait | None:
        """Return the wait that an earlier attempt began at this entry."""
        return self._waits.get(key)

    def _knows(self, key: EntryKey) -> bool:
        return key in self._steps or key in self._waits

    def _check_names(self, entry: Entry) -> None:
        """Check that no two entries of the process claim the records of one name.

        Raises:
            JournalMismatch: a former name is also that of another entry.
        """
        self._names.add(entry.name)
        if entry.formerly is not None:
            name = self._former_names.setdefault(entry.formerly, entry.name)
            if name != entry.name:
                raise JournalMismatch(
                    f"“{entry.formerly}” is the former name of two entries, “{name}” and "
                    f"“{entry.name}” (formerly=), so its record could belong to either. Leave "
                    "formerly= out of one of them."
                )
        for former, name in self._former_names.items():
            if former in self._names:
                raise JournalMismatch(
                    f"“{former}” is the former name of “{name}” (formerly=) and also the name of "
                    "another entry of this process, so its record could belong to either. Give "
                    "the other entry another name."
                )

    def _check_kind(
        self, key: EntryKey, entry: Entry, step: Step | None, wait: Wait | None
    ) -> None:
        if step is not None:
            recorded: tuple[EntryKind, ...] = (step.entry,)
        elif wait is not None:
            recorded = _KINDS_BY_WAIT[wait.kind]
        else:
            return
        if entry.kind not in recorded:
            raise mismatch(key, _NOUNS[recorded[0]], _NOUNS[entry.kind])


def _check_content(key: EntryKey, entry: Entry, step: Step) -> None:
    check_function(key, entry, step.function)
    if step.digest and entry.digest != step.digest:
        raise mismatch(key, "a map over other items", "a map over these items")


def check_function(key: EntryKey, entry: Entry, function: str) -> None:
    """Check that an entry was recorded or begun for the function that is passed now.

    Raises:
        JournalMismatch: both are named functions, and their names differ. The author of an entry
            with a former name declares that its record still fits.
    """
    if key.name != entry.name:
        return
    if function and entry.function and entry.function != function:
        noun = _NOUNS[entry.kind]
        raise mismatch(key, f"{noun} of {function}", f"{noun} of {entry.function}")


def check_join(key: EntryKey, entry: Entry, join: Join | OpenJoin, digest: str, total: int) -> None:
    """Check that the children of an earlier attempt are those that the process asks for now.

    Args:
        key: of the entry at which the children were begun.
        entry: as the process asks for it now.
        join: of the earlier attempt.
        digest: of the items or the document that are passed now.
        total: the number of children now.

    Raises:
        JournalMismatch: their function or their content differs.
    """
    check_function(key, entry, join.function)
    if join.digest != digest:
        if entry.kind is EntryKind.MAP:
            content = f"a map over {join.total} items", f"a map over {total} other items"
        else:
            content = "a call with another document", "a call with this one"
        raise mismatch(key, *content)


def mismatch(key: EntryKey, recorded: str, requested: str) -> JournalMismatch:
    """Return the error that names both sides of a difference."""
    return JournalMismatch(
        f"The journal does not fit the code: “{key.name}” (occurrence {key.occurrence}) is "
        f"recorded as {recorded}, and the code asks for {requested}."
    )


def completed(step: Step, key: EntryKey, entry: Entry) -> Step:
    """Return the record with the identity of its entry."""
    return replace(
        step,
        name=key.name,
        occurrence=key.occurrence,
        entry=entry.kind,
        function=entry.function,
        digest=entry.digest,
    )
