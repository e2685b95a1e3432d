"""A filter finds the same records, in the same order, in memory and in a database."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    String,
    Text,
    create_engine,
    delete,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from atom import Profile, Query, fields
from atom.errors import DeclarationError
from atom.protocol.query_filter import Criteria, ListFilter


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "rows"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String)
    note: Mapped[str | None] = mapped_column(Text)
    count: Mapped[int | None] = mapped_column(Integer)
    price: Mapped[float | None] = mapped_column(Float)
    sold: Mapped[bool | None] = mapped_column(Boolean)
    added: Mapped[dt.datetime | None] = mapped_column(DateTime)
    due: Mapped[dt.date | None] = mapped_column(Date)


class Thing(Profile):
    id = fields.Integer(data_key="ID")
    name = fields.String(data_key="Name")
    note = fields.Content(data_key="Note")
    count = fields.Integer(data_key="Count")
    price = fields.Number(data_key="Price")
    sold = fields.Boolean(data_key="Sold")
    added = fields.DateTime(data_key="Added")
    due = fields.Date(data_key="Due")


THING = Thing()
TEXTUAL = ("Name", "Note")

# Few and awkward ones, so that operands and values meet.
texts = st.one_of(
    st.text("aAbBzZäÄßİ%_\\/'\"<& \n", max_size=4), st.sampled_from(["%", "_", "a%", "_b", "/_"])
)
whole = st.one_of(st.integers(-3, 3), st.sampled_from([-(2**63), 2**63 - 1, 2**53 + 1]))
quarters = st.one_of(
    st.integers(-8, 8).map(lambda number: number / 4), st.sampled_from([1e300, -1e300, 0.1])
)
days = st.dates(dt.date(2025, 12, 30), dt.date(2026, 1, 2))
instants = st.builds(
    dt.datetime.combine, days, st.sampled_from([dt.time(), dt.time(1, 30), dt.time(23, 0, 0, 5000)])
)
zones = st.integers(-3, 3).map(lambda hours: dt.timezone(dt.timedelta(hours=hours)))

VALUES = {
    "name": texts,
    "note": texts,
    "count": whole,
    "price": quarters,
    "sold": st.booleans(),
    "added": instants,
    "due": days,
}
numbers = st.one_of(
    whole.map(str),
    quarters.map(lambda number: str(Decimal(str(number)))),
    st.sampled_from(["0.5", "1e400", "-1e400", "1e25", "9223372036854775808", "+1.0"]),
)
OPERANDS = {
    "Name": texts,
    "Note": texts,
    "ID": st.integers(0, 9).map(str),
    "Count": whole.map(str),
    "Price": numbers,
    "Sold": st.sampled_from(["true", "False"]),
    "Added": st.one_of(
        st.builds(lambda at, zone: at.replace(tzinfo=zone).isoformat(), instants, zones),
        instants.map(dt.datetime.isoformat),
    ),
    "Due": days.map(dt.date.isoformat),
}


@st.composite
def conditions(draw):
    column = draw(st.sampled_from(sorted(OPERANDS)))
    possible = set(Criteria)
    if column not in TEXTUAL:
        possible -= {Criteria.CONTAINS, Criteria.STARTS_WITH, Criteria.ENDS_WITH}
    if column == "Sold":
        possible &= {Criteria.EQUAL, Criteria.NOT_EQUAL, Criteria.IS_EMPTY}
    criteria = draw(st.sampled_from(sorted(possible)))
    operand = draw(OPERANDS[column])
    if criteria is Criteria.IS_EMPTY:
        operand = draw(st.sampled_from([None, "true", "false", "FALSE"]))
    elif criteria in (Criteria.EQUAL, Criteria.NOT_EQUAL):
        operand = draw(st.one_of(st.none(), st.just(operand)))
    return {"columnName": column, "criteriaType": criteria, "contentValue": operand}


def groups(inner):
    return st.fixed_dictionaries(
        {
            "comparisonType": st.sampled_from(["AND", "OR", "or", "", None]),
            "where": st.lists(conditions(), max_size=3),
            "listFilters": inner,
        }
    )


trees = groups(
    st.recursive(st.just([]), lambda inner: st.lists(groups(inner), max_size=2), max_leaves=4)
)
pages = st.fixed_dictionaries(
    {
        "limit": st.one_of(st.none(), st.integers(0, 3)),
        "offset": st.integers(0, 2),
        "orderBy": st.lists(
            st.fixed_dictionaries(
                {
                    "columnName": st.sampled_from(sorted(OPERANDS)),
                    "direction": st.sampled_from(["ASC", "DESC", None]),
                }
            ),
            max_size=2,
        ),
        "search": st.one_of(st.none(), texts),
        "searchCriteria": st.lists(
            st.sampled_from(TEXTUAL).map(lambda name: {"columnName": name}), max_size=2
        ),
    }
)
filters = st.builds(lambda tree, page: {**tree, **page}, trees, pages)
rows = st.lists(
    st.fixed_dictionaries({name: st.one_of(st.none(), values) for name, values in VALUES.items()}),
    max_size=8,
).map(lambda found: [{"id": number, **each} for number, each in enumerate(found, 1)])


@pytest.fixture(scope="module")
def engine():
    made = create_engine("sqlite://")
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def one(column, criteria, operand):
    return {"where": [{"columnName": column, "criteriaType": criteria, "contentValue": operand}]}


@settings(max_examples=600, deadline=None)
@given(rows=rows, asked=filters)
@example(rows=[{"id": 1, "name": "50% off"}], asked=one("Name", "CONTAINS", "0%"))
@example(rows=[{"id": 1, "name": "a_b/c"}], asked=one("Name", "STARTS_WITH", "A_B/"))
@example(rows=[{"id": 1, "name": "50 off"}], asked=one("Name", "CONTAINS", "0%"))
@example(rows=[{"id": 1, "name": "axb"}], asked=one("Name", "STARTS_WITH", "a_"))
@example(rows=[{"id": 1, "name": None}], asked=one("Name", "NOT_EQUAL", "x"))
@example(rows=[{"id": 1, "count": 2**53 + 1}], asked=one("Count", "EQUAL", str(2**53)))
@example(rows=[{"id": 1, "price": 0.1}], asked=one("Price", "EQUAL", "0.1"))
@example(rows=[{"id": 1, "price": -1e300}], asked=one("Price", "NOT_EQUAL", "-1E+300"))
@example(rows=[{"id": 1, "price": 1e300}], asked=one("Price", "LESS_THAN", "1e400"))
def test_in_memory_and_in_sqlite_a_filter_finds_the_same(engine, rows, asked):
    rows = [{**dict.fromkeys(VALUES), **each} for each in rows]
    query = Query.load(THING, ListFilter.read(asked))
    with Session(engine) as session:
        session.execute(delete(Row))
        if rows:
            session.execute(insert(Row), rows)
        found = session.scalars(query.apply(select(Row), Row)).all()
        page = query.cut(found)
        expected = query.page(rows)
        assert [each.id for each in page.rows] == [each["id"] for each in expected.rows]
        assert page.has_more == expected.has_more
        # What came out of the database matches as what went into it.
        assert all(query.matches(each) for each in found)


def test_values_are_bound_never_written_into_the_statement():
    asked = one("Name", "CONTAINS", "'; DROP TABLE rows; --") | {"search": "canary", "limit": 7}
    statement = Query.load(THING, ListFilter.read(asked)).apply(select(Row), Row)
    text = str(statement)
    assert "DROP" not in text
    assert "canary" not in text
    assert "'; DROP TABLE rows; --" in statement.compile().params.values()


def test_the_statement_compiles_for_postgresql():
    asked = {
        "where": [
            {"columnName": "Count", "criteriaType": "NOT_EQUAL", "contentValue": "1"},
            {"columnName": "Name", "criteriaType": "ENDS_WITH", "contentValue": "x%"},
        ],
        "orderBy": [{"columnName": "Due", "direction": "DESC"}],
        "limit": 2,
        "offset": 4,
    }
    statement = Query.load(THING, ListFilter.read(asked)).apply(select(Row), Row)
    text = str(statement.compile(dialect=postgresql.dialect()))
    assert "IS DISTINCT FROM" in text
    assert "DESC NULLS LAST, rows.id" in text
    assert "ILIKE" in text or "LIKE" in text


def test_an_entry_without_a_column_is_named_and_may_be_handed_in():
    class Titled(Profile):
        title = fields.String(data_key="Title")

    query = Query.load(Titled(), ListFilter.read(one("Title", "EQUAL", "x")))
    with pytest.raises(DeclarationError, match=r"no column “title” .* columns="):
        query.apply(select(Row), Row)
    statement = query.apply(select(Row), Row, {"title": Row.name})
    assert "rows.name = :name_1" in str(statement)
