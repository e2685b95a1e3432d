"""What every connector request carries, whatever it asks for."""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from marshmallow import fields, validate

from atom.protocol.wire import EngineValues, WireSchema
from atom.redaction import Secret

_PROPERTY_PREFIX: Final = "inflow"
# The end is written so that OpenAPI's readers understand it too, and admits no last line feed.
_HEADER_SAFE: Final = validate.Regexp(
    r"^[\x21-\x7e]+(?![\s\S])", error="may hold printable ASCII characters only"
)
LONGEST_ID: Final = 100


def header_safe(longest: int) -> list[validate.Validator]:
    """A text that can stand in a header."""
    return [validate.Length(1, longest), _HEADER_SAFE]


class RequestSchema(WireSchema):
    """The part of any request that an Atom reads."""

    state_id = fields.String(
        data_key="stateId",
        load_default="",
        allow_none=True,
        validate=validate.Length(max=LONGEST_ID),
    )
    culture = fields.Raw(load_default=None)
    authorization = fields.Raw(load_default=None)
    configuration_values = EngineValues(
        data_key="configurationValues", load_default=list, allow_none=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorRequest:
    """The common part of ServiceRequest, ObjectDataRequest and FileDataRequest."""

    state_id: str
    culture: Any
    authorization: Any = field(repr=False)
    configuration_values: list[dict[str, Any]] = field(repr=False)

    def properties(self, *, tenant_id: str, running_user: str | None) -> dict[str, str]:
        """The process properties that the platform makes of a request, by their names there.

        `inflowconfigurationvalues_<name>` and `param_id` are the platform's names; those of the
        other parts are ours, after the same pattern.
        """
        found = {
            "tenantid": tenant_id,
            "stateid": self.state_id,
            "culture": _text(self.culture),
            "authorization": Secret(running_user or _text(self.authorization)),
        }
        named = {f"{_PROPERTY_PREFIX}{name}": text for name, text in found.items() if text}
        for value in self.configuration_values:
            name = f"{_PROPERTY_PREFIX}configurationvalues_{value['developerName']}"
            named[name] = value.get("contentValue") or ""
        return named


def none_as_empty(loaded: dict[str, Any], *lists: str) -> dict[str, Any]:
    """A receiver accepts null where a list or text may stand."""
    for name in ("configuration_values", *lists):
        loaded[name] = loaded[name] or []
    loaded["state_id"] = loaded["state_id"] or ""
    return loaded


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
