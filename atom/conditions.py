"""Typed conditions over the records of a type, and their evaluation in memory.

They mean the same here and in SQL (`atom.sql`). Texts are equal and ordered exactly, by code
point. CONTAINS, STARTS_WITH, ENDS_WITH and the search disregard the case of A to Z. A record
without a value is NOT_EQUAL to any value, never greater, less or containing, and sorts before all
others. Dates are compared as instants; those without a zone are taken as UTC.
"""

import datetime as dt
import operator
import string
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import Enum
from typing import Any, Final

from marshmallow.fields import Field

from atom import fields
from atom.profile import Profile
from atom.protocol.query_filter import Comparison, Criteria
from atom.protocol.values import ContentType

_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

ORDERINGS: Final[dict[Criteria, Callable[[Any, Any], Any]]] = {
    Criteria.GREATER_THAN: operator.gt,
    Criteria.GREATER_THAN_OR_EQUAL: operator.ge,
    Criteria.LESS_THAN: operator.lt,
    Criteria.LESS_THAN_OR_EQUAL: operator.le,
}
TEXT_MATCHES: Final[dict[Criteria, Callable[[str, str], bool]]] = {
    Criteria.CONTAINS: lambda text, part: part in text,
    Criteria.STARTS_WITH: str.startswith,
    Criteria.ENDS_WITH: str.endswith,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One property compared with one operand."""

    name: str  # in Flow
    attribute: str  # of a record
    criteria: Criteria
    operand: Any  # typed by the property's field; for IS_EMPTY whether it is to be empty
    text: str | None  # the operand as it was sent
    field: Field[Any] = dataclass_field(repr=False, compare=False)

    def matches(self, profile: Profile, record: Any) -> bool:
        """Return whether a record meets it."""
        return self.accepts(profile.get_attribute(record, self.attribute, None))

    def accepts(self, raw: Any) -> bool:
        """Return whether a record with this value of the property meets it."""
        value = comparable(self.field, raw)
        if self.criteria is Criteria.IS_EMPTY:
            return (value is None or value == "") is self.operand
        operand = comparable(self.field, self.operand)
        if isinstance(value, float) and not isinstance(operand, float) and operand is not None:
            # To a float, 0.1 is the float that is nearest to it, as it is to a database.
            operand = float(str(operand))
        if self.criteria is Criteria.EQUAL:
            return bool(value == operand)
        if self.criteria is Criteria.NOT_EQUAL:
            return bool(value != operand)
        if value is None:
            return False
        if self.criteria in ORDERINGS:
            return bool(ORDERINGS[self.criteria](value, operand))
        return TEXT_MATCHES[self.criteria](lower(value), lower(operand))


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions and groups of which all, or any, have to be met."""

    comparison: Comparison = Comparison.AND
    members: "tuple[Condition | Group, ...]" = ()

    def matches(self, profile: Profile, record: Any) -> bool:
        """Whether a record meets it; every record meets a group of nothing."""
        if not self.members:
            return True
        together = all if self.comparison is Comparison.AND else any
        return together(each.matches(profile, record) for each in self.members)


@dataclass(frozen=True, slots=True)
class Sort:
    """One property to sort by."""

    name: str
    attribute: str
    descending: bool
    field: Field[Any] = dataclass_field(repr=False, compare=False)

    def key(self, profile: Profile) -> Callable[[Any], tuple[bool, Any]]:
        """Return a sort key for records: those without a value come first."""

        def key(record: Any) -> tuple[bool, Any]:
            raw = profile.get_attribute(record, self.attribute, None)
            value = comparable(self.field, raw)
            if isinstance(self.field, fields.DateTime) and value is not None:
                # Two of one day come in their order, as in a column of dates and times.
                value = _instant(raw if isinstance(raw, dt.datetime) else value)
            return value is not None, 0 if value is None else value

        return key


def comparable(field: Field[Any], value: Any) -> Any:
    """A value in the one form of its property that compares: of a record, or an operand."""
    if value is None:
        return None
    if isinstance(field, fields.Date):
        return _day(field.deserialize(value) if isinstance(value, str) else value)
    if isinstance(field, fields.DateTime):
        return _instant(field.deserialize(value) if isinstance(value, str) else value)
    if is_text(field):
        # A UUID or an Enum compares as the text that the flow knows; a StrEnum is no such text.
        is_plain = isinstance(value, str) and not isinstance(value, Enum)
        return value if is_plain else str(field.serialize("", {"": value}))
    return field.deserialize(value) if isinstance(value, str) else value


def is_text(field: Field[Any]) -> bool:
    """Whether the property is a text in Flow."""
    kind = getattr(field, "content_type", ContentType.STRING)
    return kind in (ContentType.STRING, ContentType.CONTENT)


def lower(text: str) -> str:
    """Only A to Z: what every database understands without regard to its locale."""
    return text.translate(_LOWER)


def _instant(value: dt.date) -> dt.datetime:
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time(), dt.UTC)
    if value.tzinfo is None:
        value = value.replace(tzinfo=dt.UTC)
    return value.astimezone(dt.UTC)


def _day(value: dt.date) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value
