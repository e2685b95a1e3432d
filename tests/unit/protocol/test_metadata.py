"""The DescribeServiceResponse of a whole service, written out by hand."""

import orjson
import pytest

from atom import FlowService, Profile, fields
from atom.protocol.metadata import action_path


class Address(Profile):
    city = fields.String(data_key="City")


class Employee(Profile):
    full_name = fields.String(data_key="Full Name", required=True)
    hired_at = fields.DateTime(data_key="Hired At")
    address = fields.Nested(Address, data_key="Address")


class Skill(Profile):
    name = fields.String(data_key="Name")
    level = fields.Integer(data_key="Level")


class HireRequest(Profile):
    name = fields.String(data_key="Name", required=True)
    salary = fields.Decimal(data_key="Salary")
    remote = fields.Boolean(data_key="Remote")
    starts = fields.Date(data_key="Starts")
    secret = fields.Password(data_key="Secret")
    notes = fields.Content(data_key="Notes")
    iban = fields.Encrypted(data_key="Iban")
    skills = fields.List(fields.Nested(Skill), data_key="Skills", required=True)


class HireResponse(Profile):
    employee = fields.Nested(Employee, data_key="Employee")


def described(name, kind, required=False, ordinal=0, type_name=None):
    return {
        "developerName": name,
        "contentType": kind,
        "contentValue": None,
        "required": required,
        "isRequired": required,
        "ordinal": ordinal,
        "typeElementDeveloperName": type_name,
    }


def flow_property(name, kind, type_name=None):
    return {
        "id": None,
        "developerName": name,
        "contentType": kind,
        "contentFormat": None,
        "typeElementId": None,
        "typeElementDeveloperName": type_name,
    }


def flow_type(name, *properties):
    return {
        "elementType": "TYPE",
        "id": None,
        "serviceElementId": None,
        "updateByName": False,
        "developerName": name,
        "developerSummary": "",
        "properties": list(properties),
        "bindings": [],
    }


HEAD = {
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
    "providesDatabase": False,
    "providesFiles": False,
    "providesAutoBinding": False,
    "providesIdentity": False,
    "providesListening": False,
    "providesNotifications": False,
    "providesSharing": False,
    "providesSmartSave": False,
    "providesSocial": False,
    "providesViews": False,
    "providesVoting": False,
    "configurationValues": [],
}

HIRE = {
    "uriPart": "actions/Hire",
    "developerName": "Hire",
    "developerSummary": "Takes somebody on.",
    "isViewMessageAction": False,
    "serviceActionOutcomes": [],
    "serviceInputs": [
        described("Name", "ContentString", True, 0),
        described("Salary", "ContentNumber", False, 1),
        described("Remote", "ContentBoolean", False, 2),
        described("Starts", "ContentDateTime", False, 3),
        described("Secret", "ContentPassword", False, 4),
        described("Notes", "ContentContent", False, 5),
        described("Iban", "ContentEncrypted", False, 6),
        described("Skills", "ContentList", True, 7, "Hire REQUEST - Skills"),
    ],
    "serviceOutputs": [
        described("Employee", "ContentObject", False, 0, "Hire RESPONSE - Employee"),
    ],
}

TYPES = [
    flow_type(
        "Hire REQUEST - Skills",
        flow_property("Name", "ContentString"),
        flow_property("Level", "ContentNumber"),
    ),
    flow_type(
        "Hire RESPONSE - Employee",
        flow_property("Full Name", "ContentString"),
        flow_property("Hired At", "ContentDateTime"),
        flow_property("Address", "ContentObject", "Hire RESPONSE - Address"),
    ),
    flow_type("Hire RESPONSE - Address", flow_property("City", "ContentString")),
]

PING = {
    "uriPart": "actions/Ping",
    "developerName": "Ping",
    "developerSummary": "",
    "isViewMessageAction": False,
    "serviceActionOutcomes": [],
    "serviceInputs": [],
    "serviceOutputs": [],
}


def test_a_whole_service():
    service = FlowService("People")

    @service.message_action("Hire", request=HireRequest, response=HireResponse)
    def hire(request, execution):
        """Takes somebody on.

        The second paragraph is for those who read the code.
        """

    @service.message_action("Ping")
    def ping(request, execution):
        pass

    found = service.describe()
    assert found == {
        **HEAD,
        "providesLogic": True,
        "actions": [HIRE, PING],
        "install": {"typeElements": TYPES},
    }
    assert orjson.loads(orjson.dumps(found)) == found


def test_a_service_without_actions_provides_nothing():
    assert FlowService("Empty").describe() == {
        **HEAD,
        "providesLogic": False,
        "actions": [],
        "install": {"typeElements": []},
    }


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Retrieve", "actions/Retrieve"),
        ("Look up", "actions/Look%20up"),
        ("a/b?c#d%e", "actions/a%2Fb%3Fc%23d%25e"),
        ("Größe", "actions/Gr%C3%B6%C3%9Fe"),
    ],
)
def test_the_path_of_an_action_is_encoded(name, path):
    assert action_path(name) == path
