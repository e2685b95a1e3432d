"""The short way through a schema: what marshmallow does with right values, and nothing else.

Marshmallow asks at each value what could be asked of any, and most schemas have none of it. What
can be known of a schema is asked once, when it is declared. The short way decides nothing: where
it meets what is wrong or unusual, marshmallow goes the whole way and has the word.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Generic, TypeVar

import marshmallow
from marshmallow import Schema, ValidationError, missing
from marshmallow.fields import Field, List, Nested

# What makes a schema load and dump as any other one does.
_MACHINERY: Final = {
    name for name in vars(Schema) if not name.startswith("__") or name == "__init__"
} - {"Meta", "on_bind_field", "opts", "_declared_fields", "_hooks", "_abc_impl"}
# The same of a field: it may read and write in its own way, within what every field does.
_FIELD_MACHINERY: Final = (
    *("serialize", "deserialize", "get_value", "_validate", "_validate_missing"),
    "_CHECK_ATTRIBUTE",
)

# What a field's own code raises on a value it was not made for, beside a ValidationError.
UNFIT: Final = (ValueError, TypeError, AttributeError, ArithmeticError)

_Schema = TypeVar("_Schema", bound=Schema)
# As a field's own: of the value, its name, and what it stands in.
_Convert = Callable[[Any, str, Any], Any]


def is_list(field: Field[Any]) -> bool:
    """Whether the field is a list of something."""
    return isinstance(field, List) or (isinstance(field, Nested) and bool(field.many))


class NotThisWay(Exception):
    """Something is wrong or unusual; the whole way tells."""


class PreparedSchema(Generic[_Schema]):
    """A schema, and the short way through it where there is one."""

    def __init__(
        self,
        schema: _Schema,
        base: type[Schema] = Schema,
        certain: Collection[type[Field[Any]]] = (),
    ) -> None:
        """Prepare it.

        Args:
            schema: to be used as it is from here on.
            base: the class of ours that it derives from, which loads and dumps as marshmallow does.
            certain: the kinds of fields that can read whatever they have written.
        """
        self.schema: Final = schema
        self._way = _way(schema, base, certain)

    def load(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """As the schema loads it.

        Raises:
            ValidationError: what the schema says is wrong.
        """
        if self._way is not None:
            try:
                return self._way.load(document)
            except (NotThisWay, ValidationError):
                pass
        loaded: dict[str, Any] = self.schema.load(document)
        return loaded

    def dump(self, result: Any) -> dict[str, Any]:
        """A dict as a document, which the schema would load.

        Raises:
            NotThisWay: it is to go the whole way.
        """
        if self._way is None:
            raise NotThisWay
        try:
            document = self._way.dump(result)
            if not self._way.is_certain:
                self._way.load({key: each for key, each in document.items() if each is not None})
        except (ValidationError, *UNFIT):
            raise NotThisWay from None
        return document


class _Way:
    """Through a schema that leaves marshmallow's machinery as it is."""

    def __init__(
        self,
        schema: Schema,
        inner: Mapping[str, "_Way"],
        certain: Collection[type[Field[Any]]],
    ) -> None:
        """`inner` has the ways through what its objects and lists hold."""
        names = {name: field.attribute or name for name, field in schema.fields.items()}
        self._known: Final = frozenset(names.values())
        self._loaded: Final = [
            (names[name], field.data_key or name, _reader(field, inner.get(name)), field)
            for name, field in schema.load_fields.items()
        ]
        self._dumped: Final = [
            (names[name], field.data_key or name, _writer(field, inner.get(name)), field)
            for name, field in schema.dump_fields.items()
        ]
        self.is_certain: bool = schema.load_fields.keys() == schema.dump_fields.keys() and all(
            not field.validators
            and (inner[name].is_certain if name in inner else type(field) in certain)
            for name, field in schema.fields.items()
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
            if found is not missing:
                document[key] = text = write(found, name, value)
                if text is None and not field.allow_none:
                    raise NotThisWay
            elif field.required:
                raise NotThisWay
        return document


def _way(schema: Schema, base: type[Schema], certain: Collection[type[Field[Any]]]) -> _Way | None:
    """None where it is to go the whole way."""
    if not isinstance(schema, base):
        return None
    has_its_own = any(
        _MACHINERY & vars(each).keys() for each in type(schema).__mro__ if each not in base.__mro__
    )
    if (
        has_its_own
        or schema.partial
        or schema.unknown != marshmallow.EXCLUDE
        or any(schema._hooks.values())  # its decorated methods
        or not all(map(_is_common, schema.fields.values()))
    ):
        return None
    inner = {}
    for name, field in schema.fields.items():
        if isinstance(field, List | Nested):
            nested = _nested(field)
            way = _way(nested, base, certain) if nested else None
            if way is None:
                return None
            inner[name] = way
    return _Way(schema, inner, certain)


def _is_common(field: Field[Any]) -> bool:
    return (
        all(getattr(type(field), each) is getattr(Field, each) for each in _FIELD_MACHINERY)
        and not field.pre_load
        and not field.post_load
        and "." not in (field.attribute or "")
    )


def _nested(field: Field[Any]) -> Schema | None:
    """What an object or a list holds, where that is a matter of its schema only."""
    element = field
    if type(field) is List:
        element = field.inner
        if not _is_common(element) or element.validators:
            return None
    if type(element) is not Nested or element.unknown is not None:
        return None
    schema = element.schema
    return schema if bool(schema.many) == bool(element.many) else None


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
