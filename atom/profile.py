"""Profiles: the JSON structure of a request, a response or an object, as a marshmallow schema."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import marshmallow
from marshmallow import ValidationError
from marshmallow.exceptions import RegistryError
from marshmallow.fields import IP, UUID, Enum, Field, List, Nested, Pluck, String

from atom import fields
from atom.errors import DeclarationError, InvalidRequest
from atom.protocol.objects import Document, Entry, nested_entries
from atom.protocol.prepared_schema import PreparedSchema, is_list
from atom.protocol.values import ContentType
from atom.protocol.wire import problems, sentence


class Profile(marshmallow.Schema):
    """A structure of named entries; `data_key` gives an entry its name in Flow.

    Every entry that is not required has a value when loaded: its `load_default`, else None (an
    empty list for lists), so that a process can read each entry without asking.
    """

    class Meta:
        """Marshmallow's options; a subclass inherits them."""

        unknown = marshmallow.EXCLUDE
        register = False

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """Of a dict its values only: marshmallow would go on to its methods, such as `items`."""
        if isinstance(obj, Mapping):
            return obj.get(attr, default)
        return super().get_attribute(obj, attr, default)

    def on_bind_field(self, field_name: str, field_obj: Field[Any]) -> None:
        """Give optional entries a value of their own for “no value”."""
        if not field_obj.required and field_obj.load_default is marshmallow.missing:
            field_obj.load_default = list if is_list(field_obj) else None
            field_obj.allow_none = True


def entries_of(profile: type[Profile] | None, type_prefix: str) -> tuple[Entry, ...]:
    """The entries of a message action's profile, with the names of the types they make.

    Args:
        profile: None where the action has no such profile.
        type_prefix: what the type names begin with, for example `Retrieve REQUEST`.

    Raises:
        DeclarationError: an entry is of a kind that no flow can hold.
    """
    if profile is None:
        return ()
    return _entries(_instance(profile), type_prefix, (profile,))


def _instance(profile: Any) -> Profile:
    if not (isinstance(profile, type) and issubclass(profile, Profile)):
        raise DeclarationError(
            f"A profile must be a class derived from atom.Profile, not {profile!r}."
        )
    try:
        return profile()
    except (TypeError, ValueError) as error:
        raise DeclarationError(f"Profile {profile.__name__}: {error}") from error


def _entries(
    profile: Profile, type_prefix: str, outer: tuple[type[Profile], ...]
) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for field_name, field in profile.fields.items():
        name = field_name if field.data_key is None else field.data_key
        where = f"Profile {type(profile).__name__}, entry “{name}”"
        if not name:
            raise DeclarationError(f"{where}: an entry needs a name (data_key of {field_name}).")
        if any(name == earlier.name for earlier in entries):
            raise DeclarationError(f"{where}: two entries have this name (data_key).")
        content_type = _content_type(field, where)
        if content_type.is_structure:
            inner = _element_profile(field, where)
            if type(inner) in outer:
                raise DeclarationError(f"{where}: a profile cannot contain itself.")
            entries.append(
                Entry(
                    name,
                    content_type,
                    field.required,
                    f"{type_prefix} - {name}",
                    _entries(inner, type_prefix, (*outer, type(inner))),
                )
            )
        else:
            entries.append(Entry(name, content_type, field.required))
    return tuple(entries)


def _content_type(field: Field[Any], where: str) -> ContentType:
    declared = getattr(field, "content_type", None)
    if isinstance(declared, ContentType):
        return declared
    if is_list(field):
        return ContentType.LIST
    if isinstance(field, Nested) and not isinstance(field, Pluck):
        return ContentType.OBJECT
    if isinstance(field, Enum):
        return _enum_content_type(field, where)
    if isinstance(field, String | UUID | IP):
        return ContentType.STRING
    raise DeclarationError(
        f"{where}: {type(field).__module__}.{type(field).__name__} has no content type in Flow; "
        "use a field from atom.fields."
    )


def _enum_content_type(field: Enum[Any], location: str) -> ContentType:
    """Return the content type of an enum, which travels as the text of a name or a value."""
    values = [member.value for member in field.enum] if field.by_value else []
    is_text_field = field.by_value is True or isinstance(field.field, String)
    if is_text_field and all(isinstance(value, str) for value in values):
        return ContentType.STRING
    raise DeclarationError(
        f"{location}: by_value needs an enum whose values are texts, and {field.enum.__name__} has "
        "others; leave by_value out to send the names of its members."
    )


def _element_profile(field: Field[Any], where: str) -> Profile:
    element = field
    if isinstance(field, List):
        element = field.inner
        if not isinstance(element, Nested):
            kind = "arrays" if is_list(element) else "simple values"
            raise DeclarationError(
                f"{where}: an array of {kind} is not supported; make it an array of objects, "
                "fields.List(fields.Nested(SomeProfile))."
            )
        if element.many:
            raise DeclarationError(
                f"{where}: an array of arrays is not supported; name the inner array as an "
                "entry of its own in the element's profile."
            )
    try:
        nested = cast(Nested, element).schema
    except (ValueError, TypeError, RegistryError) as error:
        raise DeclarationError(f"{where}: {error}") from error
    if not isinstance(nested, Profile):
        raise DeclarationError(
            f"{where}: what it nests must derive from atom.Profile, not {type(nested).__name__}."
        )
    if not nested.fields:
        raise DeclarationError(f"{where}: {type(nested).__name__} has no entries.")
    return nested


def check_type_names(entry_sets: Sequence[tuple[Entry, ...]]) -> dict[str, tuple[Entry, ...]]:
    """The Flow types of a service: name → properties; equal ones under one name are one.

    Raises:
        DeclarationError: two different structures would have one name.
    """
    types: dict[str, tuple[Entry, ...]] = {}
    for entries in entry_sets:
        for entry in nested_entries(entries):
            name = cast(str, entry.type_name)
            if types.setdefault(name, entry.entries) != entry.entries:
                raise DeclarationError(
                    f"Two different structures would make the Flow type “{name}”; "
                    "give one of the entries another data_key."
                )
    return types


# What these have written, they can read: there is no need to try.
_CERTAIN: Final = {
    *(fields.String, fields.Content, fields.Password, fields.Encrypted),
    *(fields.Number, fields.Decimal, fields.Integer, fields.Float),
    *(fields.Boolean, fields.DateTime, fields.Date),
}


def prepared(profile: type[Profile]) -> PreparedSchema[Profile]:
    """A profile ready for use."""
    return PreparedSchema(profile(), Profile, _CERTAIN)


def load_request(
    profile: PreparedSchema[Profile] | None, document: Document, what: str = "inputs"
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
