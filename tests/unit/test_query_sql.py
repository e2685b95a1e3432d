"""A filter finds the same records, in the same order, in memory and in a database."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
import sqlalchemy
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    TypeDecorator,
    Uuid,
    cast,
    create_engine,
    delete,
    insert,
    select,
)
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column

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


TEXT_CRITERIA = {Criteria.CONTAINS, Criteria.STARTS_WITH, Criteria.ENDS_WITH}
POSSIBLE = {
    **{column: set(Criteria) - TEXT_CRITERIA for column in OPERANDS},
    **{column: set(Criteria) for column in TEXTUAL},
    "Sold": {Criteria.EQUAL, Criteria.NOT_EQUAL, Criteria.IS_EMPTY},
}


@st.composite
def conditions(draw):
    column = draw(st.sampled_from(sorted(OPERANDS)))
    criteria = draw(st.sampled_from(sorted(POSSIBLE[column])))
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
    assert "drop" not in text.lower()
    assert "canary" not in text
    assert "%'; drop table rows; --%" in statement.compile().params.values()


class Size(Enum):
    SMALL = 1
    LARGE = 2


class Label(TypeDecorator):
    """A text that is stored in capitals."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value and value.upper()


class Wide(Base):
    __tablename__ = "wide"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(50))
    tag: Mapped[UUID | None] = mapped_column(Uuid)
    old_tag: Mapped[UUID | None] = mapped_column(Uuid(native_uuid=False))
    size: Mapped[Size | None] = mapped_column(sqlalchemy.Enum(Size))
    cost: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    sold: Mapped[bool | None] = mapped_column(Boolean)
    added: Mapped[dt.datetime | None] = mapped_column(DateTime)
    seen: Mapped[dt.datetime | None] = mapped_column(DateTime(timezone=True))
    due: Mapped[dt.date | None] = mapped_column(Date)
    label: Mapped[str | None] = mapped_column(Label)
    content: Mapped[bytes | None] = mapped_column(LargeBinary)


def texts_of(model):
    """A profile that has every column as a text."""
    names = [name for name in vars(model) if name in model.__table__.c and name != "content"]
    return Profile.from_dict({name: fields.String() for name in names})()


DIALECTS = {
    each.__name__.rpartition(".")[2]: each for each in (sqlite, postgresql, oracle, mysql, mssql)
}
DIALECTS["mariadb"] = mysql


def compiled(statement, name):
    dialect = DIALECTS[name].dialect(**({"is_mariadb": True} if name == "mariadb" else {}))
    return " ".join(str(statement.compile(dialect=dialect)).replace("`", "").split())


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("criteria", [*Criteria, "search", "order"])
@pytest.mark.parametrize("profile", [texts_of(Wide), THING], ids=["texts", "typed"])
def test_statement_is_in_the_language_of_the_database(name, criteria, profile):
    columns = [field.data_key or key for key, field in profile.fields.items()]
    document = {"search": "x", "limit": 2, "offset": 4}
    if criteria == "order":
        order = [
            {"columnName": column, "direction": direction}
            for column in columns
            for direction in ("DESC", "ASC")
        ]
        document = {"orderBy": order, "limit": 2, "offset": 4}
    elif criteria != "search":
        texts = {"Due": "2026-01-02", "Added": "2026-01-02T03:04:05Z", "Sold": "true"}
        where = [
            {"columnName": column, "criteriaType": criteria, "contentValue": value}
            for column in columns
            if criteria in POSSIBLE.get(column, Criteria)
            for value in (texts.get(column, "1"), None)
        ]
        document = {"comparisonType": "OR", "where": where}
    model = Row if profile is THING else Wide
    query = Query.load(profile, ListFilter.read(document))
    text = compiled(query.apply(select(model), model), name)
    if name in ("mysql", "mariadb", "mssql"):
        assert "NULLS" not in text
    if name in ("postgresql", "oracle") and criteria == "order":
        assert text.count("DESC NULLS LAST") == len(columns)
        assert "ASC NULLS" not in text  # the first order of a column decides
    if criteria == "order":
        assert text.count(f"{model.__tablename__}.id", text.index("ORDER BY")) == 1
    collation = {
        "sqlite": "COLLATE BINARY",
        "postgresql": 'COLLATE "C"',
        "oracle": "NLS_SORT=BINARY",
        "mssql": "COLLATE Latin1_General_100_BIN2",
    }.get(name, "COLLATE utf8mb4_bin")
    if criteria in ("order", Criteria.GREATER_THAN):
        assert collation in text


def test_bracket_is_no_wildcard_to_sql_server():
    query = Query.load(THING, ListFilter.read(one("Name", "CONTAINS", "[a]_")))
    statement = query.apply(select(Row), Row)
    assert "LIKE REPLACE(" in compiled(statement, "mssql")
    assert "REPLACE" not in compiled(statement, "oracle")
    assert "%[a]/_%" in statement.compile().params.values()


def test_equality_in_postgresql_uses_an_index():
    query = Query.load(THING, ListFilter.read(one("Name", "EQUAL", "x")))
    text = compiled(query.apply(select(Row), Row), "postgresql")
    assert text.endswith("WHERE rows.name = %(param_1)s::VARCHAR ORDER BY rows.id")


def test_values_that_a_column_may_equal_are_one_list():
    where = [one("Name", "EQUAL", str(number))["where"][0] for number in range(900)]
    many = {"comparisonType": "OR", "where": where[:500]}
    query = Query.load(THING, ListFilter.read(many))
    assert compiled(query.apply(select(Row), Row), "sqlite").count(" IN (") == 1


def test_columns_own_type_decides_what_equals():
    query = Query.load(texts_of(Wide), ListFilter.read(one("label", "EQUAL", "abc")))
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.execute(insert(Wide), [{"label": "abc"}, {"label": "abcd"}])
        assert [row.label for row in session.scalars(query.apply(select(Wide), Wide))] == ["ABC"]
    engine.dispose()


@pytest.mark.parametrize(
    ("field", "column"),
    [
        *((fields.Number, each) for each in ("name", "sold", "due", "tag", "content")),
        *((fields.DateTime, each) for each in ("name", "id", "cost")),
        *((fields.Date, each) for each in ("name", "id")),
        *((fields.Boolean, each) for each in ("name", "id")),
        (fields.String, "content"),
    ],
)
def test_entry_of_another_kind_than_its_column_is_named(field, column):
    profile = Profile.from_dict({column: field(data_key="The Entry")})()
    query = Query.load(profile, ListFilter.read({"orderBy": [{"columnName": "The Entry"}]}))
    with pytest.raises(DeclarationError, match=r"The entry “The Entry” is a .* hand in an expr"):
        query.apply(select(Wide), Wide)


def test_expression_may_stand_in_for_a_column():
    profile = Profile.from_dict({"name": fields.Integer()})()
    query = Query.load(profile, ListFilter.read(one("name", "GREATER_THAN", "5")))
    statement = query.apply(select(Wide), Wide, {"name": cast(Wide.name, Integer)})
    assert "CAST(wide.name AS INTEGER) > " in str(statement)


def test_model_may_be_an_alias():
    alias = aliased(Wide)
    profile = texts_of(Wide)
    query = Query.load(profile, ListFilter.read({"orderBy": [{"columnName": "name"}]}))
    text = str(query.apply(select(alias), alias))
    assert "wide_1.name ASC, wide_1.id" in text


def test_queries_in_memory_need_no_sqlalchemy():
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from atom import Profile, fields, testing\n"
        "P = Profile.from_dict({'a': fields.String()})\n"
        "assert testing.query(P, {'search': 'x'}).page([{'a': 'X'}]).rows\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_entry_without_a_column_is_named_and_may_be_handed_in():
    class Titled(Profile):
        title = fields.String(data_key="Title")

    query = Query.load(Titled(), ListFilter.read(one("Title", "EQUAL", "x")))
    with pytest.raises(DeclarationError, match=r"no column “title” .* columns="):
        query.apply(select(Row), Row)
    statement = query.apply(select(Row), Row, {"title": Row.name})
    assert "rows.name = :param_1" in str(statement)
