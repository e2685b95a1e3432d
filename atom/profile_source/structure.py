"""What an example and a schema have in common: named entries, each of a kind."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from atom.errors import DeclarationError

OBJECT: Final = "Nested"
LIST: Final = "List"
TEXT: Final = "String"
DEEPEST: Final = 50


@dataclass(frozen=True)
class Described:
    """One entry of a structure.

    `kind` is the name of its field in `atom.fields`; OBJECT and LIST have `inner`, and may have
    a `title` that names their structure. `remark` is what a person should look at.
    """

    name: str
    kind: str
    inner: tuple["Described", ...] = ()
    required: bool = False
    title: str = ""
    remark: str = ""


@dataclass(frozen=True)
class Place:
    """Where in a document something is, for errors: the profile and the path of the entry."""

    profile: str
    path: tuple[str, ...] = ()

    def entry(self, name: str) -> "Place":
        """The place of an entry below this one.

        Raises:
            DeclarationError: it cannot be an entry: no name, not a text, too deep.
        """
        if not name:
            raise self.refused("an entry needs a name; one here is empty")
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise self.refused("the name of an entry here is not a text that UTF-8 can carry")
        if len(self.path) >= DEEPEST:
            raise self.refused(f"structures are nested more than {DEEPEST} deep; flatten them")
        return Place(self.profile, (*self.path, name))

    def refused(self, reason: str) -> DeclarationError:
        """What cannot be made a profile, and why."""
        entry = f", entry “{' - '.join(self.path)}”" if self.path else ""
        return DeclarationError(f"Profile {self.profile}{entry}: {reason}.")


def parse(text: str, place: Place) -> Any:
    """Read JSON; numbers with a fraction become Decimals.

    Raises:
        DeclarationError: it is not JSON, or an object in it has a name twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise place.refused(f"the name “{twice}” is twice in one object; rename one")
        return found

    def no_number(constant: str) -> Any:
        raise place.refused(f"{constant} is not a JSON number; write one, or null")

    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=no_number,
            object_pairs_hook=unique,
        )
    except json.JSONDecodeError as error:
        raise place.refused(
            f"this is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    except RecursionError:
        raise place.refused(
            f"structures are nested more than {DEEPEST} deep; flatten them"
        ) from None
