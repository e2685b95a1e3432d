"""The short way through a profile: what marshmallow does with right values, and nothing else.

Marshmallow asks at each value what could be asked of any, and most profiles have none of it. What
can be known of a profile is asked once, when it is declared. The short way decides nothing: where
it meets what is wrong or unusual, marshmallow goes the whole way and has the word.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import marshmallow
from marshmallow import ValidationError, missing
from marshmallow.fields import Field, List, Nested

from atom import fields
from atom.errors import InvalidRequest
from atom.profile import Profile, is_list
from atom.protocol.objects import Document
from atom.protocol.wire import problems, sentence

# What makes a schema load and dump as any other one does.
_MACHINERY: Final = {
    name for name in vars(marshmallow.Schema) if not name.startswith("__") or name == "__init__"
} - {"Meta", "on_bind_field", "opts", "_declared_fields", "_hooks", "_abc_impl"}
# The same of a field: it may read and write in its own way, within what every field does.
_FIELD_MACHINERY: Final = (
    *("serialize", "deserialize", "get_value", "_validate", "_validate_missing"),
    "_CHECK_ATTRIBUTE",
)
# What these have written, they can read: there is no need to try.
_CERTAIN: Final = {
    *(fields.String, fields.Content, fields.Password, fields.Encrypted),
    *(fields.Number, fields.Decimal, fields.Integer, fields.Float),
    *(fields.Boolean, fields.DateTime, fields.Date),
}

# As a field's own: of the value, its name, and what it stands in.
_Convert = Callable[[Any, str, Any], Any]


class NotThisWay(Exception):
    """Something is wrong or unusual; the whole way tells."""


class PreparedProfile:
    """A profile, and the short way through it where there is one."""

    def __init__(self, profile: Profile) -> None:
        self.profile: Final = profile
        self._way = _way(profile)

    def load(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """As the profile loads it.

        Raises:
            ValidationError: what the profile says is wrong.
        """
        if self._way is not None:
            try:
                return self._way.load(document)
            except (NotThisWay, ValidationError):
                pass
        loaded: dict[str, Any] = self.profile.load(document)
        return loaded

    def dump(self, result: Any) -> dict[str, Any]:
        """What a process returned as a document, which the profile would load.

        Raises:
            NotThisWay: it is to go the whole way.
        """
        if self._way is None:
            raise NotThisWay
        try:
            document = self._way.dump(result)
            if not self._way.is_certain:
                self._way.load({key: each for key, each in document.items() if each is not None})
        except (ValidationError, ValueError, TypeError, AttributeError, ArithmeticError):
            raise NotThisWay from None
        return document


class _Way:
    """Through a profile that leaves marshmallow's machinery as it is."""

    def __init__(self, profile: Profile, inner: Mapping[str, "_Way"]) -> None:
        """`inner` has the ways through what its objects and lists hold."""
        names = {name: field.attribute or name for name, field in profile.fields.items()}
        self._known: Final = frozenset(names.values())
        self._loaded: Final = [
            (names[name], field.data_key or name, _reader(field, inner.get(name)), field)
            for name, field in profile.load_fields.items()
        ]
        self._dumped: Final = [
            (names[name], field.data_key or name, _writer(field, inner.get(name)), field)
            for name, field in profile.dump_fields.items()
        ]
        self.is_certain: bool = profile.load_fields.keys() == profile.dump_fields.keys() and all(
            not field.validators
            and (inner[name].is_certain if name in inner else type(field) in _CERTAIN)
            for name, field in profile.fields.items()
        )

    def load(self, document: Any) -> dict[str, Any]:
        if not isinstance(document, dict):
            raise NotThisWay
        loaded = {}
        for name, key, read, field in self._loaded:
            value = document.get(key, missing)
            if value is missing:
                if field.required:
                    raise NotThisWay
                value = _default(field.load_default)
                if value is missing:
                    continue
            elif value is not None:
                value = read(value, key, document)
            elif not field.allow_none:
                raise NotThisWay
            loaded[name] = value
        return loaded

    def dump(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict or not value.keys() <= self._known:
            raise NotThisWay
        document = {}
        for name, key, write, field in self._dumped:
            found = value.get(name, missing)
            if found is missing:
                found = _default(field.dump_default)
            text = None if found is missing else write(found, name, value)
            if text is None and (field.required or not field.allow_none):
                raise NotThisWay
            if found is not missing:
                document[key] = text
        return document


def _way(profile: Any) -> _Way | None:
    """None where it is to go the whole way."""
    if not isinstance(profile, Profile):
        return None
    has_its_own = any(
        _MACHINERY & vars(each).keys()
        for each in type(profile).__mro__
        if each not in Profile.__mro__
    )
    if (
        has_its_own
        or profile.partial
        or profile.unknown != marshmallow.EXCLUDE
        or any(profile._hooks.values())  # its decorated methods
        or not all(map(_is_common, profile.fields.values()))
    ):
        return None
    inner = {}
    for name, field in profile.fields.items():
        if isinstance(field, List | Nested):
            way = _inner_way(field)
            if way is None:
                return None
            inner[name] = way
    return _Way(profile, inner)


def _is_common(field: Field[Any]) -> bool:
    return (
        all(getattr(type(field), each) is getattr(Field, each) for each in _FIELD_MACHINERY)
        and not field.pre_load
        and not field.post_load
        and "." not in (field.attribute or "")
    )


def _inner_way(field: Field[Any]) -> _Way | None:
    element = field
    if type(field) is List:
        element = field.inner
        if not _is_common(element) or element.validators:
            return None
    if type(element) is not Nested or element.unknown is not None:
        return None
    schema: Any = element.schema
    return _way(schema) if bool(schema.many) == bool(element.many) else None


def _reader(field: Field[Any], inner: _Way | None) -> _Convert:
    read = _structure(field, inner.load) if inner else field._deserialize
    checks = field.validators
    if not checks:
        return read

    def read_and_check(value: Any, key: str, document: Any) -> Any:
        found = read(value, key, document)
        for check in checks:
            check(found)
        return found

    return read_and_check


def _writer(field: Field[Any], inner: _Way | None) -> _Convert:
    return _structure(field, inner.dump) if inner else field._serialize


def _structure(field: Field[Any], convert: Callable[[Any], dict[str, Any]]) -> _Convert:
    def one(value: Any, _name: str, _within: Any) -> Any:
        return None if value is None else convert(value)

    def many(value: Any, _name: str, _within: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            raise NotThisWay
        return [convert(each) for each in value]

    return many if is_list(field) else one


def _default(value: Any) -> Any:
    return value() if callable(value) else value


def load_request(
    profile: PreparedProfile | None, document: Document, what: str = "inputs"
) -> dict[str, Any]:
    """Validate the inputs of a request and turn them into what a process receives.

    Raises:
        InvalidRequest: naming every entry that is missing or wrong.
    """
    if profile is None:
        return {}
    try:
        return profile.load(document)
    except ValidationError as error:
        found = "; ".join(problems(error.messages))
        raise InvalidRequest(sentence(f"The {what} are not valid: {found}.")) from None
