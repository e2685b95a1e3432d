"""The columns behind the properties of a type, and a filter and its order in SQL.

`atom.conditions` says what a condition means.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, inspect, or_

from atom.conditions import Condition, Group, Sort
from atom.errors import DeclarationError
from atom.protocol.query_filter import Comparison, Criteria
from atom.sql.comparing import Comparing, comparing
from atom.sql.elements import Ascending, Descending


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

    def condition(self, condition: Condition | Group) -> Any:
        """Return the SQL expression of a condition, or of a group that is not empty."""
        if isinstance(condition, Condition):
            return self._comparing(condition).condition(condition)
        if condition.comparison is Comparison.AND:
            return and_(*map(self.condition, condition.members))
        return or_(*self._alternatives(condition.members))

    def order(self, order_by: Sequence[Sort]) -> Iterator[Any]:
        """Yield the terms of ORDER BY; the primary key comes last, so that pages never overlap.

        No column comes twice, which SQL Server refuses.
        """
        # The first of several with one attribute decides.
        first = {sort.attribute: sort for sort in reversed(order_by)}
        sorts = [sort for sort in order_by if first[sort.attribute] is sort]
        for sort in sorts:
            term = self._comparing(sort).term
            yield Descending(term) if sort.descending else Ascending(term)
        columns = [self[sort.attribute].expression for sort in sorts]
        mapper = inspect(self._model).mapper
        for key in mapper.primary_key:
            if not any(key.shares_lineage(column) for column in columns):
                yield getattr(self._model, mapper.get_property_by_column(key).key)

    def _comparing(self, part: Condition | Sort) -> Comparing:
        return comparing(self[part.attribute], part.field, part.name)

    def _alternatives(self, members: Sequence[Condition | Group]) -> Iterator[Any]:
        """Yield the members of an OR; the values that one column may equal make one of them."""
        equalities: dict[str, list[Condition]] = {}
        for member in members:
            if isinstance(member, Condition) and member.criteria is Criteria.EQUAL:
                equalities.setdefault(member.attribute, []).append(member)
            else:
                yield self.condition(member)
        for conditions in equalities.values():
            yield self._comparing(conditions[0]).any_of(conditions)
