"""A query as a SQLAlchemy 2 statement, without importing SQLAlchemy: it is an optional extra.

Everything is asked of the statement and of the columns that the caller hands in. Values go in as
bound parameters; the wildcards of LIKE in them are escaped.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import reduce
from operator import and_, or_
from typing import Any, Final

from atom.conditions import ORDERINGS, Condition, Group, Sort, comparable
from atom.errors import DeclarationError
from atom.protocol.query_filter import Comparison, Criteria

_LARGEST_INTEGER: Final = 2**63 - 1
_PYTHON_METHODS: Final = {
    Criteria.CONTAINS: "icontains",
    Criteria.STARTS_WITH: "istartswith",
    Criteria.ENDS_WITH: "iendswith",
}


class Columns:
    """The columns behind the properties of a profile."""

    def __init__(self, model: Any, named: Mapping[str, Any] | None) -> None:
        self._model, self._named = model, named or {}

    def __getitem__(self, attribute: str) -> Any:
        column = self._named.get(attribute, getattr(self._model, attribute, None))
        if column is None:
            raise DeclarationError(
                f"{self._model!r} has no column “{attribute}” for the entry of that name; hand it "
                f'in: query.apply(…, columns={{"{attribute}": …}}).'
            )
        return column

    def condition(self, asked: Condition | Group) -> Any:
        """The SQL expression of a condition, or of a group that is not empty."""
        if isinstance(asked, Group):
            together = and_ if asked.comparison is Comparison.AND else or_
            return reduce(together, map(self.condition, asked.members))
        column = self[asked.attribute]
        if asked.criteria is Criteria.IS_EMPTY:
            empty = column.is_(None)
            if _python_type(column) is str:
                empty = empty | (column == "")
            return empty if asked.operand else ~empty
        operand = asked.operand
        if isinstance(operand, dt.date):
            operand = comparable(asked.field, operand)
        operand = _bound(operand, column)
        if asked.criteria is Criteria.EQUAL:
            return column.is_(None) if operand is None else column == operand
        if asked.criteria is Criteria.NOT_EQUAL:
            return column.is_not(None) if operand is None else column.is_distinct_from(operand)
        if asked.criteria in ORDERINGS:
            return ORDERINGS[asked.criteria](column, operand)
        return getattr(column, _PYTHON_METHODS[asked.criteria])(asked.text, autoescape=True)

    def order(self, order_by: Sequence[Sort]) -> Iterator[Any]:
        """What to order by; the primary key last, so that pages never overlap."""
        for each in order_by:
            column = self[each.attribute]
            yield column.desc().nulls_last() if each.descending else column.asc().nulls_first()
        yield from self._model.__mapper__.primary_key


def _python_type(column: Any) -> Any:
    try:
        return column.type.python_type
    except (AttributeError, NotImplementedError):
        return None


def _bound(operand: Any, column: Any) -> Any:
    """The operand as a parameter that the column's type takes."""
    kind = _python_type(column)
    if isinstance(operand, bool) or operand is None:
        return operand
    if isinstance(operand, int | float | Decimal):
        return _bound_number(operand, kind)
    if isinstance(operand, dt.date):
        return _bound_date(operand, kind, getattr(column.type, "timezone", False))
    convert: Callable[[Any], Any] | None = kind if kind is str else None
    return convert(operand) if convert else operand


def _bound_number(operand: int | float | Decimal, kind: Any) -> int | float | Decimal:
    if kind is Decimal:
        return Decimal(str(operand))
    exact = Decimal(str(operand))
    if kind is int and abs(exact) <= _LARGEST_INTEGER and exact % 1 == 0:
        return int(operand)
    # What no integer column can hold compares as the nearest float, infinity at the ends.
    return float(str(operand))


def _bound_date(operand: dt.date, kind: Any, has_zone: bool) -> dt.date:
    if kind is dt.date:
        return operand.date() if isinstance(operand, dt.datetime) else operand
    if not isinstance(operand, dt.datetime):
        operand = dt.datetime.combine(operand, dt.time(), dt.UTC)
    # Naive columns, and all of SQLite's, hold UTC.
    return operand if has_zone else operand.replace(tzinfo=None)
