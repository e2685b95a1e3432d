"""Recorded entries of a journal as operators see them: a label, a document, a line of text."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from atom.entries import EntryKind
from atom.protocol.exact_json import parse_exactly
from atom.records import RecordedStep, StepKind
from atom.text import shortened

# In a line of text; the document has the whole.
LONGEST_TEXT: Final = 300

# The marks of `recorded_values` whose content is the text of a value.
_TEXT_MARKS: Final = ("$text", "$float", "$decimal", "$datetime", "$date", "$uuid")


def label(entry: RecordedStep) -> str:
    """Return the kind and the name of an entry, such as “signal approval” or “sleep (2)”.

    A number in parentheses is the occurrence of the name. A map has the number of its items.
    """
    name = entry.name if entry.occurrence == 1 else f"{entry.name} ({entry.occurrence})"
    if entry.entry is EntryKind.SIGNAL:
        return f"signal {name}"
    if entry.entry is EntryKind.MAP:
        return f"map {name}{_count(entry)}"
    if entry.entry is EntryKind.CALL and not name.startswith("call "):
        return f"call {name}"
    if entry.entry is EntryKind.WAIT and entry.name not in ("sleep", "wait until"):
        return f"wait {name}"
    return name


def outcome(entry: RecordedStep) -> Any:
    """Return the outcome of an entry as plain JSON, with its secrets masked.

    A step has its result, a signal its event, a call the outputs of its child, and a map a list of
    the outcomes of its items: `{"result": …}`, `{"faults": …}` or `{"failure": …}` each. None for
    a wait, and for an entry that cannot be read.
    """
    if not entry.result:
        return None
    content = orjson.loads(entry.result)
    if entry.kind is not StepKind.RESULT:
        return _unsuccessful(entry.kind, content)
    match entry.entry:
        case EntryKind.SIGNAL:
            return _exact(parse_exactly(content))
        case EntryKind.MAP:
            return [_of_child(kind, text) for kind, text in content]
        case EntryKind.CALL:
            ((_, text),) = content
            return _readable(orjson.loads(text))
        case _:
            return _readable(content)


def document(entry: RecordedStep) -> dict[str, Any]:
    """Return an entry as a document.

    Its outcome stands under `result`, `faults` or `failure`; the others are None.
    """
    outcomes = dict.fromkeys(("result", "faults", "failure"))
    outcomes[_field(entry.kind)] = outcome(entry)
    return {
        "name": entry.name,
        "occurrence": entry.occurrence,
        "entry": entry.entry,
        "label": label(entry),
        "kind": entry.kind,
        "ended_at": entry.ended_at,
        "milliseconds": entry.milliseconds,
        **outcomes,
        "giver": entry.giver or None,
    }


def text(entry: RecordedStep, longest: int | None = LONGEST_TEXT) -> str:
    """Return the outcome of an entry on one line; empty if it has none.

    A fault or a failure has its reason, a signal its event and its giver.

    Args:
        entry: the recorded entry.
        longest: the number of characters to which the outcome is cut; None for the whole.
    """
    result = outcome(entry)
    if result is None and entry.entry is not EntryKind.SIGNAL:
        return ""
    line = _line(entry.kind, result)
    if longest is not None:
        line = shortened(line, longest)
    return f"{line} from {entry.giver}" if entry.giver else line


def _count(entry: RecordedStep) -> str:
    if entry.kind is not StepKind.RESULT or not entry.result:
        return ""
    count = len(orjson.loads(entry.result))
    return f" ({count} item{'s' if count != 1 else ''})"


def _field(kind: StepKind) -> str:
    return "faults" if kind is StepKind.FAULT else kind.value


def _of_child(kind: str, content: str) -> dict[str, Any]:
    kind, value = StepKind(kind), orjson.loads(content)
    is_result = kind is StepKind.RESULT
    return {_field(kind): _readable(value) if is_result else _unsuccessful(kind, value)}


def _unsuccessful(kind: StepKind, content: Any) -> Any:
    if kind is StepKind.FAULT:
        return [{"name": name, "message": message, "entry": at} for message, name, at in content]
    return {"kind": content["kinds"][0].rpartition(".")[2], "reason": content["reason"]}


def _line(kind: StepKind, result: Any) -> str:
    if kind is StepKind.FAULT:
        return "; ".join(f"{fault['name']}: {fault['message']}" for fault in result)
    if kind is StepKind.FAILURE:
        return ": ".join(filter(None, (result["kind"], result["reason"])))
    return orjson.dumps(result).decode()


def _exact(value: Any) -> Any:
    """Return the value of an event with the text of each integer beyond 64 bits."""
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def _readable(value: Any) -> Any:
    """Return a recorded value in plain JSON: a date or a decimal number is its text."""
    if isinstance(value, list):
        return [_readable(inner) for inner in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((mark, content),) = value.items()
        if mark == "$object":
            return {key: _readable(inner) for key, inner in content.items()}
        if mark == "$integer":
            return str(int(content, 16)) if content.lstrip("-").startswith("0x") else content
        if mark in _TEXT_MARKS:
            return content
    return {key: _readable(inner) for key, inner in value.items()}
