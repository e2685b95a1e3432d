"""What scripts say of children and their parents, and of whose turn it is."""

from collections.abc import Sequence
from typing import Any

from atom.children import After, JoinProgress
from atom.entries import EntryKey
from atom.parentage import Parentage, Wakeup


def parentage(parent: bytes | None, root: bytes | None) -> Parentage | None:
    """Whose child it is, where it is one."""
    return Parentage(parent=parent.decode(), root=root.decode()) if parent and root else None


def wakeups(flat: Sequence[bytes]) -> list[Wakeup]:
    """From what scripts call RELEASED."""
    found = []
    for execution_id, service, action, queue, parent, root in zip(*[iter(flat)] * 6, strict=True):
        process = (service.decode(), action.decode(), queue.decode())
        found.append(Wakeup(execution_id.decode(), *process, parentage(parent, root)))
    return found


def after(found: Sequence[Any]) -> After:
    """From what finish.lua returns."""
    is_due, progress = (*found, ())[:2]
    if not progress:
        return After(bool(is_due))
    parent, entry, done, total = progress
    key = EntryKey.parse(entry.decode())
    return After(bool(is_due), JoinProgress(parent.decode(), key, int(done), int(total)))
