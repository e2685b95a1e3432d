"""An example document, read as the structure that it is an example of."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from atom.profile_source.structure import (
    LEFT_OUT,
    LIST,
    OBJECT,
    TEXT,
    Described,
    Place,
    Unfit,
    Unreadable,
    checked,
    parse,
    structure,
)
from atom.protocol.values import number_text, parse_date_time

_NULL: Final = "null in the example: what is it?"
_MIXED: Final = "of several kinds in the example"
_LARGE: Final = "a number of too many digits in the example"
_DAY_LENGTH: Final = len("2026-01-31")


def read_sample(text: str, profile: str) -> tuple[Described, ...]:
    """The entries of a JSON document.

    The entries of all elements of an array are put together. Nothing is required: one example
    does not show what may be missing. An entry that no flow can hold is LEFT_OUT.

    Raises:
        DeclarationError: it is not JSON, not an object, or has no entry that a flow can hold.
    """
    place = Place(profile)
    document = parse(text, place)
    if isinstance(document, list):
        raise place.refused(
            "a root array is not supported; put it into an object as an entry with a name"
        )
    if not isinstance(document, dict):
        raise place.refused("the document must be a JSON object with entries")
    return checked(_entries([document], place), place)


def _entries(documents: Sequence[dict[str, Any]], place: Place) -> tuple[Described, ...]:
    names = dict.fromkeys(name for document in documents for name in document)
    if not names:
        raise place.refused("an object without entries has no structure; give it an example entry")
    return tuple(
        _entry_or_reason(
            [document[name] for document in documents if name in document], place, name
        )
        for name in names
    )


def _entry_or_reason(values: Sequence[Any], place: Place, name: str) -> Described:
    try:
        return _entry(values, place.entry(name), name)
    except Unfit as unfit:
        return Described(name, LEFT_OUT, remark=unfit.reason)


def _entry(values: Sequence[Any], place: Place, name: str) -> Described:
    """Describe one entry by every value that it has in the example.

    Raises:
        Unfit: no flow can hold it.
    """
    for value in values:
        if isinstance(value, Unreadable):
            raise place.refused(value.reason)
    known = [value for value in values if value is not None]
    if not known:
        return Described(name, TEXT, remark=_NULL)
    structures = {type(value) for value in known} & {dict, list}
    if (structures and {type(value) for value in known} != structures) or len(structures) > 1:
        raise place.refused(
            "it is a structure in one element of the array and something else in another; give "
            "it one form, or two names"
        )
    if dict in structures:
        return structure(name, OBJECT, _entries(known, place))
    if list in structures:
        return structure(name, LIST, _elements([each for value in known for each in value], place))
    if any(map(_is_large, known)):
        return Described(name, TEXT, remark=_LARGE)
    kinds = {_kind(value) for value in known}
    if len(kinds) == 1:
        return Described(name, kinds.pop())
    if kinds <= {"Integer", "Decimal"}:
        return Described(name, "Decimal")
    if kinds <= {"Date", "DateTime"}:
        return Described(name, "DateTime")
    return Described(name, TEXT, remark="" if TEXT in kinds and _are_texts(known) else _MIXED)


def _elements(elements: Sequence[Any], place: Place) -> tuple[Described, ...]:
    present = [element for element in elements if element is not None]
    for element in present:
        if isinstance(element, Unreadable):
            raise place.refused(element.reason)
    if not present:
        raise place.refused("an empty array has no structure; put an example element into it")
    if any(isinstance(element, list) for element in present):
        raise place.refused(
            "an array of arrays is not supported; make its elements objects that hold the inner "
            "array as an entry"
        )
    if not all(isinstance(element, dict) for element in present):
        raise place.refused(
            "an array of simple values is not supported; make its elements objects, for example "
            '{"Value": …}'
        )
    return _entries(present, place)


def _are_texts(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_large(value: Any) -> bool:
    if not isinstance(value, Decimal):
        return False
    try:
        number_text(value)
    except ValueError:
        return True
    return False


def _kind(value: str | bool | Decimal) -> str:
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return "Integer" if exponent == 0 else "Decimal"
    try:
        parse_date_time(value)
    except ValueError:
        return TEXT
    return "Date" if len(value.strip()) == _DAY_LENGTH else "DateTime"
