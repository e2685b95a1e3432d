"""The DescribeServiceResponse: what a flow platform learns of a Flow Service."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from atom.protocol.objects import Entry
from atom.protocol.values import ContentType


@dataclass(frozen=True, slots=True)
class ActionDescription:
    """A message action as the metadata shows it."""

    name: str
    summary: str
    inputs: tuple[Entry, ...]
    outputs: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class TypeDescription:
    """A Flow type made from an object or list entry."""

    name: str
    summary: str
    properties: tuple[Entry, ...]
    is_bound: bool = False  # to a data action: it can be loaded, saved and deleted


def action_path(name: str) -> str:
    """The uriPart of a message action, percent-encoded so that it is a path as it stands."""
    return f"actions/{quote(name, safe='')}"


def describe_service(
    actions: Sequence[ActionDescription],
    types: Sequence[TypeDescription],
    configuration_values: Sequence[Entry] = (),
    *,
    has_files: bool = False,
) -> dict[str, Any]:
    """The whole DescribeServiceResponse."""
    return {
        "culture": {
            "id": None,
            "developerName": None,
            "developerSummary": None,
            "brand": None,
            "language": "EN",
            "country": "US",
            "variant": None,
        },
        "uri": None,
        "providesDatabase": any(each.is_bound for each in types),
        "providesFiles": has_files,
        "providesLogic": bool(actions),
        "providesAutoBinding": False,
        "providesIdentity": False,
        "providesListening": False,
        "providesNotifications": False,
        "providesSharing": False,
        "providesSmartSave": False,
        "providesSocial": False,
        "providesViews": False,
        "providesVoting": False,
        "configurationValues": _values(configuration_values),
        "actions": [_action(action) for action in actions],
        "install": {"typeElements": [_type(each) for each in types]},
    }


def _action(action: ActionDescription) -> dict[str, Any]:
    return {
        "uriPart": action_path(action.name),
        "developerName": action.name,
        "developerSummary": action.summary,
        "isViewMessageAction": False,
        "serviceActionOutcomes": [],
        "serviceInputs": _values(action.inputs),
        "serviceOutputs": _values(action.outputs),
    }


def _values(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [
        {
            "developerName": entry.name,
            "contentType": entry.content_type.value,
            "contentValue": None,
            # Some platform clients read the one name, some the other.
            "required": entry.required,
            "isRequired": entry.required,
            "ordinal": ordinal,
            "typeElementDeveloperName": entry.type_name,
        }
        for ordinal, entry in enumerate(entries)
    ]


def _type(described: TypeDescription) -> dict[str, Any]:
    return {
        "elementType": "TYPE",
        "id": None,
        "serviceElementId": None,
        "updateByName": False,
        "developerName": described.name,
        "developerSummary": described.summary,
        "properties": [
            {
                "id": None,
                "developerName": entry.name,
                "contentType": ContentType(entry.content_type).value,
                "contentFormat": None,
                "typeElementId": None,
                "typeElementDeveloperName": entry.type_name,
            }
            for entry in described.properties
        ],
        "bindings": [_binding(described)] if described.is_bound else [],
    }


def _binding(described: TypeDescription) -> dict[str, Any]:
    return {
        "id": None,
        "developerName": described.name,
        "developerSummary": described.summary,
        "databaseTableName": described.name,
        "serviceElementId": None,
        "propertyBindings": [
            {
                "databaseFieldName": entry.name,
                "databaseContentType": None,
                "typeElementPropertyDeveloperName": entry.name,
                "typeElementPropertyId": None,
            }
            for entry in described.properties
        ],
    }
