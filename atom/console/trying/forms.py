"""Forms from the metadata of a service, and values from what was typed: pure functions.

An input is known by its place (`f-2-0-1`: of the third entry, in the first row, the second), as
names may hold anything. Objects are groups of inputs, lists are rows of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from atom.protocol.values import ContentType, parse_date_time, parse_decimal

_DEEPEST: Final = 5
_MOST_ROWS: Final = 200
_CONTROLS: Final = {
    ContentType.NUMBER: "number",
    ContentType.BOOLEAN: "checkbox",
    ContentType.DATE_TIME: "datetime",
    ContentType.PASSWORD: "password",
    ContentType.ENCRYPTED: "password",
    ContentType.CONTENT: "textarea",
    ContentType.OBJECT: "object",
    ContentType.LIST: "list",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One entry of a form, with what was typed into it."""

    key: str
    name: str
    control: str  # text, number, checkbox, datetime, password, textarea, object or list
    is_required: bool = False
    typed: str = ""
    problem: str = ""
    inputs: tuple["Input", ...] = ()  # of an object
    rows: tuple[tuple["Input", ...], ...] = ()  # of a list

    @property
    def has_problem(self) -> bool:
        """Whether something is wrong in it, however deep."""
        within = (*self.inputs, *(each for row in self.rows for each in row))
        return bool(self.problem) or any(each.has_problem for each in within)

    @property
    def value(self) -> Any:
        """The plain value that was typed; None: nothing was."""
        if self.control == "object":
            found = values(self.inputs)
            is_empty = all(value in (None, False, []) for value in found.values())
            return None if is_empty and not self.is_required else found
        if self.control == "list":
            return [values(row) for row in self.rows]
        if self.control == "checkbox":
            return bool(self.typed)
        if self.control == "datetime" and self.typed:
            # A browser's own control says neither seconds nor zone; the field is labelled UTC.
            return f"{self.typed}:00Z" if len(self.typed) == len("2026-01-31T08:00") else self.typed
        return self.typed or None


def action_form(
    description: Mapping[str, Any], action: Mapping[str, Any], typed: Mapping[str, str]
) -> tuple[Input, ...]:
    """The form of a message action, filled with what was typed so far."""
    return _form(action["serviceInputs"], _types(description), typed, "f", 0)


def type_form(
    description: Mapping[str, Any], type_name: str, typed: Mapping[str, str], prefix: str
) -> tuple[Input, ...]:
    """The form of one object of a type."""
    types = _types(description)
    return _form(types.get(type_name, ()), types, typed, prefix, 0)


def values(inputs: Sequence[Input]) -> dict[str, Any]:
    """The plain values by name, as the sandbox takes them."""
    return {each.name: each.value for each in inputs}


def with_rows(typed: Mapping[str, str], add: str, remove: str) -> dict[str, str]:
    """What was typed, with one row more in the list `add`, or without the row `remove`."""
    changed = dict(typed)
    if add:
        changed[f"{add}-rows"] = str(_rows(typed, add) + 1)
    if remove:
        key, _, number = remove.rpartition("-")
        changed = _without_row(changed, key, int(number) if number.isdecimal() else 0)
    return changed


def _without_row(typed: dict[str, str], key: str, gone: int) -> dict[str, str]:
    """The rows behind it move up by one."""
    moved = {}
    for name, text in typed.items():
        row, dash, rest = name.removeprefix(f"{key}-").partition("-")
        if name.startswith(f"{key}-") and row.isdecimal():
            if int(row) == gone:
                continue
            if int(row) > gone:
                name = f"{key}-{int(row) - 1}{dash}{rest}"
        moved[name] = text
    moved[f"{key}-rows"] = str(max(_rows(typed, key) - 1, 0))
    return moved


def _form(
    declared: Sequence[Mapping[str, Any]],
    types: Mapping[str, Any],
    typed: Mapping[str, str],
    prefix: str,
    depth: int,
) -> tuple[Input, ...]:
    return tuple(
        _input(each, types, typed, f"{prefix}-{place}", depth)
        for place, each in enumerate(declared)
    )


def _input(
    declared: Mapping[str, Any],
    types: Mapping[str, Any],
    typed: Mapping[str, str],
    key: str,
    depth: int,
) -> Input:
    control = _CONTROLS.get(ContentType(declared["contentType"]), "text")
    within = types.get(declared.get("typeElementDeveloperName") or "", ())
    inputs: tuple[Input, ...] = ()
    rows: tuple[tuple[Input, ...], ...] = ()
    if control == "object" and depth < _DEEPEST:
        inputs = _form(within, types, typed, key, depth + 1)
    if control == "list" and depth < _DEEPEST:
        numbers = range(min(_rows(typed, key), _MOST_ROWS))
        rows = tuple(_form(within, types, typed, f"{key}-{each}", depth + 1) for each in numbers)
    is_required = bool(declared.get("required"))
    text = typed.get(key, "")
    return Input(
        key=key,
        name=declared["developerName"],
        control=control,
        is_required=is_required,
        typed=text,
        problem=_problem(control, text, is_required=is_required) if typed else "",
        inputs=inputs,
        rows=rows,
    )


def _problem(control: str, text: str, *, is_required: bool) -> str:
    if control in ("object", "list", "checkbox"):
        return ""
    if not text:
        return "This is required." if is_required else ""
    try:
        if control == "number":
            parse_decimal(text)
        elif control == "datetime":
            parse_date_time(text)
    except ValueError:
        wanted = "a number" if control == "number" else "a date and time, as 2026-01-31T08:00"
        return f"This is not {wanted}."
    return ""


def _rows(typed: Mapping[str, str], key: str) -> int:
    count = typed.get(f"{key}-rows", "0")
    return int(count) if count.isascii() and count.isdecimal() else 0


def _types(description: Mapping[str, Any]) -> dict[str, Any]:
    elements = (description.get("install") or {}).get("typeElements") or []
    return {each["developerName"]: each["properties"] for each in elements}
