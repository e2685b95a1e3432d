"""The configuration values of a service: set on the connector, sent with each request."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from marshmallow.fields import Field

from atom import fields
from atom.accepted_values import load_accepted
from atom.errors import DeclarationError
from atom.profile import Profile, entries_of, load_request, prepared
from atom.protocol.objects import Entry, read_values
from atom.protocol.prepared_schema import PreparedSchema


class Configuration:
    """What a service declares of its configuration, and how requests are held to it."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._fields: dict[str, Field[Any]] = {}
        self.entries: tuple[Entry, ...] = ()
        """As the metadata shows them."""
        self._profile: PreparedSchema[Profile] | None = None

    def declare(self, name: str, kind: type[Field[Any]], *, required: bool) -> None:
        """Add a value.

        Raises:
            DeclarationError: its name is empty or taken, or its kind is no simple one.
        """
        where = f"Service “{self._service}”"
        if not isinstance(name, str) or not name.strip():
            raise DeclarationError(f"{where}: a configuration value needs a name, not {name!r}.")
        if name in self._fields:
            raise DeclarationError(f"{where} declares the configuration value “{name}” twice.")
        if not isinstance(kind, type) or not issubclass(kind, Field) or kind in _STRUCTURES:
            raise DeclarationError(
                f"{where}, configuration value “{name}”: name a simple kind such as "
                f"fields.String, fields.Integer or fields.Password, not {kind!r}."
            )
        declared = {**self._fields, name: kind(data_key=name, required=required)}
        profile: Any = Profile.from_dict(dict(declared), name=f"{self._service} configuration")
        self.entries = entries_of(profile, "")
        self._profile, self._fields = prepared(profile), declared

    def load(self, values: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The typed values of a request, by name; those not required and not sent are None.

        Raises:
            InvalidRequest: naming each value that is missing or wrong.
        """
        document = read_values(self.entries, _filled_in(values))
        return MappingProxyType(load_request(self._profile, document, "configuration values"))

    def load_accepted(
        self, values: Sequence[Mapping[str, Any]], *, is_of_several_versions: bool
    ) -> Mapping[str, Any]:
        """Load the values of an accepted request, which may not fit; see AcceptedValues."""
        loaded = load_accepted(
            self._profile,
            self.entries,
            _filled_in(values),
            "configuration values",
            is_of_several_versions=is_of_several_versions,
        )
        return MappingProxyType(loaded)


def _filled_in(values: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Leave out empty texts: a connector sends one for a value that is not filled in."""
    return [value for value in values if value.get("contentValue") != ""]


_STRUCTURES = (fields.Nested, fields.List)
