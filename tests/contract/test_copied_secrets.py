"""Copies of executions whose secrets were deleted: their values have to be given again."""

from dataclasses import replace

import orjson
import pytest

from atom import FlowService, Profile, fields, names
from atom.catalog import Catalog
from atom.execution.copying import copy
from atom.protocol.objects import write_values
from atom.records import Secrets, State
from atom.redaction import parted
from atom.store import RedisStore
from tests.contract.conftest import KEY, short_times
from tests.contract.test_copies import end
from tests.support.executions import new_execution
from tests.support.redis_content import content_of

SECRETS = {"Password": "canary-password", "Login": '{"Name": "ada", "Pin": "canary-pin"}'}
CONFIGURATION = {"Api Key": "canary-key"}
EVERY_SECRET = ("canary-password", "canary-pin", "canary-key")


class Login(Profile):
    name = fields.String(data_key="Name", required=True)
    pin = fields.Password(data_key="Pin", required=True)


class Order(Profile):
    item = fields.String(data_key="Item", required=True)
    password = fields.Password(data_key="Password")
    hint = fields.Password(data_key="Hint")
    login = fields.Nested(Login, data_key="Login")


class OrderWithoutPassword(Profile):
    item = fields.String(data_key="Item", required=True)
    login = fields.Nested(Login, data_key="Login")


def catalog_of(request=Order):
    service = FlowService("CRM")
    service.configuration_value("Api Key", fields.Password, required=True)
    service.configuration_value("Region")
    service.message_action("Create", request=request)(lambda request, execution: None)
    return Catalog([service])


@pytest.fixture
def store(embedded_redis, raw):
    store = RedisStore(short_times(embedded_redis.url, secret_key=(KEY,)))
    yield store
    store.close()


@pytest.fixture
def completed(store):
    """Return the id of an execution that completed, and so has lost its secrets."""
    process = catalog_of().process("CRM", "Create")
    inputs = {"Item": "hat", **SECRETS, "Login": orjson.loads(SECRETS["Login"])}
    document = {
        "token": "••••",
        "tenantId": "tenant-1",
        "stateId": "state-1",
        "callbackUri": "https://flow.example/callback",
        "inputs": write_values(process.inputs, inputs),
        "configurationValues": write_values(
            process.configuration.entries, {**CONFIGURATION, "Region": "EMEA"}
        ),
    }
    request, private_request = parted(document, process.secret_names)
    new = new_execution(
        service="CRM", action="Create", request=request, private_request=private_request
    )
    store.accept(new)
    end(store, new.id, State.COMPLETED)
    assert store.get(new.id).secrets is Secrets.DELETED_WHEN_COMPLETED
    return new.id


def document_of(store, execution_id):
    return orjson.loads(store.request(execution_id).content)


def test_copy_with_every_secret_given_again_is_accepted(store, raw, completed):
    copied = copy(catalog_of(), store, completed, SECRETS, CONFIGURATION).copy
    assert copied
    document = document_of(store, copied)
    inputs = {each["developerName"]: each for each in document["inputs"]}
    assert inputs["Item"]["contentValue"] == "hat"
    assert inputs["Password"]["contentValue"] == "canary-password"
    assert "canary-pin" in str(inputs["Login"])
    values = {each["developerName"]: each for each in document["configurationValues"]}
    assert values["Api Key"]["contentValue"] == "canary-key"
    assert values["Region"]["contentValue"] == "EMEA"
    assert store.get(copied).secrets is Secrets.KEPT
    content = content_of(raw)
    assert not [secret for secret in EVERY_SECRET if secret.encode() in content]
    assert not [secret for secret in EVERY_SECRET if secret in str(store.get(copied))]


@pytest.mark.parametrize(
    ("inputs", "configuration", "missing"),
    [
        ({}, {}, "the inputs “Password”, “Login” (--set) and the configuration value “Api Key”"),
        (SECRETS, {}, "for the configuration value “Api Key” (--set-config)"),
        ({"Login": SECRETS["Login"]}, CONFIGURATION, "for the input “Password” (--set)"),
        ({"Password": SECRETS["Password"]}, CONFIGURATION, "for the input “Login” (--set)"),
    ],
    ids=range(4),
)
def test_refusal_names_the_secrets_that_are_missing(
    store, raw, completed, inputs, configuration, missing
):
    before = sorted(raw.keys("atom:execution:*"))
    done = copy(catalog_of(), store, completed, inputs, configuration)
    assert (done.is_done, done.copy) == (False, "")
    assert "were deleted when it completed; give new values" in done.message
    assert done.message.endswith(missing) or missing in done.message
    assert "“Hint”" not in done.message, "it had no value"
    assert not [secret for secret in EVERY_SECRET if secret in done.message]
    assert sorted(raw.keys("atom:execution:*")) == before


@pytest.mark.parametrize(
    ("inputs", "configuration", "problem"),
    [
        ({}, {"Key": "canary-key"}, "CRM has no configuration value “Key”; there are: Api Key"),
        ({}, {"Api Key": ""}, "Api Key"),
        ({"Login": '{"Name": "ada"}'}, {}, "Pin"),
        ({"Login": '{"Pin": "canary-pin"'}, {}, "“Login” is not valid JSON"),
    ],
    ids=range(4),
)
def test_invalid_secret_is_refused_without_its_value(
    store, completed, inputs, configuration, problem
):
    given = {**SECRETS, **inputs}
    done = copy(catalog_of(), store, completed, given, {**CONFIGURATION, **configuration})
    assert not done.is_done
    assert problem in done.message
    assert not [secret for secret in EVERY_SECRET if secret in done.message]


def test_deleted_secret_of_a_removed_input_is_not_missing(store, completed):
    given = {"Login": SECRETS["Login"]}
    copied = copy(catalog_of(OrderWithoutPassword), store, completed, given, CONFIGURATION).copy
    names_of_inputs = {each["developerName"] for each in document_of(store, copied)["inputs"]}
    assert "Password" not in names_of_inputs


def test_deleted_optional_secret_may_be_given_as_an_empty_text(store, completed):
    given = {**SECRETS, "Password": ""}
    assert copy(catalog_of(), store, completed, given, CONFIGURATION).is_done


def test_configuration_value_of_a_copy_can_be_another_one(store):
    process = catalog_of().process("CRM", "Create")
    document = {
        "token": "••••",
        "tenantId": "tenant-1",
        "callbackUri": "https://flow.example/callback",
        "inputs": write_values(process.inputs, {"Item": "hat"}),
        "configurationValues": write_values(process.configuration.entries, CONFIGURATION),
    }
    request, private_request = parted(document, process.secret_names)
    new = new_execution(
        service="CRM", action="Create", request=request, private_request=private_request
    )
    store.accept(new)
    copied = copy(catalog_of(), store, new.id, {}, {"Region": "APAC"}).copy
    values = {
        each["developerName"]: each["contentValue"]
        for each in document_of(store, copied)["configurationValues"]
    }
    assert values == {"Api Key": "canary-key", "Region": "APAC"}


def test_secrets_that_are_deleted_while_a_copy_is_made_are_missing(store, completed, monkeypatch):
    """The execution is read before its request, and may be dismissed in between."""
    before = replace(store.get(completed), secrets=Secrets.KEPT)
    monkeypatch.setattr(store, "get", lambda execution_id: before)
    done = copy(catalog_of(), store, completed, {}, {})
    assert "give new values for the inputs “Password”, “Login”" in done.message


def test_copy_without_a_request_is_refused_even_with_secrets(store, raw, completed):
    raw.hdel(names.documents_key(completed), "request")
    message = copy(catalog_of(), store, completed, SECRETS, CONFIGURATION).message
    assert message == "cannot be copied: its request was not kept; start the flow again"
