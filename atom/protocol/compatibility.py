"""Changes between two versions of a service's metadata, as flows that use the service see them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, TypeVar

from atom.protocol.installed import Action, ServiceMetadata, Type, Value

_Part = TypeVar("_Part")


class Subject(StrEnum):
    """The part of a service that changed."""

    SERVICE = "service"
    ACTION = "action"
    INPUT = "input"
    OUTPUT = "output"
    OUTCOME = "outcome"
    DATA_ACTION = "data action"
    TYPE = "type"
    PROPERTY = "property"
    CONFIGURATION_VALUE = "configuration value"
    FILES = "support for files"


class ChangeKind(StrEnum):
    """A kind of change, and whether it breaks flows of the earlier version."""

    breaks: bool

    REMOVED = "removed"
    ADDED = "added"
    ADDED_AS_REQUIRED = "added as required"
    BECAME_REQUIRED = "became required"
    BECAME_OPTIONAL = "became optional"
    TYPE_CHANGED = "type changed"
    PATH_CHANGED = "path changed"

    def __init__(self, value: str) -> None:
        self.breaks = value not in ("added", "became optional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change.

    Attributes:
        subject: the part of the service that changed.
        kind: the kind of change.
        name: the name of the part; empty for file resources.
        action: the message action that the part belongs to, if there is one.
        type_name: of a property, the type that has it.
        old: of a changed type or path, the earlier one.
        new: of a changed type or path, the present one.
        renamed_to: the added part that probably replaces a removed one.
    """

    subject: Subject
    kind: ChangeKind
    name: str = ""
    action: str | None = None
    type_name: str | None = None
    old: str = ""
    new: str = ""
    renamed_to: str = ""

    @property
    def breaks(self) -> bool:
        """Return whether flows with the earlier version lose something or have to change."""
        return self.kind.breaks

    @property
    def message(self) -> str:
        """The change and its effect on flows, in at most three sentences."""
        sentences = [
            f"{self._part} {_VERBS[self.kind]}{self._difference}.",
            _EFFECTS.get((self.subject, self.kind), ""),
            f"It was possibly renamed to “{self.renamed_to}”." if self.renamed_to else "",
        ]
        return " ".join(filter(None, sentences))

    @property
    def _part(self) -> str:
        name = f" “{self.name}”" if self.name else ""
        owner = f" of type “{self.type_name}”" if self.type_name else ""
        return f"{self.subject.capitalize()}{name}{owner}"

    @property
    def _difference(self) -> str:
        return f" from {self.old} to {self.new}" if self.old or self.new else ""


_VERBS: Final = {
    ChangeKind.REMOVED: "was removed",
    ChangeKind.ADDED: "was added",
    ChangeKind.ADDED_AS_REQUIRED: "was added and is required",
    ChangeKind.BECAME_REQUIRED: "became required",
    ChangeKind.BECAME_OPTIONAL: "became optional",
    ChangeKind.TYPE_CHANGED: "changed its type",
    ChangeKind.PATH_CHANGED: "changed its path",
}
_REFUSED: Final = "Requests without a value are refused with 400."
_IGNORED: Final = "The value that flows send is ignored."
_EFFECTS: Final = {
    (Subject.SERVICE, ChangeKind.REMOVED): "Flows that use it get 404.",
    (Subject.ACTION, ChangeKind.REMOVED): "Flows that call it get 404.",
    (Subject.ACTION, ChangeKind.PATH_CHANGED): (
        "Flows call the earlier path until they install the connector again."
    ),
    (Subject.INPUT, ChangeKind.REMOVED): _IGNORED,
    (Subject.INPUT, ChangeKind.ADDED_AS_REQUIRED): _REFUSED,
    (Subject.INPUT, ChangeKind.BECAME_REQUIRED): _REFUSED,
    (Subject.OUTPUT, ChangeKind.REMOVED): "Flows get no value for it.",
    (Subject.OUTCOME, ChangeKind.REMOVED): "Flows no longer take its path.",
    (Subject.DATA_ACTION, ChangeKind.REMOVED): "Flows that load, save or delete objects get 404.",
    (Subject.PROPERTY, ChangeKind.REMOVED): "Its value is neither read nor returned.",
    (Subject.CONFIGURATION_VALUE, ChangeKind.REMOVED): _IGNORED,
    (Subject.CONFIGURATION_VALUE, ChangeKind.ADDED_AS_REQUIRED): _REFUSED,
    (Subject.CONFIGURATION_VALUE, ChangeKind.BECAME_REQUIRED): _REFUSED,
    (Subject.FILES, ChangeKind.REMOVED): "Flows that list or upload files get 404.",
}


def compare_metadata(old: ServiceMetadata, new: ServiceMetadata) -> list[Change]:
    """Return the changes from the installed version of a service to a newer one.

    A renamed part is reported as removed and as added. The types of inputs, outputs and
    properties are added and removed with these, so they are not reported a second time.
    """
    return [
        *_actions(old, new),
        *_types(old, new),
        *_values(Subject.CONFIGURATION_VALUE, old.configuration, new.configuration),
        *_files(old, new),
    ]


def _actions(old: ServiceMetadata, new: ServiceMetadata) -> Iterator[Change]:
    for change in _parts(Subject.ACTION, old.actions, new.actions, _are_alike):
        yield replace(change, action=change.name)
    for before, after in _pairs(old.actions, new.actions):
        for change in _action(before, after):
            yield replace(change, action=before.name)


def _are_alike(old: Action, new: Action) -> bool:
    """Return whether two actions have inputs and outputs of the same names."""
    return (old.inputs.keys(), old.outputs.keys()) == (new.inputs.keys(), new.outputs.keys())


def _action(old: Action, new: Action) -> Iterator[Change]:
    if old.path != new.path:
        yield Change(
            subject=Subject.ACTION,
            kind=ChangeKind.PATH_CHANGED,
            name=old.name,
            old=old.path,
            new=new.path,
        )
    yield from _values(Subject.INPUT, old.inputs, new.inputs)
    yield from _values(Subject.OUTPUT, old.outputs, new.outputs)
    before, after = ({name: name for name in sorted(each.outcomes)} for each in (old, new))
    yield from _parts(Subject.OUTCOME, before, after, lambda *_: True)


def _types(old: ServiceMetadata, new: ServiceMetadata) -> Iterator[Change]:
    yield from _parts(Subject.DATA_ACTION, _bound_types(old), _bound_types(new), _are_alike_types)
    users = _users(old)
    yield from _parts(
        Subject.TYPE,
        _unused_types(old, users, other=new),
        _unused_types(new, _users(new), other=old),
        _are_alike_types,
    )
    for before, after in _pairs(old.types, new.types):
        actions = users.get(before.name, set())
        action = next(iter(actions)) if len(actions) == 1 else None
        for change in _values(Subject.PROPERTY, before.properties, after.properties):
            yield replace(change, action=action, type_name=before.name)


def _are_alike_types(old: Type, new: Type) -> bool:
    return old.properties.keys() == new.properties.keys()


def _bound_types(version: ServiceMetadata) -> dict[str, Type]:
    return {name: each for name, each in version.types.items() if each.is_bound}


def _unused_types(
    version: ServiceMetadata, users: Mapping[str, set[str | None]], *, other: ServiceMetadata
) -> dict[str, Type]:
    """Return the types that the other version lacks and that neither values nor bindings use."""
    return {
        name: each
        for name, each in version.types.items()
        if not each.is_bound and name not in users and name not in other.types
    }


def _users(version: ServiceMetadata) -> dict[str, set[str | None]]:
    """Return the actions that use each type, directly or in another type; None is the service."""
    users: dict[str, set[str | None]] = {}

    def visit(values: Mapping[str, Value], action: str | None) -> None:
        for name in {each.type_name for each in values.values() if each.type_name is not None}:
            known = users.setdefault(name, set())
            if action not in known and name in version.types:
                known.add(action)
                visit(version.types[name].properties, action)

    for action in version.actions.values():
        visit(action.inputs, action.name)
        visit(action.outputs, action.name)
    visit(version.configuration, None)
    for bound in _bound_types(version).values():
        visit(bound.properties, None)
    return users


def _files(old: ServiceMetadata, new: ServiceMetadata) -> Iterator[Change]:
    if old.has_files != new.has_files:
        kind = ChangeKind.REMOVED if old.has_files else ChangeKind.ADDED
        yield Change(subject=Subject.FILES, kind=kind)


def _values(
    subject: Subject, old: Mapping[str, Value], new: Mapping[str, Value]
) -> Iterator[Change]:
    is_sent = subject in (Subject.INPUT, Subject.CONFIGURATION_VALUE)
    for change in _parts(subject, old, new, _are_alike_values):
        is_required = is_sent and change.kind is ChangeKind.ADDED and new[change.name].required
        yield replace(change, kind=ChangeKind.ADDED_AS_REQUIRED) if is_required else change
    for before, after in _pairs(old, new):
        if _kind(before) != _kind(after):
            yield Change(
                subject=subject,
                kind=ChangeKind.TYPE_CHANGED,
                name=before.name,
                old=_kind(before),
                new=_kind(after),
            )
        if is_sent and before.required != after.required:
            kind = ChangeKind.BECAME_REQUIRED if after.required else ChangeKind.BECAME_OPTIONAL
            yield Change(subject=subject, kind=kind, name=before.name)


def _are_alike_values(old: Value, new: Value) -> bool:
    # The type of an entry is named after the entry, so a renamed entry has another type.
    return old.content_type is new.content_type


def _kind(value: Value) -> str:
    """Return the type of a value as builders of flows read it: `String`, `List of “Line”`."""
    kind = value.content_type.removeprefix("Content")
    return f"{kind} of “{value.type_name}”" if value.type_name else kind


def _parts(
    subject: Subject,
    old: Mapping[str, _Part],
    new: Mapping[str, _Part],
    are_alike: Callable[[_Part, _Part], bool],
) -> Iterator[Change]:
    """Yield the removed and the added parts; a removed one names an added one that is alike."""
    removed = {name: part for name, part in old.items() if name not in new}
    added = {name: part for name, part in new.items() if name not in old}
    for name, part in removed.items():
        alike = [each for each, other in added.items() if are_alike(part, other)]
        is_only_one = sum(are_alike(part, other) for other in removed.values()) == 1
        candidates = alike if len(alike) == 1 and is_only_one else get_close_matches(name, alike, 1)
        yield Change(
            subject=subject,
            kind=ChangeKind.REMOVED,
            name=name,
            renamed_to=candidates[0] if candidates else "",
        )
    for name in added:
        yield Change(subject=subject, kind=ChangeKind.ADDED, name=name)


def _pairs(old: Mapping[str, _Part], new: Mapping[str, _Part]) -> Iterator[tuple[_Part, _Part]]:
    """Yield the parts that both versions have."""
    for name, part in old.items():
        if name in new:
            yield part, new[name]
