"""Simple values: content types, and how each kind of value is written as text on the wire."""

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

# So many before the point, and so many behind it. Longer numbers are refused: expanding
# 1e999999999 would take the process with it.
_MAX_DIGITS: Final = 1000
_MAX_NUMBER_LENGTH: Final = 2 * _MAX_DIGITS + 20  # with sign, point and exponent
_FEW_DIGITS: Final = 15
_TOO_LONG: Final = "a number of more than 1000 digits"

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,9})?", re.ASCII)
_DATE_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,12}))?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)


class ContentType(StrEnum):
    """What kind of value an entry carries; read without regard to case."""

    is_structure: bool
    """Whether values of this type travel in objectData rather than in contentValue."""
    is_secret: bool
    """Whether values of this type may never be shown."""
    is_text: bool
    """Whether an empty string is a value; elsewhere it means that there is none."""

    STRING = "ContentString"
    NUMBER = "ContentNumber"
    BOOLEAN = "ContentBoolean"
    DATE_TIME = "ContentDateTime"
    PASSWORD = "ContentPassword"  # noqa: S105 (the name of a type)
    CONTENT = "ContentContent"
    ENCRYPTED = "ContentEncrypted"
    OBJECT = "ContentObject"
    LIST = "ContentList"

    def __init__(self, value: str) -> None:
        self.is_structure = value in ("ContentObject", "ContentList")
        self.is_secret = value in ("ContentPassword", "ContentEncrypted")
        self.is_text = self.is_secret or value in ("ContentString", "ContentContent")

    @classmethod
    def _missing_(cls, value: object) -> "ContentType | None":
        wanted = str(value).lower()
        return next((member for member in cls if member.lower() == wanted), None)


def parse_decimal(text: str) -> Decimal:
    """Read a number exactly.

    Raises:
        ValueError: it is not a number, or has more than a thousand digits.
    """
    text = text.strip()
    if len(text) > _MAX_NUMBER_LENGTH:
        raise ValueError(_TOO_LONG)
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return _checked(Decimal(text))


def _checked(number: Decimal) -> Decimal:
    """Refuse what is not finite or would be written with too many digits."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("not a finite number")
    if not number and abs(exponent) > _MAX_DIGITS:
        return Decimal(0)  # a zero is a zero, however many of them
    if number.adjusted() >= _MAX_DIGITS or -exponent > _MAX_DIGITS:
        raise ValueError(_TOO_LONG)
    return number


def parse_integer(text: str) -> int:
    """Read a whole number exactly; `42.0` is one, `42.5` is not.

    Raises:
        ValueError: it is not a whole number.
    """
    if len(text) <= _FEW_DIGITS and text.isdecimal() and text.isascii():
        return int(text)  # as most are written
    number = parse_decimal(text)
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def parse_boolean(text: str) -> bool:
    """Read `true` or `false` in any case.

    Raises:
        ValueError: it is neither.
    """
    match text.strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError("neither true nor false")


def parse_date_time(text: str) -> datetime:
    """Read a date and time; without an offset it is UTC, without a time it is midnight.

    Any number of fraction digits is accepted, those past the microsecond are dropped. The
    offset stays as it was written.

    Raises:
        ValueError: it is none, or lies outside the years 1 to 9999 in UTC.
    """
    match = _DATE_TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError("not a date and time")
    day, clock, fraction, offset = match.groups()
    moment = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{(offset or 'Z').upper()}")
    moment = moment.replace(microsecond=int((fraction or "0").ljust(6, "0")[:6]))
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("not a date and time within the years 1 to 9999") from None
    return moment


def date_time_text(value: date) -> str:
    """Write a date and time in UTC with exactly three digits of milliseconds.

    A datetime without a zone is taken as UTC, a plain date as its midnight.
    """
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), UTC)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def number_text(value: int | float | Decimal) -> str:
    """Write a number without exponent and without loss.

    Raises:
        ValueError: it is not finite, or has more than a thousand digits.
    """
    if isinstance(value, float):
        value = Decimal(repr(float(value)))  # the shortest text that means this float
    return format(_checked(Decimal(value)), "f")


def boolean_text(value: bool) -> str:
    """Write `true` or `false`."""
    return "true" if value else "false"


def engine_value(
    name: str,
    content_type: ContentType,
    *,
    content_value: str | None = None,
    object_data: list[dict[str, Any]] | None = None,
    type_name: str | None = None,
) -> dict[str, Any]:
    """An EngineValue as it goes over the wire."""
    return {
        "developerName": name,
        "contentType": content_type.value,
        "contentValue": content_value,
        "objectData": object_data,
        "typeElementDeveloperName": type_name,
        "valueElementId": None,
        "typeElementId": None,
        "typeElementPropertyId": None,
        "typeElementPropertyDeveloperName": None,
    }
