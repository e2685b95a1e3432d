"""Structures written as Python: one class for each, in the order in which they are needed."""

import json
import keyword
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

from atom.errors import DeclarationError
from atom.profile import Profile
from atom.profile_source.structure import LIST, OBJECT, Described

_WIDTH: Final = 100
_LONGEST_NAME: Final = 40
# What a class body may not name anew: the field module, and what a schema is made of.
_TAKEN_IN_CLASS: Final = frozenset({"fields", "Meta", *dir(Profile())})
_TAKEN: Final = frozenset({"Profile", "None", "True", "False"})


def write_profiles(entries: tuple[Described, ...], profile: str) -> str:
    """The module of a profile and of all that it nests; equal structures are one class.

    Raises:
        DeclarationError: the profile's name is not one for a class.
    """
    if not profile.isidentifier() or keyword.iskeyword(profile) or profile in _TAKEN:
        raise DeclarationError(f"“{profile}” cannot be the name of a class; choose another.")
    writer = _Writer({*_TAKEN, profile})
    writer.write(entries, profile)
    return "\n\n\n".join(["from atom import Profile, fields", *writer.classes]) + "\n"


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
            attribute = unique(attribute_name(entry.name), attributes)
            attributes.add(attribute)
            if entry.remark:
                lines.append(f"    # {entry.remark}")
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
        character if character.isprintable() else _escaped(character)
        for character in json.dumps(text, ensure_ascii=False)
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


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
