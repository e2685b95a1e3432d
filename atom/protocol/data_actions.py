"""Data actions on the wire: the ObjectDataRequest and the ObjectDataResponse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from atom.errors import InvalidRequest
from atom.protocol.prepared_schema import PreparedSchema
from atom.protocol.query_filter import ListFilter
from atom.protocol.requests import ConnectorRequest, RequestSchema, none_as_empty
from atom.protocol.wire import WireSchema, checked_object, load

_LONGEST_EXTERNAL_ID: Final = 1000


class Objects(fields.Field[list[dict[str, Any]]]):
    """A list of MObjects, or null for none; loads to the list as it was sent."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError("must be a list")
        for index, each in enumerate(value):
            checked_object(each, f"[{index}]")
            external_id = each.get("externalId")
            if external_id is not None and (
                not isinstance(external_id, str) or len(external_id) > _LONGEST_EXTERNAL_ID
            ):
                raise ValidationError(
                    f"[{index}] externalId must be a text of at most {_LONGEST_EXTERNAL_ID} "
                    "characters, or null"
                )
        return value


class ObjectDataTypeSchema(WireSchema):
    """Which type of object the request is about."""

    developer_name = fields.String(
        data_key="developerName", required=True, validate=validate.Length(1, 1000)
    )
    properties = fields.Raw(load_default=None)


class ObjectDataRequestSchema(RequestSchema):
    """The part of an ObjectDataRequest that an Atom reads."""

    object_data_type = fields.Nested(ObjectDataTypeSchema, data_key="objectDataType", required=True)
    objects = Objects(data_key="objectData", load_default=list, allow_none=True)
    list_filter = fields.Raw(data_key="listFilter", load_default=None)


_OBJECT_DATA_REQUEST: Final = PreparedSchema(ObjectDataRequestSchema())


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDataRequest(ConnectorRequest):
    """What a flow sends to load, save or delete objects of one type."""

    type_name: str
    objects: list[dict[str, Any]] = field(repr=False)
    list_filter: ListFilter

    @classmethod
    def read(cls, document: Any) -> "ObjectDataRequest":
        """Check a parsed body.

        Raises:
            InvalidRequest: a field is missing or wrong.
        """
        loaded = none_as_empty(load(_OBJECT_DATA_REQUEST, document, "ObjectDataRequest"), "objects")
        loaded["type_name"] = loaded.pop("object_data_type")["developer_name"]
        loaded["list_filter"] = ListFilter.read(loaded["list_filter"])
        return cls(**loaded)

    def properties(self, *, tenant_id: str, running_user: str | None) -> dict[str, str]:
        """See ConnectorRequest; `param_id` is the platform's name for the id of a get."""
        named = ConnectorRequest.properties(self, tenant_id=tenant_id, running_user=running_user)
        if self.list_filter.id is not None:
            named["param_id"] = self.list_filter.id
        return named


def type_name_of(document: Any) -> str:
    """Which type a parsed ObjectDataRequest is about, before the rest of it is looked at.

    Raises:
        InvalidRequest: it does not say.
    """
    asked = document.get("objectDataType") if isinstance(document, Mapping) else None
    name = asked.get("developerName") if isinstance(asked, Mapping) else None
    if not isinstance(name, str) or not name:
        raise InvalidRequest(
            "The ObjectDataRequest is not valid: objectDataType.developerName must name the type."
        )
    return name


def is_get(document: Mapping[str, Any]) -> bool:
    """Whether a parsed load asks for one object by its id, rather than for those of a filter."""
    asked = document.get("listFilter")
    return isinstance(asked, Mapping) and bool(asked.get("id"))


def object_data_response(
    objects: Sequence[Mapping[str, Any]], *, has_more: bool = False
) -> dict[str, Any]:
    """An ObjectDataResponse as it goes over the wire."""
    return {
        "culture": None,
        "objectData": list(objects),
        "hasMoreResults": has_more,
        "offsetToken": None,
    }
