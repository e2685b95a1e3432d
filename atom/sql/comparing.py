"""Conditions in SQL by the kinds of a property and of the column behind it.

A property may be a text over a column of numbers, or a day over a column of instants. What is
compared is what the flow sees, as in memory. Values go in as bound parameters.
"""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from math import floor, isinf
from typing import Any, Final
from uuid import UUID

from marshmallow.fields import Field
from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Enum,
    Float,
    LargeBinary,
    Numeric,
    String,
    TypeDecorator,
    Uuid,
    case,
    cast,
    false,
    literal,
    not_,
    or_,
    type_coerce,
)
from sqlalchemy.types import NullType

from atom import fields
from atom.conditions import ORDERINGS, TEXT_MATCHES, Condition, comparable, is_text, lower
from atom.errors import DeclarationError
from atom.protocol.query_filter import Criteria
from atom.sql.elements import (
    ByCodePoint,
    DayText,
    DecimalText,
    Exact,
    Folded,
    Pattern,
    TimeText,
    UuidText,
)

_SMALLEST_INTEGER: Final = -(2**63)
_LARGEST_INTEGER: Final = 2**63 - 1
# No decimal column holds so many digits before the point; Oracle refuses the parameter.
_LARGEST_EXPONENT: Final = 120
_DAY: Final = dt.timedelta(days=1)
_LONGEST_TEXT: Final = 255  # of what is no text in the database
_UPWARDS: Final = (Criteria.GREATER_THAN, Criteria.GREATER_THAN_OR_EQUAL)
_NOTHING: Final[Any] = object()


class Comparing:
    """A column whose values compare as they are."""

    def __init__(self, column: Any) -> None:
        self.column: Final = column
        self.value: Any = column
        """What is compared: the column, or an expression of it."""

    @property
    def term(self) -> Any:
        """What is sorted by."""
        return self.value

    def condition(self, condition: Condition) -> Any:
        """Return the SQL expression of a condition."""
        criteria = condition.criteria
        if criteria is Criteria.IS_EMPTY:
            return self.empty() if condition.operand else not_(self.empty())
        if criteria in (Criteria.EQUAL, Criteria.NOT_EQUAL):
            equal = self.any_of([condition])
            if criteria is Criteria.EQUAL:
                return equal
            is_null = self.column.is_(None)
            return not_(is_null) if condition.operand is None else or_(is_null, not_(equal))
        if criteria in TEXT_MATCHES:
            return self.match(criteria, condition.operand)
        return self.order(criteria, self.operand(condition))

    def any_of(self, conditions: Sequence[Condition]) -> Any:
        """Return the expression of a value that equals the operand of any of the conditions."""
        operands = [
            self.operand(condition) for condition in conditions if condition.operand is not None
        ]
        alternatives = [self.equal(operands)] if operands else []
        if len(operands) < len(conditions):
            alternatives.append(self.column.is_(None))
        return or_(*alternatives)

    def operand(self, condition: Condition) -> Any:
        """Return the operand in the form that compares."""
        return comparable(condition.field, condition.operand)

    def empty(self) -> Any:
        """Return the expression of a column without a value."""
        return self.column.is_(None)

    def equal(self, operands: Sequence[Any]) -> Any:
        """Return the expression of a value that equals any of the operands."""
        values = [value for value in map(self.parameter, operands) if value is not _NOTHING]
        if not values:
            return false()
        return self.value == values[0] if len(values) == 1 else self.value.in_(values)

    def parameter(self, operand: Any) -> Any:
        """Return the operand as a parameter, or _NOTHING if no value of the column equals it."""
        return operand

    def order(self, criteria: Criteria, operand: Any) -> Any:
        """Return the expression of a value that is greater or less than the operand."""
        return ORDERINGS[criteria](self.value, operand)

    def match(self, criteria: Criteria, text: str) -> Any:
        """Return the expression of a text that contains, starts or ends with another."""
        raise NotImplementedError

    def _beyond(self, criteria: Criteria, *, is_above: bool) -> Any:
        """Return the expression for an operand above, or below, all that the column can hold."""
        has_none = (criteria in _UPWARDS) is is_above
        return false() if has_none else self.column.is_not(None)

    def _step(self, criteria: Criteria, floored: Any, *, is_whole: bool) -> Any:
        """Compare what comes in whole steps with an operand between two of them."""
        if is_whole:
            return ORDERINGS[criteria](self.value, floored)
        return self.value > floored if criteria in _UPWARDS else self.value <= floored


class _Texts(Comparing):
    """A text, or a column whose text form is what the flow sees."""

    def __init__(self, column: Any, text: Any) -> None:
        super().__init__(column)
        self._text = text
        self.value = Exact(text)

    @property
    def term(self) -> Any:
        return ByCodePoint(self._text)

    def empty(self) -> Any:
        empty = super().empty()
        return or_(empty, self._text == "") if isinstance(self.column.type, String) else empty

    def order(self, criteria: Criteria, operand: Any) -> Any:
        return ORDERINGS[criteria](self.term, ByCodePoint(literal(operand, String())))

    def match(self, criteria: Criteria, text: str) -> Any:
        escaped = lower(text)
        for wildcard in "/%_":
            escaped = escaped.replace(wildcard, f"/{wildcard}")
        before = "" if criteria is Criteria.STARTS_WITH else "%"
        after = "" if criteria is Criteria.ENDS_WITH else "%"
        pattern = Pattern(literal(f"{before}{escaped}{after}", String()))
        return Folded(self._text).like(pattern, escape="/")


class _DecoratedTexts(_Texts):
    """A text column with a type of the user's own, which decides what equals a value."""

    def __init__(self, column: Any, text: Any) -> None:
        super().__init__(column, text)
        self.value = column

    def any_of(self, conditions: Sequence[Condition]) -> Any:
        return or_(*(self.column == condition.operand for condition in conditions))


class _Uuids(_Texts):
    """A UUID, which equals its one text with small letters and hyphens."""

    def __init__(self, column: Any) -> None:
        super().__init__(column, UuidText(column))
        self.value = column

    def parameter(self, operand: Any) -> Any:
        try:
            uuid = UUID(operand)
        except ValueError:
            return _NOTHING
        if str(uuid) != operand:
            return _NOTHING
        return uuid if self.column.type.as_uuid else operand


class _Finite(Comparing):
    """A column with few values, each of which is compared in Python."""

    def __init__(self, column: Any, values: Sequence[Any], field: Field[Any]) -> None:
        super().__init__(column)
        self._values, self._field = values, field

    @property
    def term(self) -> Any:
        values = sorted(self._values, key=lambda value: comparable(self._field, value))
        return case(*((self.column == value, literal(rank)) for rank, value in enumerate(values)))

    def condition(self, condition: Condition) -> Any:
        values = [value for value in self._values if condition.accepts(value)]
        accepted = self.column.in_(values) if values else false()
        return or_(accepted, self.column.is_(None)) if condition.accepts(None) else accepted

    def any_of(self, conditions: Sequence[Condition]) -> Any:
        return or_(*map(self.condition, conditions))


class _Integers(Comparing):
    def __init__(self, column: Any) -> None:
        super().__init__(column)
        # A parameter may be larger than what the column holds.
        self.value = type_coerce(column, BigInteger())

    def parameter(self, operand: Any) -> Any:
        is_integer = _SMALLEST_INTEGER <= operand <= _LARGEST_INTEGER and operand % 1 == 0
        return int(operand) if is_integer else _NOTHING

    def order(self, criteria: Criteria, operand: Any) -> Any:
        if not _SMALLEST_INTEGER <= operand <= _LARGEST_INTEGER:
            return self._beyond(criteria, is_above=operand > 0)
        return self._step(criteria, floor(operand), is_whole=operand % 1 == 0)


class _Floats(Comparing):
    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.value = type_coerce(column, Float())

    def parameter(self, operand: Any) -> Any:
        number = _as_float(operand)
        return _NOTHING if isinf(number) else number

    def order(self, criteria: Criteria, operand: Any) -> Any:
        number = _as_float(operand)
        if isinf(number):
            return self._beyond(criteria, is_above=number > 0)
        return super().order(criteria, number)


class _Decimals(Comparing):
    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.value = type_coerce(column, Numeric())

    def parameter(self, operand: Any) -> Any:
        number = Decimal(str(operand))
        return _NOTHING if number.adjusted() > _LARGEST_EXPONENT else number

    def order(self, criteria: Criteria, operand: Any) -> Any:
        number = self.parameter(operand)
        if number is _NOTHING:
            return self._beyond(criteria, is_above=operand > 0)
        return super().order(criteria, number)


def _as_float(operand: Any) -> float:
    # To a float, 0.1 is the float that is nearest to it; one that is too large is infinite.
    return operand if isinstance(operand, float) else float(str(operand))


class _Instants(Comparing):
    """A date and time; a column without a zone, and any of SQLite's, holds UTC."""

    def operand(self, condition: Condition) -> Any:
        return self.instant(super().operand(condition))

    def instant(self, operand: dt.datetime) -> dt.datetime:
        """Return a time as the column has it."""
        return operand if self.column.type.timezone else operand.replace(tzinfo=None)


class _DaysOfInstants(_Instants):
    """A day over a column of dates and times: it begins at midnight and ends before the next."""

    def operand(self, condition: Condition) -> Any:
        return comparable(condition.field, condition.operand)

    def equal(self, operands: Sequence[Any]) -> Any:
        return or_(
            *(
                self.order(Criteria.GREATER_THAN_OR_EQUAL, day)
                & self.order(Criteria.LESS_THAN_OR_EQUAL, day)
                for day in operands
            )
        )

    def order(self, criteria: Criteria, operand: Any) -> Any:
        starts_after = criteria in (Criteria.GREATER_THAN, Criteria.LESS_THAN_OR_EQUAL)
        if starts_after and operand == dt.date.max:
            return self._beyond(criteria, is_above=True)
        day = operand + _DAY if starts_after else operand
        midnight = self.instant(dt.datetime.combine(day, dt.time(), dt.UTC))
        return self.column >= midnight if criteria in _UPWARDS else self.column < midnight


class _InstantsOfDays(Comparing):
    """An instant compared with a column of days, which are their midnights in UTC."""

    def parameter(self, operand: Any) -> Any:
        return operand.date() if operand.time() == dt.time() else _NOTHING

    def order(self, criteria: Criteria, operand: Any) -> Any:
        return self._step(criteria, operand.date(), is_whole=operand.time() == dt.time())


def comparing(column: Any, field: Field[Any], name: str) -> Comparing:
    """Return how a property compares in its column.

    Raises:
        DeclarationError: the column holds something else than the property.
    """
    decorated = isinstance(column.type, TypeDecorator)
    if is_text(field):
        kind = _decorated_text(column) if decorated else _textual(column, field)
    elif decorated or isinstance(column.type, NullType):
        kind = Comparing(column)  # whoever made the column knows what it compares with
    else:
        kind = _typed(column, field)
    if kind is None:
        raise DeclarationError(
            f"The entry “{name}” is a {type(field).__name__}, but its column is "
            f"{column.type!r}, which does not compare with it; hand in an expression of the right "
            f'type: query.apply(…, columns={{"…": …}}).'
        )
    return kind


def _decorated_text(column: Any) -> Comparing:
    is_string = _python_type(column) is str
    text = type_coerce(column, String()) if is_string else cast(column, String(_LONGEST_TEXT))
    return _DecoratedTexts(column, text)


def _textual(column: Any, field: Field[Any]) -> Comparing | None:
    kind = column.type
    match kind:
        case Enum():
            return _Finite(column, list(kind.enum_class or kind.enums), field)
        case Boolean():
            return _Finite(column, [False, True], field)
        case Uuid():
            return _Uuids(column)
        case String():
            return _Texts(column, column)
        case NullType():
            return _Texts(column, type_coerce(column, String()))
        case LargeBinary() | JSON() | ARRAY():
            return None
    python_type = _python_type(column)
    if python_type is dt.datetime:
        return _Texts(column, TimeText(column))
    if python_type is dt.date:
        return _Texts(column, DayText(column))
    if python_type is Decimal:
        return _Texts(column, DecimalText(column))
    return _Texts(column, cast(column, String(_LONGEST_TEXT)))


def _typed(column: Any, field: Field[Any]) -> Comparing | None:
    python_type = _python_type(column)
    if isinstance(field, fields.Boolean):
        return _Finite(column, [False, True], field) if python_type is bool else None
    if isinstance(field, fields.DateTime):
        is_day = isinstance(field, fields.Date)
        if python_type is dt.datetime:
            return (_DaysOfInstants if is_day else _Instants)(column)
        if python_type is dt.date:
            return Comparing(column) if is_day else _InstantsOfDays(column)
        return None
    kinds = {int: _Integers, float: _Floats, Decimal: _Decimals}
    kind = kinds.get(python_type)
    return kind(column) if kind else None


def _python_type(column: Any) -> Any:
    try:
        return column.type.python_type
    except (AttributeError, NotImplementedError):
        return None
