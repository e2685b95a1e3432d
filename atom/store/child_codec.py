"""What scripts say of children and their parents."""

from collections.abc import Iterable, Sequence
from typing import Any

from atom import names
from atom.children import After, JoinProgress
from atom.parentage import Parentage, Wakeup


def parentage(parent: bytes | None, root: bytes | None) -> Parentage | None:
    """Whose child it is, where it is one."""
    return Parentage(parent=parent.decode(), root=root.decode()) if parent and root else None


def wakeups(found: Iterable[Sequence[bytes]]) -> tuple[Wakeup, ...]:
    """From what scripts call WAKEUPS."""
    return tuple(
        Wakeup(
            execution_id.decode(),
            names.process_task(service.decode(), action.decode()),
            queue.decode() or names.PROCESSES,
            parentage(parent, root),
        )
        for execution_id, service, action, queue, parent, root in found
    )


def after(found: Sequence[Any]) -> After:
    """From what finish.lua returns."""
    is_due, woken, progress = (*found, (), ())[:3]
    if not progress:
        return After(bool(is_due), wakeups(woken))
    parent, position, name, done, total = progress
    told = JoinProgress(parent.decode(), int(position), name.decode(), int(done), int(total))
    return After(bool(is_due), wakeups(woken), told)
