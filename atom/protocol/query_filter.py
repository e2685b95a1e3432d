"""The list filter of a load: read from the wire, and written as the platform's QueryFilter text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from atom.errors import InvalidRequest

# A SQL engine parses a chain of a thousand conditions as a tree of that depth, and refuses it.
MAX_CONDITIONS: Final = 500
MAX_DEPTH: Final = 20
MAX_PROVIDED: Final = 1000  # objects to load by; Oracle takes no longer list of values
MAX_OPERAND_LENGTH: Final = 4000
_LONGEST_ID: Final = 1000
_LARGEST_PAGE: Final = 2**31 - 1  # what every database takes

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Criteria(StrEnum):
    """How a condition compares; read without regard to case."""

    EQUAL = "EQUAL"
    NOT_EQUAL = "NOT_EQUAL"
    GREATER_THAN = "GREATER_THAN"
    GREATER_THAN_OR_EQUAL = "GREATER_THAN_OR_EQUAL"
    LESS_THAN = "LESS_THAN"
    LESS_THAN_OR_EQUAL = "LESS_THAN_OR_EQUAL"
    CONTAINS = "CONTAINS"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    IS_EMPTY = "IS_EMPTY"


class Comparison(StrEnum):
    """How the members of a group go together; read without regard to case."""

    AND = "AND"
    OR = "OR"


@dataclass(frozen=True, slots=True)
class WireCondition:
    """One condition, its operand as the text that was sent."""

    column: str
    criteria: Criteria
    operand: str | None
    where: str  # its path in the request, for errors


@dataclass(frozen=True, slots=True)
class WireGroup:
    """Conditions and groups that go together."""

    comparison: Comparison = Comparison.AND
    members: "tuple[WireCondition | WireGroup, ...]" = ()


@dataclass(frozen=True, slots=True)
class ListFilter:
    """A listFilter, checked for itself; whether its columns exist is for its type to say."""

    id: str | None = None
    limit: int | None = None  # None: no limit
    offset: int = 0
    search: str | None = None
    search_columns: tuple[str, ...] = ()
    order_by: tuple[tuple[str, bool], ...] = ()  # column, whether descending
    where: WireGroup = WireGroup()
    provided_only: bool = False  # only the objects that the request provides

    @classmethod
    def read(cls, document: Any) -> "ListFilter":
        """Check a listFilter, or null for none. A limit of 0 is none (our choice).

        Raises:
            InvalidRequest: a field is wrong; the sentence names it.
        """
        if document is None:
            return _NONE
        listed = _object(document, "listFilter")
        reader = _Reader()
        return cls(
            id=_text(listed.get("id"), "listFilter.id", _LONGEST_ID) or None,
            limit=_count(listed.get("limit"), "listFilter.limit") or None,
            offset=_count(listed.get("offset"), "listFilter.offset"),
            search=_xml(listed.get("search"), "listFilter.search") or None,
            search_columns=tuple(
                _name(each, f"listFilter.searchCriteria[{at}]")
                for at, each in enumerate(
                    _list(listed.get("searchCriteria"), "listFilter.searchCriteria")
                )
            ),
            order_by=tuple(_order(listed)),
            where=reader.group(listed, "listFilter", 0),
            provided_only=_flag(
                listed.get("filterByProvidedObjects"), "listFilter.filterByProvidedObjects"
            ),
        )


_NONE: Final = ListFilter()


class _Reader:
    """Reads a tree of conditions, and counts them."""

    def __init__(self) -> None:
        self._count = 0

    def group(self, listed: Mapping[str, Any], where: str, depth: int) -> WireGroup:
        if depth > MAX_DEPTH:
            raise InvalidRequest(f"listFilter: listFilters nest deeper than {MAX_DEPTH} levels.")
        path = f"{where}.comparisonType"
        text = (_text(listed.get("comparisonType"), path) or "AND").strip().upper()
        if text not in Comparison.__members__:
            raise InvalidRequest(f"{path} must be AND or OR, not “{text[:40]}”.")
        conditions = [
            self._condition(each, f"{where}.where[{at}]")
            for at, each in enumerate(_list(listed.get("where"), f"{where}.where"))
        ]
        groups = [
            self.group(_object(each, path), path, depth + 1)
            for at, each in enumerate(_list(listed.get("listFilters"), f"{where}.listFilters"))
            for path in (f"{where}.listFilters[{at}]",)
        ]
        # A group of nothing asks for nothing.
        return WireGroup(
            Comparison(text), (*conditions, *(each for each in groups if each.members))
        )

    def _condition(self, sent: Any, where: str) -> WireCondition:
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise InvalidRequest(f"listFilter: there are more than {MAX_CONDITIONS} conditions.")
        condition = _object(sent, where)
        path = f"{where}.criteriaType"
        criteria = (_text(condition.get("criteriaType"), path) or "").strip().upper()
        if criteria not in Criteria.__members__:
            raise InvalidRequest(
                f"{path} must be one of {', '.join(Criteria)}, not “{criteria[:40]}”."
            )
        key = "contentValue" if condition.get("contentValue") is not None else "value"
        operand = _xml(condition.get(key), f"{where}.{key}")
        return WireCondition(_name(condition, where), Criteria(criteria), operand, where)


def _order(listed: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What `orderBy` says; without it, the older pair of fields."""
    path = "listFilter.orderBy"
    several = _list(listed.get("orderBy"), path)
    for at, sent in enumerate(several):
        each = _object(sent, f"{path}[{at}]")
        yield (
            _name(each, f"{path}[{at}]"),
            _descending(each.get("direction"), f"{path}[{at}].direction"),
        )
    name = _text(listed.get("orderByPropertyDeveloperName"), "orderByPropertyDeveloperName")
    if name and not several:
        direction = listed.get("orderByDirectionType")
        yield name, _descending(direction, "listFilter.orderByDirectionType")


def _descending(sent: Any, where: str) -> bool:
    text = (_text(sent, where) or "ASC").strip().upper()
    if text not in ("ASC", "DESC"):
        raise InvalidRequest(f"{where} must be ASC or DESC, not “{text[:40]}”.")
    return text == "DESC"


def _object(sent: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(sent, dict):
        raise InvalidRequest(f"{where} must be an object.")
    return sent


def _list(sent: Any, where: str) -> Sequence[Any]:
    if sent is None:
        return ()
    if not isinstance(sent, list):
        raise InvalidRequest(f"{where} must be a list.")
    if len(sent) > MAX_CONDITIONS:
        raise InvalidRequest(f"{where} has more than {MAX_CONDITIONS} elements.")
    return sent


def _text(sent: Any, where: str, longest: int = MAX_OPERAND_LENGTH) -> str | None:
    if sent is not None and not isinstance(sent, str):
        raise InvalidRequest(f"{where} must be a text or null.")
    if sent is not None and len(sent) > longest:
        raise InvalidRequest(f"{where} is longer than {longest} characters.")
    return sent


def _xml(sent: Any, where: str) -> str | None:
    text = _text(sent, where)
    if text is not None and _NOT_XML.search(text):
        raise InvalidRequest(f"{where} holds a character that XML cannot carry.")
    return text


def _name(sent: Any, where: str) -> str:
    name = _xml(_object(sent, where).get("columnName"), f"{where}.columnName")
    if not name:
        raise InvalidRequest(f"{where}.columnName must name a property.")
    return name


def _count(sent: Any, where: str) -> int:
    if sent is None:
        return 0
    if not isinstance(sent, int) or isinstance(sent, bool) or not 0 <= sent <= _LARGEST_PAGE:
        raise InvalidRequest(f"{where} must be a whole number from 0 to {_LARGEST_PAGE}, or null.")
    return sent


def _flag(sent: Any, where: str) -> bool:
    if sent is not None and not isinstance(sent, bool):
        raise InvalidRequest(f"{where} must be true, false or null.")
    return bool(sent)


def query_filter_xml(where: WireGroup, order_by: Sequence[tuple[str, bool]]) -> str:
    """The QueryFilter text that the platform hands to a query process."""
    lines = ["<QueryFilter>"]
    if where.members:
        lines.append(f'  <expression operator="{where.comparison.lower()}">')
        for member in where.members:
            lines += _expression(member, "    ")
        lines.append("  </expression>")
    for column, descending in order_by:
        direction = "DESC" if descending else "ASC"
        lines.append(f'  <sort property={quoteattr(column)} sortOrder="{direction}"></sort>')
    return "\n".join([*lines, "</QueryFilter>"])


def _expression(member: WireCondition | WireGroup, indent: str) -> Iterator[str]:
    if isinstance(member, WireGroup):
        yield f'{indent}<nestedExpression operator="{member.comparison.lower()}">'
        for each in member.members:
            yield from _expression(each, indent + "  ")
    else:
        name = quoteattr(member.column)
        yield f'{indent}<nestedExpression operator="{member.criteria}" property={name}>'
        if member.operand is not None:
            # A parser turns a bare carriage return into a line feed.
            text = escape(member.operand, {"\r": "&#13;"})
            yield f"{indent}  <argument>{text}</argument>"
    yield f"{indent}</nestedExpression>"
