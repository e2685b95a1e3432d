"""A JSON Schema, read as the structure it describes."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from atom.errors import DeclarationError
from atom.profile_source.structure import (
    DEEPEST,
    LEFT_OUT,
    LIST,
    OBJECT,
    TEXT,
    Described,
    Place,
    Unfit,
    Unreadable,
    checked,
    parse,
    shown,
    structure,
)

_FORMATS: Final = {
    "date-time": "DateTime",
    "date": "Date",
    "email": "Email",
    "uri": "Url",
    "uuid": "UUID",
    "password": "Password",
}
_SIMPLE: Final = {"string": TEXT, "integer": "Integer", "number": "Decimal", "boolean": "Boolean"}
_PYTHON_TYPES: Final = {str: "string", bool: "boolean", dict: "object", list: "array"}
_MOST_SCHEMAS: Final = 20_000
_TOO_DEEP: Final = f"schemas are nested more than {DEEPEST} deep; flatten them"


def read_schema(text: str, profile: str) -> tuple[Described, ...]:
    """The entries of the object that a JSON Schema describes.

    Types, `required`, the usual formats, `$ref` within the document, `allOf` and unions with
    null are taken over; what a value must satisfy beyond its type is not. An entry that no flow
    can hold is LEFT_OUT.

    Raises:
        DeclarationError: it is not JSON, describes no object or too many, or has no entry that a
            flow can hold.
    """
    place = Place(profile)
    document = parse(text, place)
    if not isinstance(document, dict):
        raise place.refused("a JSON Schema of a profile must be a JSON object")
    try:
        return checked(_Reader(_Document(document)).root(document, place), place)
    except RecursionError:
        raise place.refused(_TOO_DEEP) from None


class _Document:
    """The document that references point into, and how many of its schemas were read.

    References make a short document describe a structure of any size.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root: Final = root
        self._count = 0

    def count(self, place: Place) -> None:
        """Count one schema.

        Raises:
            DeclarationError: there are too many.
        """
        self._count += 1
        if self._count > _MOST_SCHEMAS:
            raise DeclarationError(
                f"Profile {place.profile}: its references lead to more than {_MOST_SCHEMAS} "
                "schemas; make it from the part that the flow needs."
            )


class _Reader:
    """Reads one document, whose references are to places in itself."""

    def __init__(self, document: _Document) -> None:
        self._document = document

    def root(self, schema: Any, place: Place) -> tuple[Described, ...]:
        resolved = _Resolved(self._document, schema, place, ())
        if resolved.type == "array":
            raise place.refused(
                "a root array is not supported; put it into an object as a property with a name"
            )
        if resolved.type != "object":
            raise place.refused(f"it must describe an object, not “{resolved.type}”")
        return self._properties(resolved, place)

    def _properties(self, schema: "_Resolved", place: Place) -> tuple[Described, ...]:
        properties = schema.keywords.get("properties")
        if not isinstance(properties, dict) or not properties:
            raise place.refused(
                "an object without properties has no structure; name them, or make it an array "
                "of objects with a key and a value"
            )
        required = schema.keywords.get("required")
        named = required if isinstance(required, list) else []
        return tuple(
            self._entry_or_reason(name, inner, name in named, place, schema.references)
            for name, inner in properties.items()
        )

    def _entry_or_reason(
        self, name: str, schema: Any, required: bool, place: Place, references: tuple[str, ...]
    ) -> Described:
        try:
            return self._entry(name, schema, required, place.entry(name), references)
        except Unfit as unfit:
            return Described(name, LEFT_OUT, remark=unfit.reason)
        except RecursionError:
            return Described(name, LEFT_OUT, remark=_TOO_DEEP)

    def _entry(
        self, name: str, schema: Any, required: bool, place: Place, references: tuple[str, ...]
    ) -> Described:
        found = _Resolved(self._document, schema, place, references)
        needed = required and not found.is_nullable
        if found.type == "object":
            inner = self._properties(found, place)
            return structure(name, OBJECT, inner, required=needed, title=found.title)
        if found.type == "array":
            element = self._element(found, place)
            inner = self._properties(element, place)
            return structure(name, LIST, inner, required=needed, title=element.title)
        if found.type not in _SIMPLE:
            raise place.refused(f"“{shown(found.type)}” is not a type of JSON Schema")
        kind = _SIMPLE[found.type]
        if kind == TEXT:
            kind = _FORMATS.get(str(found.keywords.get("format")), TEXT)
        return Described(name, kind, required=needed)

    def _element(self, array: "_Resolved", place: Place) -> "_Resolved":
        items = array.keywords.get("items")
        if items is None or isinstance(items, list) or "prefixItems" in array.keywords:
            raise place.refused("an array needs “items”, one schema for all of its elements")
        element = _Resolved(self._document, items, place, array.references)
        if element.type == "array":
            raise place.refused(
                "an array of arrays is not supported; make its items objects that hold the "
                "inner array as a property"
            )
        if element.type != "object":
            raise place.refused(
                "an array of simple values is not supported; make its items objects with a "
                "property for the value"
            )
        return element


class _Resolved:
    """A schema behind its references and unions: one type, perhaps nullable.

    `references` are those that lead to it; meeting one of them again would never end.
    """

    def __init__(
        self, document: _Document, schema: Any, place: Place, references: tuple[str, ...]
    ) -> None:
        self._document, self._place = document, place
        self.references = references
        self.title = ""
        self.is_nullable = False
        self.keywords = self._flat(schema)
        title = self.keywords.get("title")
        self.title = title if isinstance(title, str) and title else self.title
        self.type = self._type()

    def _flat(self, schema: Any) -> dict[str, Any]:
        """The keywords of a schema and of all it refers to."""
        self._document.count(self._place)
        if isinstance(schema, Unreadable):
            raise self._place.refused(schema.reason)
        if not isinstance(schema, dict):
            raise self._place.refused("it has no type; say what it is with “type”")
        keywords = dict(schema)
        for part in self._parts(keywords):
            for keyword, value in self._flat(part).items():
                keywords[keyword] = _together(keyword, keywords.get(keyword), value)
        if keywords.get("nullable") is True:  # as OpenAPI 3.0 writes it
            self.is_nullable = True
        return keywords

    def _parts(self, keywords: dict[str, Any]) -> Iterator[Any]:
        """What belongs to a schema from elsewhere, taking the keyword that says so away."""
        reference = keywords.pop("$ref", None)
        if reference is not None:
            yield self._referred(reference)
        all_of = keywords.pop("allOf", None)
        if isinstance(all_of, list):
            yield from all_of
        for keyword in ("anyOf", "oneOf"):
            union = keywords.pop(keyword, None)
            if union is None:
                continue
            schemas = union if isinstance(union, list) else []
            kinds = [schema for schema in schemas if not _is_null(schema)]
            if len(kinds) != 1:
                raise self._place.refused(
                    f"“{keyword}” of several types is not supported; give each its own name"
                )
            self.is_nullable |= len(kinds) < len(union)
            yield kinds[0]

    def _referred(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise self._place.refused(
                f"{shown(str(reference))} is outside of this document; put what it refers to into "
                "“$defs”"
            )
        if reference in self.references:
            raise self._place.refused(
                f"{shown(reference)} contains itself, which a profile cannot; leave one level out"
            )
        self.references = (*self.references, reference)
        target: Any = self._document.root
        for part in filter(None, reference[1:].split("/")):
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            try:
                target = target[int(name)] if isinstance(target, list) else target[name]
            except (LookupError, TypeError, ValueError):
                raise self._place.refused(
                    f"{shown(reference)} refers to nothing in this document"
                ) from None
            self.title = name
        return target

    def _type(self) -> str:
        declared = self.keywords.get("type")
        kinds = declared if isinstance(declared, list) else [declared]
        kinds = list(self._implied()) if kinds == [None] else [str(kind) for kind in kinds]
        if "null" in kinds:
            self.is_nullable = True
        kinds = [kind for kind in kinds if kind != "null"]
        if set(kinds) == {"integer", "number"}:
            return "number"
        if len(kinds) > 1:
            raise self._place.refused("it is of several types; give each its own name")
        if not kinds:
            raise self._place.refused("it has no type; say what it is with “type”")
        return str(kinds[0])

    def _implied(self) -> Iterator[str]:
        """The types that a schema without `type` shows by its other keywords."""
        if "properties" in self.keywords:
            yield "object"
        if "items" in self.keywords:
            yield "array"
        values = self.keywords.get("enum")
        if "const" in self.keywords:
            values = [self.keywords["const"]]
        if isinstance(values, list):
            kinds = (_PYTHON_TYPES.get(type(each), "number") for each in values if each is not None)
            yield from dict.fromkeys(kinds)
            if None in values:
                yield "null"


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"


def _together(keyword: str, first: Any, second: Any) -> Any:
    """One keyword of two schemas that hold both; else the nearer one stands."""
    if keyword == "properties" and isinstance(first, dict) and isinstance(second, dict):
        return {**first, **second, **first}
    if keyword == "required" and isinstance(first, list) and isinstance(second, list):
        return [*first, *second]
    return second if first is None else first
