"""Accepted values, read in a worker whose profile may differ from the one that accepted them."""

import copy
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from marshmallow import Schema, missing
from marshmallow.decorators import POST_LOAD, PRE_LOAD
from marshmallow.fields import Field, List, Nested
from marshmallow.utils import set_value

from atom.profile import Profile
from atom.protocol.objects import Document, Entry, RawText, read_values
from atom.protocol.prepared_schema import PreparedSchema, is_list
from atom.text import simple_name

_log = logging.getLogger(__name__)

_Values = Sequence[Mapping[str, Any]]


def load_accepted(
    profile: PreparedSchema[Profile] | None,
    entries: Sequence[Entry],
    values: _Values,
    what: str,
    *,
    is_of_several_versions: bool,
) -> Any:
    """Load the values of an accepted request; see AcceptedValues.

    Args:
        profile: the profile of this worker; None if it has no such profile.
        entries: its entries.
        values: EngineValues, as they were stored.
        what: names the values in warnings, such as `inputs`.
        is_of_several_versions: whether another version accepted them or ran an earlier attempt.
    """
    if profile is None:
        return {}
    reader = AcceptedValues(what, is_of_several_versions=is_of_several_versions)
    loaded = reader.load(profile, entries, values)
    reader.log_warnings()
    return loaded


class AcceptedValues:
    """A reader of accepted values that never refuses them.

    Values that the profile accepts are loaded as a listener loads them. Otherwise each entry is
    read on its own:

    - A required entry that is missing is None, or an empty list for a list.
    - A value that cannot be read is its raw text.
    - A value that a validator refuses is passed on as it was read.
    - The validators of the whole profile do not run. A pre_load or post_load hook that raises is
      left out.

    Each of these is a warning. It names the entry, but not its value.
    """

    def __init__(self, what: str, *, is_of_several_versions: bool) -> None:
        self._what: Final = what
        self._is_of_several_versions: Final = is_of_several_versions
        self._warnings: dict[str, None] = {}  # each once, however long a list is

    def load(
        self,
        profile: PreparedSchema[Profile],
        entries: Sequence[Entry],
        values: _Values,
        known: Mapping[str, str] | None = None,
        *,
        partial: bool = False,
    ) -> Any:
        """Load values, in general as a dict; a post_load hook may return anything.

        Args:
            profile: the profile of this worker.
            entries: its entries.
            values: EngineValues or properties, as they were stored.
            known: further simple values, by the names of their entries.
            partial: leave out the entries that are missing.
        """

        def document(*, keep_raw: bool) -> Document:
            return {**read_values(entries, values, keep_raw=keep_raw), **(known or {})}

        with suppress(Exception):
            accepted = document(keep_raw=False)
            # Within one version a value of another shape counts as no value, as at acceptance.
            if not self._is_of_several_versions or accepted == document(keep_raw=True):
                if partial:
                    return profile.schema.load(accepted, partial=True)
                return profile.load(accepted)
        before = len(self._warnings)
        loaded = self._load(profile.schema, document(keep_raw=True), "", partial=partial)
        if len(self._warnings) == before:
            self._warn("a validator refuses them; they are passed on as they are")
        return loaded

    def log_warnings(self) -> None:
        """Log each warning."""
        for warning in self._warnings:
            _log.warning("The accepted %s do not fit the profile: %s", self._what, warning)

    def _warn(self, text: str) -> None:
        self._warnings[text] = None

    def _load(self, schema: Schema, document: Document, path: str, *, partial: bool = False) -> Any:
        prepared = self._hooked(schema, PRE_LOAD, document, document)
        if not isinstance(prepared, Mapping):
            prepared = document
        values: dict[str, Any] = {}
        for name, field in schema.load_fields.items():
            key = name if field.data_key is None else field.data_key
            value = prepared.get(key, missing)
            if value is missing and partial:
                continue
            value = self._value(field, value, key, prepared, path + key)
            if value is missing:
                continue
            if field.attribute is None:
                values[name] = value
            else:
                set_value(values, field.attribute, value)
        return self._hooked(schema, POST_LOAD, values, document)

    def _hooked(self, schema: Schema, tag: str, data: Any, original: Document) -> Any:
        """Run the hooks of a schema; if one raises, return the data as it was before."""
        if not schema._hooks[tag]:
            return data
        unchanged = copy.deepcopy(data) if tag == PRE_LOAD else copy.copy(data)
        try:
            return schema._invoke_load_processors(
                tag, data, many=False, original_data=original, partial=None, unknown=schema.unknown
            )
        except Exception as error:
            name, kind = simple_name(type(schema)), simple_name(type(error))
            self._warn(f"a {tag} hook of {name} raised {kind} and is left out")
            return unchanged

    def _value(
        self, field: Field[Any], value: Any, key: str, document: Mapping[str, Any], path: str
    ) -> Any:
        if value is missing and field.required:
            self._warn(f"“{path}” is required, but missing; it has no value")
            return [] if is_list(field) else None
        if not isinstance(value, RawText):
            with suppress(Exception):  # a hook may change its argument before it raises
                return field.deserialize(copy.deepcopy(value), key, document)
        if value is missing or value is None:
            self._warn(f"“{path}” has no value")
            return [] if is_list(field) else None
        return self._unfit(field, value, key, document, path)

    def _unfit(
        self, field: Field[Any], value: Any, key: str, document: Mapping[str, Any], path: str
    ) -> Any:
        """Read as much as possible of a value that its field refuses."""
        before = len(self._warnings)
        schema = _inner_schema(field)
        if schema and is_list(field) and isinstance(value, list):
            loaded: Any = [self._element(schema, element, f"{path}[]") for element in value]
        elif schema and not is_list(field) and isinstance(value, Mapping):
            loaded = self._element(schema, value, path)
        else:
            loaded = self._unvalidated(field, value, key, document, path)
        if len(self._warnings) == before:
            self._warn(f"“{path}” is refused by a validator; it is passed on as it is")
        return loaded

    def _element(self, schema: Schema, element: Any, path: str) -> Any:
        if not isinstance(element, Mapping):
            return self._raw_text(element, path)
        return self._load(schema, dict(element), f"{path}.")

    def _unvalidated(
        self, field: Field[Any], value: Any, key: str, document: Mapping[str, Any], path: str
    ) -> Any:
        if isinstance(value, RawText):
            return self._raw_text(str(value), path)
        reader = copy.copy(field)
        reader.validators = []
        try:
            return reader.deserialize(value, key, document)
        except Exception:
            return self._raw_text(value, path)

    def _raw_text(self, value: Any, path: str) -> Any:
        self._warn(f"“{path}” cannot be read; its raw text is passed on")
        return value


def _inner_schema(field: Field[Any]) -> Schema | None:
    """Return the schema of an object, or of the elements of a list."""
    element = field.inner if isinstance(field, List) else field
    return element.schema if isinstance(element, Nested) else None
