"""From plain values to the EngineValues of a request, as the installed metadata wants them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

from atom.errors import AtomError
from atom.protocol.values import ContentType, boolean_text, engine_value, number_text


class InputError(AtomError):
    """An input does not fit the metadata; the sentence names it."""


def build_inputs(
    description: Mapping[str, Any], action: Mapping[str, Any], inputs: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The inputs of an action, by name, as EngineValues; inputs left out are sent without value.

    Raises:
        InputError: an input is unknown, or not of its type's shape.
    """
    elements = description.get("install", {}).get("typeElements", [])
    types = {each["developerName"]: each["properties"] for each in elements}
    declared = action["serviceInputs"]
    _refuse_unknown(inputs, declared, f"Action “{action['developerName']}”")
    return [
        {
            **_value(each, inputs.get(each["developerName"]), types, each["developerName"]),
            "valueElementId": str(uuid4()),
        }
        for each in declared
    ]


def build_configuration(
    description: Mapping[str, Any], values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the configuration values that were given, by name, as EngineValues.

    Raises:
        InputError: a value is unknown, or not of its type's shape.
    """
    declared = description.get("configurationValues") or []
    _refuse_unknown(values, declared, "The service", "configuration value")
    return [
        _value(each, values[name], {}, name)
        for each in declared
        if (name := each["developerName"]) in values
    ]


def build_object(
    description: Mapping[str, Any],
    type_name: str,
    values: Mapping[str, Any],
    external_id: str | None,
    order: int = 0,
) -> dict[str, Any]:
    """An MObject of an installed type, from plain values by property name.

    Raises:
        InputError: a property is unknown, or not of its type's shape.
    """
    elements = description.get("install", {}).get("typeElements", [])
    types = {each["developerName"]: each["properties"] for each in elements}
    if type_name not in types:
        known = ", ".join(types) or "none"
        raise InputError(f"There is no type “{type_name}”; there are: {known}.")
    return {**_object(type_name, values, order, types, type_name), "externalId": external_id}


def _refuse_unknown(given: Any, declared: Any, where: str, kind: str = "input") -> None:
    if not isinstance(given, Mapping):
        raise InputError(f"{where} takes an object of named values, not {given!r}.")
    names = [each["developerName"] for each in declared]
    unknown = [name for name in given if name not in names]
    if unknown:
        known = ", ".join(names) or "none"
        raise InputError(f"{where} has no {kind} “{unknown[0]}”; there are: {known}.")


def _value(
    declared: Mapping[str, Any], value: Any, types: Mapping[str, Any], where: str
) -> dict[str, Any]:
    content_type = ContentType(declared["contentType"])
    name, type_name = declared["developerName"], declared.get("typeElementDeveloperName")
    if not content_type.is_structure:
        return engine_value(name, content_type, content_value=_text(value, where))
    objects = None
    if value is not None:
        elements = value if content_type is ContentType.LIST else [value]
        if not isinstance(elements, list):
            raise InputError(f"“{where}” is a list of objects, not {value!r}.")
        objects = [
            _object(type_name or "", element, order, types, where)
            for order, element in enumerate(elements)
        ]
    return engine_value(name, content_type, object_data=objects, type_name=type_name)


def _object(
    type_name: str, value: Any, order: int, types: Mapping[str, Any], where: str
) -> dict[str, Any]:
    properties = types.get(type_name, [])
    _refuse_unknown(value, properties, f"“{where}”")
    return {
        "internalId": str(uuid4()),
        "externalId": str(uuid4()),
        "developerName": type_name,
        "order": order,
        "typeElementId": None,
        "typeElementBindingDeveloperName": None,
        "isSelected": False,
        "properties": [
            _value(each, value.get(each["developerName"]), types, f"{where}.{name}")
            for each in properties
            if (name := each["developerName"])
        ],
    }


def _text(value: Any, where: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return boolean_text(value)
    if isinstance(value, int | float | Decimal):
        return number_text(value)
    raise InputError(f"“{where}” is a simple value, not {value!r}.")
