"""The kinds of entries a profile may have: marshmallow's fields in Flow's content types.

Every field here reads the text that travels in a contentValue and writes it again; `data_key` is
the entry's name in Flow. Of marshmallow's own fields those that write text may be used as they
are: `Email`, `Url`, `UUID`, `Enum`, and `Nested` and `List(Nested(…))` for structures.
"""

import datetime as dt
import decimal
from typing import Any, ClassVar

import marshmallow
from marshmallow import ValidationError
from marshmallow.fields import UUID, Email, Enum, Field, List, Nested, Url

from atom.protocol import values
from atom.protocol.values import ContentType
from atom.redaction import Secret

__all__ = [
    "UUID",
    "Boolean",
    "Content",
    "Date",
    "DateTime",
    "Decimal",
    "Email",
    "Encrypted",
    "Enum",
    "Float",
    "Integer",
    "List",
    "Nested",
    "Number",
    "Password",
    "String",
    "Url",
]


class _Text(marshmallow.fields.String):
    """Text: anything with a plain text form, but no structure and no bytes."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if isinstance(value, bytes | bytearray | dict | list | tuple | set | frozenset):
            raise _unfit(self, attr, value, "not a text")
        text = super()._serialize(value, attr, obj, **kwargs)
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            raise _unfit(self, attr, value, "not a text that UTF-8 can carry") from None
        return text


class String(_Text):
    """Text (ContentString)."""

    content_type: ClassVar = ContentType.STRING


class _SecretText(_Text):
    """Text that loads to a `Secret`, which does not show itself."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Secret:
        return Secret(super()._deserialize(value, attr, data, **kwargs))


class Password(_SecretText):
    """Text that is never logged or shown (ContentPassword)."""

    content_type: ClassVar = ContentType.PASSWORD


class Encrypted(_SecretText):
    """Text that the platform keeps encrypted; never logged or shown (ContentEncrypted)."""

    content_type: ClassVar = ContentType.ENCRYPTED


class Content(_Text):
    """Long, formatted text (ContentContent)."""

    content_type: ClassVar = ContentType.CONTENT


class _Parsed(Field[Any]):
    """A simple value with one way to read its text and one to write it."""

    content_type: ClassVar[ContentType]

    def read(self, text: str) -> Any:
        """The Python value of a wire text.

        Raises:
            ValueError: it is no such value; worded to follow “is”.
        """
        raise NotImplementedError

    def write(self, value: Any) -> str:
        """The wire text of what a process returned.

        Raises:
            ValueError, TypeError, ArithmeticError: it is no such value.
        """
        raise NotImplementedError

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        try:
            return self.write(value)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise _unfit(self, attr, value, _reason(error, self)) from None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return self.read(value)
        except (ValueError, AttributeError, TypeError) as error:
            raise ValidationError(f"{short(value)} is {_reason(error, self)}") from None


def _unfit(field: Field[Any], attr: str | None, value: Any, reason: str) -> ValidationError:
    """Dumping does not collect problems by field as loading does: name the field here."""
    is_secret = field.content_type.is_secret  # type: ignore[attr-defined]
    shown = "the value" if is_secret else short(value)
    return ValidationError({str(field.data_key or attr): [f"{shown} is {reason}"]})


def short(value: Any) -> str:
    """A value as an error shows it."""
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python writes
        text = f"this {type(value).__name__}"
    return text if len(text) <= 60 else text[:59] + "…"


def _reason(error: Exception, field: _Parsed) -> str:
    """Ours are worded to follow “is”; those of other libraries are not for people."""
    text = str(error)
    fits = isinstance(error, ValueError) and text.startswith(("not ", "neither ", "a number"))
    return text if fits else f"not a value for {field.content_type.value}"


class _Number(_Parsed):
    content_type: ClassVar = ContentType.NUMBER

    def write(self, value: Any) -> str:
        if isinstance(value, str):
            return values.number_text(values.parse_decimal(value))
        if isinstance(value, bool) or not isinstance(value, int | float | decimal.Decimal):
            raise ValueError("not a number")
        return values.number_text(value)


class Number(_Number):
    """A number, exactly as it was written: an int where it is whole, else a Decimal."""

    def read(self, text: str) -> int | decimal.Decimal:
        """See _Parsed."""
        number = values.parse_decimal(text)
        return int(number) if number == number.to_integral_value() else number


class Decimal(_Number):
    """A number as an exact `decimal.Decimal`."""

    def read(self, text: str) -> decimal.Decimal:
        """See _Parsed."""
        return values.parse_decimal(text)


class Integer(_Number):
    """A whole number of any size."""

    def read(self, text: str) -> int:
        """See _Parsed."""
        return values.parse_integer(text)

    def write(self, value: Any) -> str:
        """Refuse what is not whole."""
        return str(values.parse_integer(super().write(value)))


class Float(_Number):
    """A number as a float: quick, but not exact; money wants `Decimal`."""

    def read(self, text: str) -> float:
        """See _Parsed."""
        number = float(values.parse_decimal(text))
        if number in (float("inf"), float("-inf")):
            raise ValueError("not a number that a float can hold")
        return number


class Boolean(_Parsed):
    """True or false (ContentBoolean)."""

    content_type: ClassVar = ContentType.BOOLEAN

    def read(self, text: str) -> bool:
        """See _Parsed."""
        return values.parse_boolean(text)

    def write(self, value: Any) -> str:
        """Take booleans only: that a text or a number is “true” is a guess."""
        if not isinstance(value, bool):
            raise ValueError("neither true nor false")
        return values.boolean_text(value)


class DateTime(_Parsed):
    """A date and time with its zone (ContentDateTime); written in UTC to the millisecond."""

    content_type: ClassVar = ContentType.DATE_TIME

    def read(self, text: str) -> dt.date:
        """See _Parsed."""
        return values.parse_date_time(text)

    def write(self, value: Any) -> str:
        """Take datetimes, dates (their midnight) and any text that reads as one."""
        if isinstance(value, str):
            value = values.parse_date_time(value)
        return values.date_time_text(value)


class Date(DateTime):
    """A day: the date as it was written, whatever its time and zone."""

    def read(self, text: str) -> dt.date:
        """See _Parsed."""
        return values.parse_date_time(text).date()

    def write(self, value: Any) -> str:
        """Write the day's midnight in UTC."""
        if isinstance(value, str):
            value = self.read(value)
        if isinstance(value, dt.datetime):
            value = value.date()
        return super().write(value)
