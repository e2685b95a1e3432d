"""Results of journal entries without secrets, for people.

The journal keeps the whole result of an entry, since a replay needs it. People see the masked one,
which is made while the secrets of the execution are known.
"""

from collections.abc import Callable, Collection
from typing import Any

import orjson

from atom.entries import EntryKind
from atom.execution.recorded_values import encode
from atom.records import Step, StepKind
from atom.redaction import MASK, Secret, is_known, masked, redacted


def without_secrets(value: Any) -> Any:
    """Return a copy of a value of a process in which each `Secret` is a mask."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, dict):
        return {key: without_secrets(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(inner) for inner in value]
    return value


def masked_encoding(value: Any) -> str | None:
    """Return the encoding of a value without its `Secret` texts; None if it has none."""
    return encode(without_secrets(value)) if _has_secrets(value) else None


def _has_secrets(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_secrets(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(_has_secrets(inner) for inner in value)
    return isinstance(value, Secret)


def masked_value(value: Any, names: Collection[str]) -> Any:
    """Return a JSON value without the secrets of this process.

    Masked are tokens, passwords and encrypted values, entries with secret names, and every text
    that is known as a secret now.
    """
    return _masked(masked(value, names), names)


def masked_result(step: Step, names: Collection[str]) -> str | None:
    """Return the result of an entry as `masked_value` leaves it; None if it has no secrets.

    Faults and failures are free of secrets already.

    Args:
        step: the record of the entry.
        names: of the secret entries of its process.
    """
    if step.kind is not StepKind.RESULT:
        return None
    text = step.result if step.masked_result is None else step.masked_result
    changed = _changed(step.entry, text, lambda value: masked_value(value, names))
    return changed if changed is not None else step.masked_result


def _changed(entry: EntryKind, text: str, change: Callable[[Any], Any]) -> str | None:
    """Return a result with each of its values changed; None if none changes."""
    before = after = orjson.loads(text)
    match entry:
        case EntryKind.SIGNAL:  # the JSON of an event
            after = _changed_text(before, change)
        case EntryKind.MAP | EntryKind.CALL:  # of each child, its kind and the JSON of its result
            after = [
                [kind, _changed_text(inner, change) if kind == StepKind.RESULT else inner]
                for kind, inner in before
            ]
        case _:
            after = change(before)
    return None if after == before else orjson.dumps(after).decode()


def _changed_text(text: str, change: Callable[[Any], Any]) -> str:
    before = orjson.loads(text)
    after = change(before)
    return text if after == before else orjson.dumps(after).decode()


def _masked(value: Any, names: Collection[str]) -> Any:
    """Mask known secrets in the texts, keys and numbers of a JSON value."""
    match value:
        case None | bool():
            return value
        case str():
            return redacted(value)
        case int() | float():
            return MASK if is_known(str(value)) else value
        case dict():
            return {
                redacted(key): MASK if key in names and inner is not None else _masked(inner, names)
                for key, inner in value.items()
            }
        case _:
            return [_masked(inner, names) for inner in value]
