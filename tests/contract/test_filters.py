"""A filter finds the same records in memory, in SQLite and in PostgreSQL, or is refused."""

import datetime as dt
from decimal import Decimal
from enum import Enum, StrEnum
from uuid import UUID

import pytest
import sqlalchemy as sql
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from atom import Profile, Query, fields
from atom.errors import InvalidRequest
from atom.protocol.query_filter import Criteria, ListFilter


class Size(Enum):
    SMALL = 1
    MEDIUM = 2
    LARGE = 3


class Color(StrEnum):
    RED = "r"
    BLUE = "b"


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "rows"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sql.String)
    note: Mapped[str | None] = mapped_column(sql.Text)
    count: Mapped[int | None] = mapped_column(sql.Integer)
    total: Mapped[int | None] = mapped_column(sql.BigInteger)
    price: Mapped[float | None] = mapped_column(sql.Float)
    cost: Mapped[Decimal | None] = mapped_column(sql.Numeric(10, 2))
    sold: Mapped[bool | None] = mapped_column(sql.Boolean)
    added: Mapped[dt.datetime | None] = mapped_column(sql.DateTime)
    due: Mapped[dt.date | None] = mapped_column(sql.Date)
    tag: Mapped[UUID | None] = mapped_column(sql.Uuid)
    size: Mapped[Size | None] = mapped_column(sql.Enum(Size))
    color: Mapped[Color | None] = mapped_column(
        sql.Enum(Color, values_callable=lambda kind: [member.value for member in kind])
    )
    state: Mapped[str | None] = mapped_column(sql.Enum("new", "Old", "_", name="state"))


class Typed(Profile):
    """Every property as its column is."""

    id = fields.Integer(data_key="ID")
    name = fields.String(data_key="Name")
    note = fields.Content(data_key="Note")
    count = fields.Integer(data_key="Count")
    total = fields.Number(data_key="Total")
    price = fields.Float(data_key="Price")
    cost = fields.Decimal(data_key="Cost")
    sold = fields.Boolean(data_key="Sold")
    added = fields.DateTime(data_key="Added")
    due = fields.Date(data_key="Due")
    tag = fields.UUID(data_key="Tag")
    size = fields.Enum(Size, data_key="Size")
    color = fields.Enum(Color, data_key="Color")
    state = fields.String(data_key="State")


class Textual(Profile):
    """Every property a text, whatever its column is."""

    id = fields.String(data_key="ID")
    name = fields.String(data_key="Name")
    note = fields.Content(data_key="Note")
    count = fields.String(data_key="Count")
    total = fields.Content(data_key="Total")
    cost = fields.String(data_key="Cost")
    sold = fields.String(data_key="Sold")
    added = fields.String(data_key="Added")
    due = fields.String(data_key="Due")
    tag = fields.String(data_key="Tag")
    size = fields.String(data_key="Size")
    color = fields.String(data_key="Color")
    state = fields.String(data_key="State")


class Crossed(Profile):
    """Properties of the nearest other kind."""

    id = fields.Decimal(data_key="ID")
    name = fields.Content(data_key="Name")
    count = fields.Float(data_key="Count")
    total = fields.Decimal(data_key="Total")
    price = fields.Number(data_key="Price")
    cost = fields.Number(data_key="Cost")
    added = fields.Date(data_key="Added")
    due = fields.DateTime(data_key="Due")
    tag = fields.Content(data_key="Tag")
    color = fields.Enum(Color, by_value=fields.String, data_key="Color")


PROFILES = [Typed(), Textual(), Crossed()]

# Few and awkward ones, so that operands and values meet.
texts = st.one_of(
    st.text("aAbBzZäÄßİ%_[]\\/'\"<& \n-10\ufb03\U0001f600", max_size=4),
    st.sampled_from(["%", "_", "a%", "_b", "/_", "[a]", "Ada", "ada"]),
)
small = st.one_of(st.integers(-3, 3), st.sampled_from([-(2**31), 2**31 - 1]))
large = st.one_of(small, st.sampled_from([-(2**63), 2**63 - 1, 2**53 + 1]))
quarters = st.one_of(
    st.integers(-8, 8).map(lambda number: number / 4), st.sampled_from([1e300, -1e300, 0.1])
)
cents = st.integers(-300, 300).map(lambda number: Decimal(number).scaleb(-2))
days = st.one_of(
    st.dates(dt.date(2025, 12, 30), dt.date(2026, 1, 2)),
    st.sampled_from([dt.date.min, dt.date.max]),
)
times = st.sampled_from([dt.time(), dt.time(1, 30), dt.time(23, 0, 0, 5000), dt.time(0, 0, 0, 10)])
instants = st.builds(dt.datetime.combine, days, times)
zones = st.integers(-3, 3).map(lambda hours: dt.timezone(dt.timedelta(hours=hours)))
tags = st.sampled_from(
    [UUID(int=0), UUID(int=2**127), UUID("abcdef01-2345-6789-abcd-ef0123456789")]
)
states = st.sampled_from(["new", "Old", "_"])
VALUES = {
    "name": texts,
    "note": texts,
    "count": small,
    "total": large,
    "price": quarters,
    "cost": cents,
    "sold": st.booleans(),
    "added": instants,
    "due": days,
    "tag": tags,
    "size": st.sampled_from(Size),
    "color": st.sampled_from(Color),
    "state": states,
}
rows = st.lists(
    st.fixed_dictionaries({name: st.one_of(st.none(), kind) for name, kind in VALUES.items()}),
    max_size=6,
).map(lambda records: [{"id": number, **record} for number, record in enumerate(records, 1)])

operands = st.one_of(
    st.none(),
    texts,
    large.map(str),
    quarters.map(str),
    cents.map(str),
    days.map(str),
    instants.map(str),
    st.builds(lambda at, zone: at.replace(tzinfo=zone).isoformat(), instants, zones),
    tags.map(str),
    tags.map(lambda tag: str(tag).upper()),
    tags.map(lambda tag: str(tag)[2:12]),
    states,
    st.sampled_from(["SMALL", "Size.SMALL", "ed", "RED", "r", "True", "true", "FALSE", "", " "]),
    st.sampled_from(["0.5", "1e400", "-1e400", "1e25", "9223372036854775808", "+1.0", "1e-400"]),
    st.sampled_from(["2147483648", "-2147483649", "0.105", "NaN", "Infinity", "٣"]),
)
COLUMNS = [*(each.data_key for each in Typed().fields.values()), "Missing"]
columns = st.sampled_from(COLUMNS)
conditions = st.fixed_dictionaries(
    {
        "columnName": columns,
        "criteriaType": st.sampled_from(sorted(Criteria)),
        "contentValue": operands,
    }
)


def groups(inner):
    return st.fixed_dictionaries(
        {
            "comparisonType": st.sampled_from(["AND", "OR", "or", "", None]),
            "where": st.lists(conditions, max_size=3),
            "listFilters": inner,
        }
    )


trees = groups(
    st.recursive(st.just([]), lambda inner: st.lists(groups(inner), max_size=2), max_leaves=3)
)
orders = st.fixed_dictionaries(
    {"columnName": columns, "direction": st.sampled_from(["ASC", "DESC", None])}
)
pages = st.fixed_dictionaries(
    {
        "limit": st.one_of(st.none(), st.integers(0, 3)),
        "offset": st.integers(0, 2),
        "orderBy": st.lists(orders, max_size=2),
        "search": st.one_of(st.none(), texts, operands),
        "searchCriteria": st.lists(columns.map(lambda name: {"columnName": name}), max_size=2),
    }
)
filters = st.builds(lambda tree, page: {**tree, **page}, trees, pages)
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def broken(draw):
    """A filter with junk somewhere in it."""
    document = draw(filters)
    place = draw(st.sampled_from([*document, "id", "filterByProvidedObjects", "unheard of"]))
    document[place] = draw(junk)
    condition = {**draw(conditions), "value": draw(operands), "objectData": None}
    condition[draw(st.sampled_from(list(condition)))] = draw(junk)
    return {**document, "where": [condition]} if draw(st.booleans()) else document


@pytest.fixture(scope="module")
def engines(postgres_server):
    postgres_server.clear()
    url = postgres_server.url.replace("postgresql:", "postgresql+psycopg:")
    engines = [sql.create_engine("sqlite://"), sql.create_engine(url)]
    for engine in engines:
        Base.metadata.create_all(engine)
    yield engines
    for engine in engines:
        engine.dispose()


def one(column, criteria, operand):
    return {"where": [{"columnName": column, "criteriaType": criteria, "contentValue": operand}]}


def by(column, direction="ASC"):
    return {"orderBy": [{"columnName": column, "direction": direction}]}


def check(engines, rows, document):
    """Answer a filter everywhere, by every profile; return how many could be answered."""
    rows = [{**dict.fromkeys(VALUES), **row} for row in rows]
    queries, refusals = [], []
    for profile in PROFILES:
        try:
            queries.append(Query.load(profile, ListFilter.read(document)))
        except InvalidRequest as error:
            refusals.append(str(error))
    assert all(refusal.startswith(("listFilter", "orderBy")) for refusal in refusals), refusals
    pages = [query.page(rows) for query in queries]
    for query in queries:
        query.to_xml()
    for engine in engines if queries else ():
        with Session(engine) as session:
            if rows:
                session.execute(sql.insert(Row), rows)
            for query, page in zip(queries, pages, strict=True):
                stored = session.scalars(query.apply(sql.select(Row), Row)).all()
                cut = query.cut(stored)
                ids = [row.id for row in cut.rows]
                assert ids == [row["id"] for row in page.rows], engine.dialect.name
                assert cut.has_more == page.has_more
                # What came out of the database matches as what went into it.
                assert all(query.matches(row) for row in stored)
    return len(queries)


NAMES = ["Zoe", "ada", "Ada", "äpfel", "_x", "10", "9", "Ä", "\U0001f600", "\ufb03", None, ""]
NAMED = [{"id": number, "name": name} for number, name in enumerate(NAMES, 1)]
DAY = dt.date(2026, 1, 2)
DATED = [
    {"id": 1, "added": dt.datetime.combine(DAY, dt.time(23)), "due": DAY},
    {"id": 2, "added": dt.datetime.combine(DAY, dt.time()), "due": dt.date(2026, 1, 3)},
    {"id": 3, "added": dt.datetime.combine(dt.date(2026, 1, 3), dt.time())},
]
UNEVEN = "2026-01-02T10:30:00Z"


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(rows=rows, document=filters)
@example(rows=NAMED, document=by("Name"))
@example(rows=NAMED, document=by("Name", "DESC"))
@example(rows=NAMED, document=one("Name", "GREATER_THAN", "Z"))
@example(rows=NAMED, document=one("Name", "CONTAINS", "Ä"))
@example(rows=NAMED, document=one("Name", "EQUAL", "ada"))
@example(rows=[{"id": 1, "count": 1}], document=one("Count", "LESS_THAN", "2147483648"))
@example(rows=[{"id": 1, "count": 1}], document=one("Count", "GREATER_THAN", "0.5"))
@example(rows=[{"id": 1, "total": 2**63 - 1}], document=one("Total", "LESS_THAN", str(2**63)))
@example(rows=[{"id": 1, "price": 1e300}], document=one("Price", "LESS_THAN", "1e400"))
@example(rows=[{"id": 1, "cost": Decimal("0.10")}], document=one("Cost", "EQUAL", "0.1"))
@example(rows=[{"id": 1, "cost": Decimal("0.10")}], document=one("Cost", "LESS_THAN", "1e400"))
@example(rows=[{"id": 1, "size": Size.SMALL}, {"id": 2, "size": Size.LARGE}], document=by("Size"))
@example(rows=[{"id": 1, "color": Color.RED}], document=one("Color", "CONTAINS", "E"))
@example(rows=[{"id": 1, "tag": UUID(int=10)}], document={"search": "0A"})
@example(rows=DATED, document=one("Due", "GREATER_THAN_OR_EQUAL", UNEVEN))
@example(rows=DATED, document=one("Added", "EQUAL", "2026-01-02"))
@example(rows=DATED, document=one("Added", "LESS_THAN_OR_EQUAL", "9999-12-31"))
@example(rows=DATED, document=one("Added", "EQUAL", "0001-01-01T00:00:00+03:00"))
@example(rows=DATED, document=by("Added", "DESC"))
@example(rows=DATED, document={"search": "-02 23:00"})
def test_filter_finds_the_same_everywhere_or_is_refused(engines, rows, document):
    check(engines, rows, document)


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(document=broken())
def test_filter_with_junk_in_it_is_answered_or_refused(engines, document):
    check(engines, NAMED[:2], document)


@pytest.mark.parametrize("column", COLUMNS[:-1])
@pytest.mark.parametrize("criteria", [*Criteria, "search", "order"])
def test_every_criterion_is_possible_over_every_column_as_text(engines, column, criteria):
    row = dict.fromkeys(("name", "note"), "x")
    row |= {"count": 1, "total": 10, "cost": Decimal("1.50"), "sold": True, "price": 1.5}
    row |= {"added": DATED[0]["added"], "due": DAY, "tag": UUID(int=16)}
    row |= {"size": Size.LARGE, "color": Color.BLUE, "state": "new"}
    document = {"search": "1", "searchCriteria": [{"columnName": column}]}
    if criteria == "order":
        document = by(column)
    elif criteria != "search":
        document = one(column, criteria, "1")
    rows = [{"id": 1, **row}, {"id": 2}]
    assert check(engines, rows, document) >= (column != "Price")


class Moment(Base):
    __tablename__ = "moments"

    id: Mapped[int] = mapped_column(primary_key=True)
    seen: Mapped[dt.datetime] = mapped_column(sql.DateTime(timezone=True))
    price: Mapped[float] = mapped_column(sql.Float)


class MomentAsTexts(Profile):
    seen = fields.String(data_key="Seen")
    price = fields.String(data_key="Price")


@pytest.mark.parametrize(
    ("search", "count"), [("2026-01-02 22:00:00", 1), ("1.5", 1), ("23:00", 0), ("2.5", 0)]
)
def test_text_of_a_time_is_in_utc(engines, search, count):
    zone = dt.timezone(dt.timedelta(hours=1))
    seen = dt.datetime(2026, 1, 2, 23, tzinfo=zone)
    query = Query.load(MomentAsTexts(), ListFilter.read({"search": search}))
    for engine in engines:
        with Session(engine) as session:
            session.add(Moment(id=1, seen=seen.astimezone(dt.UTC), price=1.5))
            session.flush()
            rows = session.scalars(query.apply(sql.select(Moment), Moment)).all()
            assert len(rows) == count, engine.dialect.name


def test_provided_objects_are_found_by_keys_of_any_kind(engines):
    rows = [
        {
            "id": number,
            "name": f"N{number}",
            "tag": UUID(int=number),
            "cost": Decimal(f"{number}.00"),
        }
        for number in range(1, 6)
    ]
    for column, values in {
        "ID": ["2", "4", "9223372036854775808"],
        "Name": ["N2", "n3", "N4"],
        "Tag": [str(UUID(int=2)), str(UUID(int=4)), str(UUID(int=9))],
        "Cost": ["2", "4.00", "4.001"],
    }.items():
        where = [
            {"columnName": column, "criteriaType": "EQUAL", "contentValue": value}
            for value in [*values, None]
        ]
        assert check(engines, rows, {"comparisonType": "OR", "where": where}) >= 1
        assert check(engines, rows, {"comparisonType": "OR", "where": where[:1] * 400}) >= 1
