"""What an example and a schema have in common: named entries, each of a kind."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from atom.errors import DeclarationError

OBJECT: Final = "Nested"
LIST: Final = "List"
TEXT: Final = "String"
LEFT_OUT: Final = ""
DEEPEST: Final = 50

_TOO_DEEP: Final = f"structures are nested more than {DEEPEST} deep; flatten them"
_LONGEST_SHOWN: Final = 80


class Unfit(DeclarationError):
    """An entry, or a whole document, that no profile can hold."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason: Final = reason
        """The cause and the remedy, without the path of the entry."""


@dataclass(frozen=True)
class Described:
    """One entry of a structure.

    `kind` is the name of its field in `atom.fields`; OBJECT and LIST have `inner`, and may have
    a `title` that names their structure. `remark` is what a person should look at; of an entry
    that is LEFT_OUT it is the reason. `original` is the name in the document if it is another one.
    """

    name: str
    kind: str
    inner: tuple["Described", ...] = ()
    required: bool = False
    title: str = ""
    remark: str = ""
    original: str = ""


@dataclass(frozen=True)
class Place:
    """Where in a document something is, for errors: the profile and the path of the entry."""

    profile: str
    path: tuple[str, ...] = ()

    def entry(self, name: str) -> "Place":
        """Return the place of an entry below this one.

        Raises:
            Unfit: it cannot be an entry: no name, not a text, too deep.
        """
        place = Place(self.profile, (*self.path, name))
        if not name:
            raise place.refused("an entry needs a name; this one is empty")
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise place.refused("the name is not a text that UTF-8 can carry")
        if len(self.path) >= DEEPEST:
            raise place.refused(_TOO_DEEP)
        return place

    def refused(self, reason: str) -> Unfit:
        """Return the error for what cannot be made a profile."""
        return Unfit(self.sentence(reason), reason)

    def sentence(self, text: str) -> str:
        """Return a sentence about this entry."""
        path = " - ".join(map(shown, self.path))
        return f"Profile {self.profile}{f', entry “{path}”' if self.path else ''}: {text}."


def structure(
    name: str, kind: str, inner: tuple[Described, ...], *, required: bool = False, title: str = ""
) -> Described:
    """Return an object or a list; it is left out if nothing in it can be kept."""
    if all(entry.kind == LEFT_OUT for entry in inner):
        return Described(name, LEFT_OUT, inner, remark="nothing in it can be kept")
    return Described(name, kind, inner, required, title)


def checked(entries: tuple[Described, ...], place: Place) -> tuple[Described, ...]:
    """Return the entries of a profile.

    Raises:
        DeclarationError: none of them can be kept; it names every reason.
    """
    if all(entry.kind == LEFT_OUT for entry in entries):
        raise DeclarationError(" ".join(remarks(entries, place)))
    return entries


def remarks(entries: tuple[Described, ...], place: Place) -> Iterator[str]:
    """Yield a sentence for each entry that is left out or renamed, with its path."""
    for entry in entries:
        inside = Place(place.profile, (*place.path, entry.original or entry.name))
        if entry.kind == LEFT_OUT and not entry.inner:
            yield inside.sentence(entry.remark)
        if entry.original:
            yield inside.sentence(
                f"it is named “{shown(entry.name)}”, for another structure has its name"
            )
        yield from remarks(entry.inner, inside)


def shown(name: str) -> str:
    """Return a name as an error or a comment shows it: on one line, and not too long."""
    text = "".join(
        character if character.isprintable() else escaped(character) for character in name
    )
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def escaped(character: str) -> str:
    """Return a character as Python writes it in a literal."""
    return character.encode("unicode_escape").decode()


@dataclass(frozen=True)
class Unreadable:
    """A value in a document that has no meaning in JSON."""

    reason: str


def parse(text: str, place: Place) -> Any:
    """Read JSON. Numbers become Decimals; a value without a meaning becomes an `Unreadable`.

    Raises:
        DeclarationError: it is not JSON.
    """

    def with_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(pairs)
        if len(document) < len(pairs):
            names = [name for name, _ in pairs]
            repeated = {name for name in names if names.count(name) > 1}
            twice = Unreadable("the name is twice in one object; rename one")
            document |= dict.fromkeys(repeated, twice)
        return document

    def no_number(constant: str) -> Unreadable:
        return Unreadable(f"{constant} is not a JSON number; write one, or null")

    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=no_number,
            object_pairs_hook=with_names,
        )
    except json.JSONDecodeError as error:
        raise place.refused(
            f"this is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise place.refused(_TOO_DEEP) from None
