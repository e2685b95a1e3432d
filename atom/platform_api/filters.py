"""Query filters: what a QueryFilter says, and whether a record meets it.

Texts compare exactly, by code point; in LIKE “%” is any text and “_” any character. Words of the
platform, such as a status, compare without regard to case, as clients write both. A record
without a value is NOT_EQUALS to any and NOT_CONTAINS any, and else meets only IS_NULL. Times
compare by the second, as the records show them.
"""

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from atom.errors import InvalidRequest
from atom.protocol.values import parse_date_time, parse_integer

# Far more than any client sends.
_DEEPEST: Final = 20
_MOST_CONDITIONS: Final = 500
_MOST_SHOWN: Final = 100


class Kind(Enum):
    """What a property holds, and which operators it takes with how many arguments."""

    TEXT = "text"
    WORD = "word"  # one of a few of the platform's
    TIME = "time"
    NUMBER = "number"


_NULLS: Final = {"IS_NULL": 0, "IS_NOT_NULL": 0}
_EQUALS: Final = {"EQUALS": 1, "NOT_EQUALS": 1}
_ORDERS: Final = {
    "BETWEEN": 2,
    "GREATER_THAN": 1,
    "GREATER_THAN_OR_EQUAL": 1,
    "LESS_THAN": 1,
    "LESS_THAN_OR_EQUAL": 1,
}
_TEXTS: Final = {"LIKE": 1, "STARTS_WITH": 1, "CONTAINS": 1, "NOT_CONTAINS": 1}
_OPERATORS: Final = {
    Kind.TEXT: {**_EQUALS, **_TEXTS, **_NULLS},
    Kind.WORD: {**_EQUALS, **_TEXTS, **_NULLS},
    Kind.TIME: {**_EQUALS, **_ORDERS, **_NULLS},
    Kind.NUMBER: {**_EQUALS, **_ORDERS, **_NULLS},
}

_MEETS: Final[Mapping[str, Callable[..., bool]]] = {
    "EQUALS": operator.eq,
    "LIKE": lambda value, pattern: pattern.match(value) is not None,
    "STARTS_WITH": str.startswith,
    "CONTAINS": operator.contains,
    "BETWEEN": lambda value, low, high: low <= value <= high,
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_OR_EQUAL": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_OR_EQUAL": operator.le,
    "IS_NOT_NULL": lambda _: True,
}
_GLOB: Final = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
_NEGATIONS: Final = {"NOT_EQUALS": "EQUALS", "NOT_CONTAINS": "CONTAINS", "IS_NULL": "IS_NOT_NULL"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One property, compared with what the client sent."""

    name: str
    operator: str
    arguments: tuple[Any, ...]
    ignores_case: bool = False

    @property
    def properties(self) -> frozenset[str]:
        """What it depends on."""
        return frozenset({self.name})

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record meets it."""
        positive = _NEGATIONS.get(self.operator, self.operator)
        value = record.get(self.name)
        if self.ignores_case and value is not None:
            value = value.casefold()
        is_met = value is not None and _MEETS[positive](value, *self.arguments)
        return is_met is (positive == self.operator)


@dataclass(frozen=True, slots=True)
class Group:
    """Expressions of which all, or any, have to be met."""

    is_and: bool
    members: "tuple[Condition | Group, ...]"

    @property
    def properties(self) -> frozenset[str]:
        """What it depends on."""
        return frozenset().union(*(each.properties for each in self.members))

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record meets it; every record meets a group of nothing."""
        together = all if self.is_and or not self.members else any
        return together(each.matches(record) for each in self.members)


Expression = Condition | Group


def conjuncts(expression: Expression) -> Sequence[Expression]:
    """The parts of which all have to be met."""
    if isinstance(expression, Group) and (expression.is_and or len(expression.members) == 1):
        return [part for each in expression.members for part in conjuncts(each)]
    return [expression]


def conditions(expression: Expression) -> Sequence[Condition]:
    """Every condition in it."""
    if isinstance(expression, Condition):
        return [expression]
    return [part for each in expression.members for part in conditions(each)]


def read(query: Mapping[str, Any], properties: Mapping[str, Kind]) -> Expression:
    """Read the filter of a query; without one everything is wanted.

    Args:
        query: the parsed body.
        properties: what can be asked for.

    Raises:
        InvalidRequest: naming the property or operator that is not served, and those that are.
    """
    found = query.get("QueryFilter")
    if found is None:
        return Group(is_and=True, members=())
    if not isinstance(found, Mapping) or not isinstance(found.get("expression"), Mapping):
        raise InvalidRequest("A QueryFilter holds an object “expression”.")
    expression = _expression(found["expression"], properties, 0)
    if len(conditions(expression)) > _MOST_CONDITIONS:
        raise InvalidRequest(f"A filter has at most {_MOST_CONDITIONS} conditions.")
    return expression


def _expression(found: Any, properties: Mapping[str, Kind], depth: int) -> Expression:
    if not isinstance(found, Mapping):
        raise InvalidRequest("An expression is an object with an “operator”.")
    if depth > _DEEPEST:
        raise InvalidRequest(f"Expressions nest at most {_DEEPEST} deep.")
    name = found.get("operator")
    if not isinstance(name, str):
        raise InvalidRequest("An expression is an object with an “operator”.")
    if "nestedExpression" not in found:
        return _condition(found, name.upper(), properties)
    nested = found["nestedExpression"]
    if name.lower() not in ("and", "or") or not isinstance(nested, list):
        raise InvalidRequest(
            "An expression with a “nestedExpression” has a list there, and the operator “and” or "
            "“or”."
        )
    members = tuple(_expression(each, properties, depth + 1) for each in nested)
    return Group(name.lower() == "and", members)


def _condition(found: Mapping[str, Any], name: str, properties: Mapping[str, Kind]) -> Condition:
    asked = found.get("property")
    if not isinstance(asked, str) or asked not in properties:
        shown = f"“{asked[:_MOST_SHOWN]}”" if isinstance(asked, str) else "no property"
        raise InvalidRequest(
            f"{shown} cannot be filtered by here; possible are {', '.join(properties)}."
        )
    kind = properties[asked]
    operators = _OPERATORS[kind]
    if name not in operators:
        raise InvalidRequest(
            f"“{asked}” does not take the operator {name[:_MOST_SHOWN]} here; possible are "
            f"{', '.join(operators)}."
        )
    arguments = found.get("argument")
    arguments = arguments if arguments is not None else []
    if not isinstance(arguments, list) or len(arguments) != operators[name]:
        raise InvalidRequest(
            f"“{asked}” {name} takes a list of {operators[name]} in “argument”, not "
            f"{str(arguments)[:_MOST_SHOWN]}."
        )
    read = _arguments(asked, kind, arguments)
    compared = tuple(map(_like, read) if name == "LIKE" else read)
    return Condition(asked, name, compared, ignores_case=kind is Kind.WORD)


def _arguments(asked: str, kind: Kind, arguments: Sequence[Any]) -> Sequence[Any]:
    found = [str(each) for each in arguments]
    try:
        match kind:
            case Kind.TIME:
                return [to_second(parse_date_time(each)) for each in found]
            case Kind.NUMBER:
                return [parse_integer(each) for each in found]
            case Kind.WORD:
                return [word.casefold() for word in found]
    except ValueError as error:
        raise InvalidRequest(
            f"“{asked}” is compared with a {kind.value} such as "
            f"{'2026-01-31T08:00:00Z' if kind is Kind.TIME else '1500'}, not with "
            f"{', '.join(found)[:_MOST_SHOWN]} ({error})."
        ) from None
    return found


def to_second(moment: datetime) -> datetime:
    """As the platform shows times."""
    return moment.astimezone(UTC).replace(microsecond=0)


def _like(pattern: str) -> re.Pattern[str]:
    """By way of a glob: what becomes of that does not try one text in every possible way."""
    return re.compile(fnmatch.translate("".join(_GLOB.get(each, each) for each in pattern)))
