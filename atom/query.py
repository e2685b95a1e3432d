"""What a flow wants of a type's records: a tree of conditions, an order and a page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from marshmallow import ValidationError
from marshmallow.fields import Field, List, Nested

from atom import fields
from atom.conditions import ORDERINGS, TEXT_MATCHES, Condition, Group, Sort, is_text
from atom.errors import InvalidRequest
from atom.profile import Profile
from atom.protocol.query_filter import (
    Comparison,
    Criteria,
    ListFilter,
    WireCondition,
    WireGroup,
    query_filter_xml,
)
from atom.protocol.wire import problems, sentence


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the records that were asked for, and whether there are more behind them."""

    rows: list[Any]
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """The filter, order and page that a flow asks for."""

    where: Group = field(default_factory=Group)
    order_by: tuple[Sort, ...] = ()
    limit: int | None = None
    offset: int = 0
    search: str | None = None
    search_in: tuple[str, ...] = ()  # attributes
    _profile: Profile = field(default_factory=Profile, repr=False)
    _found: Group = field(default_factory=Group, repr=False)  # the search as conditions

    @classmethod
    def load(cls, profile: Profile, asked: ListFilter, among: Group | None = None) -> "Query":
        """Type a list filter by the profile of the records it is about.

        Args:
            profile: of the records.
            asked: the list filter of the request.
            among: a further condition that every record has to meet.

        Raises:
            InvalidRequest: a property does not exist or cannot be compared so, or an operand is
                no value for it; the sentence names it.
        """
        loader = _Loader(profile)
        where = loader.group(asked.where)
        if among is not None:
            where = Group(Comparison.AND, (among, where) if where.members else (among,))
        text = (asked.search or "").strip() or None
        found = loader.search(text, asked.search_columns) if text else Group()
        return cls(
            where,
            tuple(loader.sort(*each) for each in asked.order_by),
            asked.limit,
            asked.offset,
            text,
            tuple(each.attribute for each in found.members if isinstance(each, Condition)),
            profile,
            found,
        )

    def to_xml(self) -> str:
        """Write the query as the QueryFilter text that the platform hands to its query processes.

        A search, which that text has no word for, stands in it as an `or` of CONTAINS.
        """
        where = self.where
        if self._found.members:
            members = (where, self._found) if where.members else (self._found,)
            where = Group(Comparison.AND, members)
        return query_filter_xml(
            _on_the_wire(where), [(each.name, each.descending) for each in self.order_by]
        )

    def matches(self, row: Any) -> bool:
        """Return whether a record (a dict, or an object with attributes) is asked for."""
        return self.where.matches(self._profile, row) and self._found.matches(self._profile, row)

    def page(self, rows: Iterable[Any]) -> Page:
        """Filter, sort and cut records in memory."""
        found = [row for row in rows if self.matches(row)]
        for each in reversed(self.order_by):
            found.sort(key=each.key(self._profile), reverse=each.descending)
        return self.cut(found[self.offset :])

    def cut(self, rows: Sequence[Any]) -> Page:
        """Cut the page from records that are filtered, sorted and past the offset already."""
        if self.limit is None:
            return Page(list(rows))
        return Page(list(rows[: self.limit]), len(rows) > self.limit)

    def apply(self, statement: Any, model: Any, columns: Mapping[str, Any] | None = None) -> Any:
        """Put filter, order and page into a SQLAlchemy 2 `select` of a mapped class.

        It asks for one record more than the limit: return them all, and the flow gets the page
        and hears that there are more.

        Args:
            statement: the select.
            model: the mapped class; its primary key comes last in the order.
            columns: for entries whose attribute the class has under another name.

        Raises:
            DeclarationError: an entry that the flow asks for has no column.
        """
        # Whoever has a statement has SQLAlchemy; nobody else needs it.
        found = import_module("atom.sql").Columns(model, columns)
        for group in (self.where, self._found):
            if group.members:
                statement = statement.where(found.condition(group))
        statement = statement.order_by(*found.order(self.order_by))
        if self.limit is not None:
            statement = statement.limit(self.limit + 1)
        return statement.offset(self.offset) if self.offset else statement


ALL: Final = Query()


def _on_the_wire(group: Group) -> WireGroup:
    return WireGroup(
        group.comparison,
        tuple(
            _on_the_wire(each)
            if isinstance(each, Group)
            else WireCondition(each.name, each.criteria, each.text, "")
            for each in group.members
        ),
    )


class _Loader:
    """Types the parts of a list filter by a profile."""

    def __init__(self, profile: Profile) -> None:
        self._fields: dict[str, tuple[str, Field[Any]]] = {
            each.data_key or name: (each.attribute or name, each)
            for name, each in profile.fields.items()
        }

    def group(self, asked: WireGroup) -> Group:
        """Type a group; a condition without a value, and a group of nothing, are left out."""
        members: list[Condition | Group] = []
        for each in asked.members:
            if isinstance(each, WireGroup):
                group = self.group(each)
                members += [group] if group.members else []
            else:
                condition = self._condition(each)
                members += [] if condition is None else [condition]
        return Group(asked.comparison, tuple(members))

    def sort(self, name: str, descending: bool) -> Sort:
        attribute, declared = self._property(name, "listFilter.orderBy")
        return Sort(name, attribute, descending, declared)

    def search(self, text: str, names: Sequence[str]) -> Group:
        """Return the search as conditions, of which any has to be met."""
        members = tuple(
            Condition(name, attribute, Criteria.CONTAINS, text, text, declared)
            for name, attribute, declared in self._searched(names)
        )
        return Group(Comparison.OR, members)

    def _searched(self, names: Sequence[str]) -> Iterator[tuple[str, str, Field[Any]]]:
        """Yield the properties that are named, else every text."""
        for name in names:
            attribute, declared = self._property(name, "listFilter.searchCriteria")
            if not is_text(declared):
                raise InvalidRequest(
                    f"listFilter.searchCriteria: “{name}” is no text to search in."
                )
            yield name, attribute, declared
        if not names:
            for name, (attribute, declared) in self._fields.items():
                if not _refusal(declared) and is_text(declared):
                    yield name, attribute, declared

    def _property(self, name: str, where: str) -> tuple[str, Field[Any]]:
        if name not in self._fields:
            known = ", ".join(self._fields)
            raise InvalidRequest(
                sentence(f"{where}: there is no property “{name}”; there are: {known}.")
            )
        attribute, declared = self._fields[name]
        refusal = _refusal(declared)
        if refusal:
            raise InvalidRequest(
                f"{where}: “{name}” is {refusal}, which nothing can be compared with."
            )
        return attribute, declared

    def _condition(self, asked: WireCondition) -> Condition | None:
        """Type a condition; None if it has no value to compare with.

        An empty search field sends no value, and restricts nothing. EQUAL and NOT_EQUAL are kept:
        a flow that loads the records “of this person” must not load all of them for nobody.
        """
        attribute, declared = self._property(asked.column, f"{asked.where}.columnName")
        textual = is_text(declared)
        criteria, text = asked.criteria, asked.operand
        if criteria is Criteria.IS_EMPTY:
            wanted = (text or "").strip().lower() != "false"
            return Condition(asked.column, attribute, criteria, wanted, text, declared)
        misfit = (criteria in TEXT_MATCHES and not textual) or (
            criteria in ORDERINGS and isinstance(declared, fields.Boolean)
        )
        if misfit:
            kind = type(declared).__name__
            raise InvalidRequest(
                f"{asked.where}.criteriaType: {criteria} is not possible for “{asked.column}”, "
                f"a {kind}."
            )
        if criteria in (Criteria.EQUAL, Criteria.NOT_EQUAL):
            has_value = text is not None and (textual or text.strip() != "")
        elif text and (textual or text.strip()):
            has_value = True
        else:
            return None
        operand = self._operand(declared, asked) if has_value else None
        return Condition(asked.column, attribute, criteria, operand, text, declared)

    @staticmethod
    def _operand(declared: Field[Any], asked: WireCondition) -> Any:
        if is_text(declared) and asked.criteria in TEXT_MATCHES:
            return asked.operand  # a part of a value need not be one
        try:
            return declared.deserialize(asked.operand)
        except ValidationError as error:
            if isinstance(declared, fields.String | fields.Content):
                return asked.operand  # a validator speaks of what is stored, not of what is sought
            found = "; ".join(problems(error.messages))
            raise InvalidRequest(
                sentence(f"{asked.where}.contentValue for “{asked.column}”: {found}.")
            ) from None


def _refusal(declared: Field[Any]) -> str | None:
    if isinstance(declared, fields.Password | fields.Encrypted):
        return "a secret"
    return "a structure" if isinstance(declared, Nested | List) else None
