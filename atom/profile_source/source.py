"""Structures written as Python: one class for each, in the order in which they are needed."""

import json
import keyword
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from atom.errors import DeclarationError
from atom.profile import Profile
from atom.profile_source.naming import with_distinct_names
from atom.profile_source.structure import (
    LEFT_OUT,
    LIST,
    OBJECT,
    Described,
    Place,
    escaped,
    remarks,
    shown,
)

_WIDTH: Final = 100
_LONGEST_NAME: Final = 40
# What a class body may not name anew: the field module, and what a schema is made of.
_TAKEN_IN_CLASS: Final = frozenset({"fields", "Meta", *dir(Profile())})
_TAKEN: Final = frozenset({"Profile", "fields", "None", "True", "False"})


@dataclass(frozen=True)
class Source:
    """The Python of a profile, and what a person should look at in it."""

    text: str
    remarks: tuple[str, ...]
    """Sentences about entries that are left out or renamed."""


def write_profiles(entries: tuple[Described, ...], profile: str) -> Source:
    """Write the module of a profile and of all that it nests; equal structures are one class.

    An action can be declared with the result, whatever the document was.

    Raises:
        DeclarationError: the profile's name is not one for a class.
    """
    plain = unicodedata.normalize("NFKC", profile)
    if not plain.isidentifier() or keyword.iskeyword(plain) or plain in _TAKEN:
        raise DeclarationError(f"“{shown(profile)}” cannot be the name of a class; choose another.")
    writer = _Writer({*_TAKEN, plain})
    distinct = with_distinct_names(entries)
    writer.write(distinct, plain)
    text = "\n\n\n".join(["from atom import Profile, fields", *writer.classes]) + "\n"
    return Source(text, tuple(remarks(distinct, Place(profile))))


class _Writer:
    def __init__(self, names: set[str]) -> None:
        self.classes: list[str] = []
        self._names = names
        self._written: dict[tuple[Described, ...], str] = {}

    def write(self, entries: tuple[Described, ...], name: str) -> None:
        """Write the class of a structure, after those that it nests."""
        lines = [f"class {name}(Profile):"]
        attributes: set[str] = set(_TAKEN_IN_CLASS)
        for entry in entries:
            if entry.kind == LEFT_OUT:
                lines += _comment(f"“{shown(entry.name)}” is left out: {entry.remark}")
                continue
            attribute = unique(attribute_name(entry.name), attributes)
            attributes.add(attribute)
            if entry.original:
                name = shown(entry.original)
                lines += _comment(f"“{name}” in the document; another structure has that name")
            if entry.remark:
                lines += _comment(entry.remark)
            lines += self._field(entry, attribute)
        self.classes.append("\n".join(lines))

    def _nested(self, entry: Described) -> str:
        """The name of the class of a nested structure, which is written unless it is there."""
        if entry.inner not in self._written:
            name = unique(class_name(entry), self._names)
            self._names.add(name)
            self._written[entry.inner] = name
            self.write(entry.inner, name)
        return self._written[entry.inner]

    def _field(self, entry: Described, attribute: str) -> Iterator[str]:
        arguments = []
        if entry.kind in (OBJECT, LIST):
            nested = self._nested(entry)
            arguments.append(f"fields.Nested({nested})" if entry.kind == LIST else nested)
        named = attribute != entry.name
        rest = ["required=True"] if entry.required else []
        begin = f"    {attribute} = fields.{entry.kind}("
        key = [f"data_key={literal(entry.name)}"] if named else []
        line = f"{begin}{', '.join([*arguments, *key, *rest])})"
        if len(line) <= _WIDTH:
            yield line
            return
        yield begin
        yield from (f"        {argument}," for argument in arguments)
        if named:
            yield from _key_lines(entry.name)
        yield from (f"        {argument}," for argument in rest)
        yield "    )"


def _comment(text: str) -> list[str]:
    # Nothing in it may break the line, and no word of it is cut.
    words = "".join(character if character.isprintable() else " " for character in text)
    prefix = "    # "
    return textwrap.wrap(words, _WIDTH, initial_indent=prefix, subsequent_indent=prefix)


def _key_lines(name: str) -> Iterator[str]:
    line = f"        data_key={literal(name)},"
    if len(line) <= _WIDTH:
        yield line
        return
    yield "        data_key=("
    piece = ""
    for character in name:
        if len(f"            {literal(piece + character)}") > _WIDTH:
            yield f"            {literal(piece)}"
            piece = ""
        piece += character
    yield f"            {literal(piece)}"
    yield "        ),"


def literal(text: str) -> str:
    """A text as a Python literal in double quotes, with every unprintable character escaped."""
    return "".join(
        character if character.isprintable() else escaped(character)
        for character in json.dumps(text, ensure_ascii=False)
    )


def class_name(entry: Described) -> str:
    """What the class of a nested structure is called: by its title, else by its entry."""
    words = _words(entry.title or entry.name)
    name = "".join(word[:1].upper() + word[1:] for word in words)[:_LONGEST_NAME]
    if entry.kind == LIST and not entry.title:
        name += "Item"
    return _identifier(name, "Structure")


def attribute_name(name: str) -> str:
    """The snake case of an entry's name, as a Python name."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    found = "_".join(_words(words)).lower()[:_LONGEST_NAME].rstrip("_")
    return _identifier(found, "entry")


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text)
    return [word for word in re.split(r"[\W_]+", plain) if word]


def _identifier(name: str, otherwise: str) -> str:
    # Lowering can leave NFKC; an identifier is compared in it.
    name = unicodedata.normalize("NFKC", name)
    if name[:1].isdigit():
        name = f"{otherwise}_{name}"
    if not name.isidentifier():
        name = "".join(each for each in name if each.isascii()) or otherwise
    if not name.isidentifier():
        name = otherwise
    return f"{name}_" if keyword.iskeyword(name) else name


def unique(name: str, taken: Iterable[str]) -> str:
    """The name, or the first of name_2, name_3, … that is not taken."""
    taken = set(taken)
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}" if name.islower() else f"{name}{number}"
    return found
