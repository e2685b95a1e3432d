"""The metadata of a Flow Service as a flow platform has installed it, read for a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import fields, validate

from atom.protocol.prepared_schema import PreparedSchema
from atom.protocol.values import ContentType
from atom.protocol.wire import WireSchema, load


@dataclass(frozen=True, slots=True)
class Value:
    """An input, an output, a configuration value or a property of a type."""

    name: str
    content_type: ContentType
    required: bool = False
    type_name: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A message action; its values are keyed by their names."""

    name: str
    path: str
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    outcomes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Type:
    """A Flow type; one that is bound can be loaded, saved or deleted by a data action."""

    name: str
    properties: Mapping[str, Value]
    is_bound: bool = False


@dataclass(frozen=True, slots=True)
class ServiceMetadata:
    """The parts of a DescribeServiceResponse that flows depend on."""

    actions: Mapping[str, Action]
    types: Mapping[str, Type]
    configuration: Mapping[str, Value]
    has_files: bool = False


class _NamedSchema(WireSchema):
    name = fields.String(data_key="developerName", required=True, validate=validate.Length(min=1))


class _ValueSchema(_NamedSchema):
    content_type = fields.Enum(ContentType, by_value=True, data_key="contentType", required=True)
    # Some platform clients write the first name, others the second.
    required = fields.Boolean(load_default=None, allow_none=True)
    is_required = fields.Boolean(data_key="isRequired", load_default=None, allow_none=True)
    type_name = fields.String(
        data_key="typeElementDeveloperName", load_default=None, allow_none=True
    )


def _list_of(schema: type[WireSchema], name: str) -> fields.Field[Any]:
    return fields.List(fields.Nested(schema), data_key=name, load_default=None, allow_none=True)


class _ActionSchema(_NamedSchema):
    path = fields.String(data_key="uriPart", load_default=None, allow_none=True)
    inputs = _list_of(_ValueSchema, "serviceInputs")
    outputs = _list_of(_ValueSchema, "serviceOutputs")
    outcomes = _list_of(_NamedSchema, "serviceActionOutcomes")


class _TypeSchema(_NamedSchema):
    properties = _list_of(_ValueSchema, "properties")
    bindings = fields.List(fields.Raw(), load_default=None, allow_none=True)


class _InstallSchema(WireSchema):
    types = _list_of(_TypeSchema, "typeElements")


class _MetadataSchema(WireSchema):
    configuration = _list_of(_ValueSchema, "configurationValues")
    # Present in every DescribeServiceResponse, even without actions.
    actions = fields.List(fields.Nested(_ActionSchema), required=True)
    install = fields.Nested(_InstallSchema, load_default=None, allow_none=True)
    has_files = fields.Boolean(data_key="providesFiles", load_default=None, allow_none=True)


_METADATA: Final = PreparedSchema(_MetadataSchema())


def read_metadata(document: Any) -> ServiceMetadata:
    """Read a DescribeServiceResponse.

    Raises:
        InvalidRequest: the document is not a DescribeServiceResponse; it names each wrong field.
    """
    loaded = load(_METADATA, document, "DescribeServiceResponse")
    types = (loaded["install"] or {}).get("types")
    return ServiceMetadata(
        actions={each["name"]: _action(each) for each in loaded["actions"]},
        types={
            each["name"]: Type(each["name"], _values(each["properties"]), bool(each["bindings"]))
            for each in types or ()
        },
        configuration=_values(loaded["configuration"]),
        has_files=bool(loaded["has_files"]),
    )


def _action(loaded: Mapping[str, Any]) -> Action:
    return Action(
        name=loaded["name"],
        path=loaded["path"] or "",
        inputs=_values(loaded["inputs"]),
        outputs=_values(loaded["outputs"]),
        outcomes=frozenset(each["name"] for each in loaded["outcomes"] or ()),
    )


def _values(loaded: list[dict[str, Any]] | None) -> dict[str, Value]:
    return {
        each["name"]: Value(
            each["name"],
            each["content_type"],
            bool(each["required"] or each["is_required"]),
            each["type_name"],
        )
        for each in loaded or ()
    }
