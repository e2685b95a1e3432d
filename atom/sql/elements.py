"""SQL expressions that databases spell differently: texts by code point, and their order.

SQLite and PostgreSQL are tested for what they answer. For Oracle, MySQL, MariaDB and SQL Server it
is tested that the statement is in their language. Any other database gets standard SQL.
"""

import string
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import ColumnElement, String, case, cast, func, literal, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

_MYSQL: Final = ("mysql", "mariadb")
# By code point, whatever the locale of the database.
_COLLATIONS: Final = {
    "sqlite": "BINARY",
    "postgresql": '"C"',
    "mssql": "Latin1_General_100_BIN2",
    **dict.fromkeys(_MYSQL, "utf8mb4_bin"),
}
# Databases to which NULL is the lowest value; PostgreSQL and Oracle have it highest.
_NULL_IS_LOWEST: Final = ("sqlite", "mssql", *_MYSQL)
_NULL_IS_HIGHEST: Final = ("postgresql", "oracle")
_SECONDS: Final = 19  # the length of a date and time without a fraction


class _Text(FunctionElement[str]):
    """An expression of type text."""

    type = String()
    inherit_cache = True


class Exact(_Text):
    """A text for `=` and IN: equal is what has the same code points."""

    name = "exact"
    inherit_cache = True


class ByCodePoint(_Text):
    """A text for `<` and ORDER BY: in the order of its code points."""

    name = "by_code_point"
    inherit_cache = True


class Folded(_Text):
    """A text with A to Z in lower case, and all other characters as they are."""

    name = "folded"
    inherit_cache = True


class Pattern(_Text):
    """The right side of a LIKE whose escape character is a slash."""

    name = "pattern"
    inherit_cache = True


class UuidText(_Text):
    """A UUID column as text, in lower case and with hyphens."""

    name = "uuid_text"
    inherit_cache = True


class DayText(_Text):
    """A date column as Python writes it."""

    name = "day_text"
    inherit_cache = True


class TimeText(_Text):
    """A date and time column as Python writes it."""

    name = "time_text"
    inherit_cache = True


class DecimalText(_Text):
    """A decimal column as text, with all digits of its scale."""

    name = "decimal_text"
    inherit_cache = True


class Ascending(FunctionElement[Any]):
    """A term of ORDER BY: NULL first."""

    name = "ascending"
    inherit_cache = True
    direction, nulls = "ASC", "FIRST"


class Descending(Ascending):
    """A term of ORDER BY: NULL last."""

    name = "descending"
    inherit_cache = True
    direction, nulls = "DESC", "LAST"


def _inner(element: FunctionElement[Any]) -> ColumnElement[Any]:
    (inner,) = element.clauses
    return inner


def _collated(text: str, dialect: str) -> str:
    if dialect in _MYSQL:  # whose collations are those of one character set
        text = f"CONVERT({text} USING utf8mb4)"
    collation = _COLLATIONS.get(dialect)
    return f"({text} COLLATE {collation})" if collation else text


@compiles(Exact)
def _exact(element: Exact, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(_inner(element), **options)
    # To PostgreSQL equal texts are the same bytes, and an index is used only without a collation.
    dialect = compiler.dialect.name
    return text if dialect == "postgresql" else _collated(text, dialect)


@compiles(ByCodePoint)
def _by_code_point(element: ByCodePoint, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(_inner(element), **options)
    if compiler.dialect.name == "oracle":
        return f"NLSSORT({text}, 'NLS_SORT=BINARY')"
    return _collated(text, compiler.dialect.name)


@compiles(Folded)
def _folded(element: Folded, compiler: SQLCompiler, **options: Any) -> str:
    dialect = compiler.dialect.name
    text = _collated(compiler.process(_inner(element), **options), dialect)
    if dialect in ("oracle", "mssql"):
        return f"TRANSLATE({text}, '{string.ascii_uppercase}', '{string.ascii_lowercase}')"
    if dialect in _MYSQL:  # has no TRANSLATE, and its LOWER is not limited to A to Z
        for upper in string.ascii_uppercase:
            text = f"REPLACE({text}, '{upper}', '{upper.lower()}')"
        return text
    return f"lower({text})"


@compiles(Pattern)
def _pattern(element: Pattern, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(_inner(element), **options)
    # Only to SQL Server a bracket is a wildcard, and Oracle lets nothing else be escaped.
    return f"REPLACE({text}, '[', '/[')" if compiler.dialect.name == "mssql" else text


@compiles(UuidText)
def _uuid_text(element: UuidText, compiler: SQLCompiler, **options: Any) -> str:
    column = _inner(element)
    native = getattr(column.type, "native_uuid", True) and compiler.dialect.supports_native_uuid
    if native:
        text: Any = func.lower(cast(column, String(36)))
    else:  # 32 digits
        digits, part = type_coerce(column, String()), _part_of(compiler)
        parts = [part(digits, first, length) for first, length in _UUID_PARTS]
        text = parts[0]
        for group in parts[1:]:
            text = text.concat("-").concat(group)
    return f"({compiler.process(text, **options)})"


_UUID_PARTS: Final = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


@compiles(DayText)
def _day_text(element: DayText, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(_inner(element), **options)
    if compiler.dialect.name in _NULL_IS_HIGHEST:
        return f"to_char({text}, 'YYYY-MM-DD')"
    if compiler.dialect.name == "mssql":
        return f"CONVERT(VARCHAR(10), {text}, 23)"
    return compiler.process(cast(type_coerce(_inner(element), String()), String(10)), **options)


@compiles(TimeText)
def _time_text(element: TimeText, compiler: SQLCompiler, **options: Any) -> str:
    column, dialect = _inner(element), compiler.dialect.name
    text, zone = type_coerce(column, String()), ""
    whole: Any = cast(text, String(26))
    if dialect == "postgresql":
        has_zone = bool(getattr(column.type, "timezone", False))
        moment: Any = func.timezone("UTC", column) if has_zone else column
        whole = func.to_char(moment, "YYYY-MM-DD HH24:MI:SS.US", type_=String())
        zone = "+00:00" if has_zone else ""
    elif dialect == "oracle":
        whole = func.to_char(text, "YYYY-MM-DD HH24:MI:SS.FF6", type_=String())
    elif dialect in _MYSQL:
        whole = func.date_format(text, "%Y-%m-%d %H:%i:%s.%f", type_=String())
    part = _part_of(compiler)
    # Python leaves a fraction of zero out.
    is_whole = part(whole, _SECONDS + 2, 6) == literal("000000", String())
    written: Any = case((is_whole, part(whole, 1, _SECONDS)), else_=whole)
    return f"({compiler.process(written.concat(zone) if zone else written, **options)})"


@compiles(DecimalText)
def _decimal_text(element: DecimalText, compiler: SQLCompiler, **options: Any) -> str:
    column: Any = _inner(element)
    if compiler.dialect.name != "sqlite":
        return compiler.process(cast(column, String(255)), **options)
    # SQLite keeps a float; SQLAlchemy writes it so when it makes a Decimal of it.
    scale = column.type.decimal_return_scale or column.type.scale or 10
    text = func.printf(f"%.{scale}f", column)  # which makes a zero of NULL
    return compiler.process(case((column.is_not(None), text)), **options)


@compiles(Ascending)
def _ordered(element: Ascending, compiler: SQLCompiler, **options: Any) -> str:
    term = f"{compiler.process(_inner(element), **options)} {element.direction}"
    if compiler.dialect.name in _NULL_IS_LOWEST:
        return term
    if compiler.dialect.name in _NULL_IS_HIGHEST:
        return f"{term} NULLS {element.nulls}"
    is_null = compiler.process(case((_inner(element).is_(None), 0), else_=1), **options)
    return f"{is_null} {element.direction}, {term}"


def _part_of(compiler: SQLCompiler) -> Callable[..., Any]:
    """Return the function that cuts a text: its text, the first position and the length."""
    name = "substring" if compiler.dialect.name == "mssql" else "substr"
    return lambda text, first, length: getattr(func, name)(text, first, length, type_=String())
