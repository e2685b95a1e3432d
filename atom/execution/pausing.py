"""Pausing and resuming what flows may ask for, and what is said of it: in CLI and console."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from atom.catalog import Catalog
from atom.errors import AtomError
from atom.store import ExecutionStore

EVERYTHING: Final = "*"


def pause(catalog: Catalog, store: ExecutionStore, name: str | None) -> str:
    """Refuse new requests of a service, of one action, or (None) of everything; what runs goes on.

    Raises:
        AtomError: no service or action is called so; it names those that there are.
    """
    target = EVERYTHING if name is None else _known(catalog, name)
    store.pause(target)
    return f"{_named(target)} takes no new requests; what runs goes on."


def resume(catalog: Catalog, store: ExecutionStore, name: str | None) -> Sequence[str]:
    """Take requests again; what is paused by itself within the target stays so.

    What is paused can be resumed even though no service declares it any more.

    Raises:
        AtomError: nothing is called so, and nothing of that name was paused.
    """
    target, told = EVERYTHING if name is None else name, []
    if not store.resume(target):
        if name is not None:
            _known(catalog, name)
        told.append(f"{_named(target)} was not paused.")
    paused = store.paused()
    within = [each for each in paused if _covers(each, target)]
    told += [f"{_named(each)} is still paused, and {_named(target)} with it." for each in within]
    if not within:
        told.append(f"{_named(target)} takes requests.")
    still = [each for each in paused if _covers(target, each)]
    return [*told, *(f"{_named(each)} is still paused by itself." for each in still)]


def paused_since(paused: Mapping[str, datetime], service: str, action: str = "") -> datetime | None:
    """Since when a service, or an action of it, takes no requests; None where it does."""
    targets = [EVERYTHING, service, *([f"{service}.{action}"] if action else [])]
    return min((paused[each] for each in targets if each in paused), default=None)


def _known(catalog: Catalog, name: str) -> str:
    actions = [process.task_name for process in catalog.processes()]
    if name not in (*catalog.services, *actions):
        raise AtomError(
            f"No service or action is called “{name}”; there are: "
            f"{', '.join([*catalog.services, *actions])}."
        )
    return name


def _covers(target: str, other: str) -> bool:
    return target == EVERYTHING or other.startswith(f"{target}.")


def _named(target: str) -> str:
    return "Every service" if target == EVERYTHING else f"“{target}”"
