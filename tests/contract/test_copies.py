"""Copies of executions in the store: the same request, another execution."""

from dataclasses import replace

import orjson
import pytest

from atom import FlowService, Profile, fields, names
from atom.catalog import Catalog
from atom.execution.copying import copy
from atom.protocol.objects import write_values
from atom.records import CallbackState, Secrets, State, Step
from atom.store import RedisStore
from tests.contract.conftest import KEY, short_times
from tests.contract.test_ending_and_restarting import hold
from tests.support.children import begun
from tests.support.executions import an_attempt, new_execution
from tests.support.redis_content import content_of
from tests.support.waiting import until

PASSWORD = "canary-password"
SELDOM = 1 / 3600


class Address(Profile):
    city = fields.String(data_key="City", required=True)


class Asked(Profile):
    name = fields.String(data_key="Name", required=True)
    count = fields.Integer(data_key="Count")
    address = fields.Nested(Address, data_key="Address")
    password = fields.Password(data_key="Password")


def catalog_of(**options):
    service = FlowService("CRM", **options)
    service.message_action("Create", request=Asked, timeout=120, priority=3)(lambda r, e: None)
    service.data_action("Place", profile=Address, key="city").query(lambda query, execution: [])
    return Catalog([service])


@pytest.fixture
def catalog():
    return catalog_of()


def accepted(store, catalog, **changes):
    """Return the id of an execution that a flow asked for."""
    process = catalog.process("CRM", "Create")
    given = {"Name": "Ada", "Count": "3", "Address": {"City": "Rome"}}
    document = {
        "token": "••••",
        "tenantId": "tenant-1",
        "stateId": "state-1",
        "callbackUri": "https://flow.example/callback",
        "inputs": write_values(process.inputs, given),
    }
    place = {"tenant_id": "tenant-1", "state_id": "state-1", "service": "CRM", "action": "Create"}
    new = new_execution(**{**place, "request": orjson.dumps(document), **changes})
    store.accept(new)
    return new.id


def with_password(document):
    """Return a request with a password, masked and not."""
    masked, plain = orjson.loads(document), orjson.loads(document)
    for inputs, value in ((masked["inputs"], "••••"), (plain["inputs"], PASSWORD)):
        inputs[3] |= {"contentValue": value}
    return {"request": orjson.dumps(masked), "private_request": orjson.dumps(plain)}


def end(store, execution_id, state):
    store.finish(hold(store, execution_id), state, b"{}", "")
    store.record_delivery(store.claim_delivery(execution_id), "delivered", an_attempt())


def inputs_of(store, execution_id):
    request = orjson.loads(hold(store, execution_id).request)
    values = {each["developerName"]: each["contentValue"] for each in request["inputs"]}
    (address,) = [each for each in request["inputs"] if each["developerName"] == "Address"]
    (properties,) = [each["properties"] for each in address["objectData"]]
    return values | {"Address": properties[0]["contentValue"]}


def test_copy_is_a_new_execution_with_the_same_request(store, catalog):
    execution_id = accepted(store, catalog)
    claim = hold(store, execution_id)
    store.record_step(claim, 1, Step("one", "1"))
    store.signal(execution_id, "approval", "1", None)
    store.finish(claim, State.COMPLETED, b"{}", "")
    store.record_delivery(store.claim_delivery(execution_id), "delivered", an_attempt())
    before = store.get(execution_id)

    done = copy(catalog, store, execution_id, {})
    assert done.is_done, done.message
    assert done.message == f"copied as {done.copy}; its result goes to the history alone"
    found = store.get(done.copy)
    assert (found.origin, found.state, found.steps) == (execution_id, State.ACCEPTED, ())
    assert (found.tenant_id, found.flow_state_id) == (before.tenant_id, before.flow_state_id)
    assert store.find(10).executions[0].origin == execution_id
    assert store.take_unstarted(10) == [done.copy], "recovery publishes it at once"
    expected = {"Name": "Ada", "Count": "3", "Address": "Rome", "Password": None}
    assert inputs_of(store, done.copy) == expected
    assert store.get(execution_id) == before


def test_result_of_a_copy_goes_to_the_history_alone(store, catalog):
    execution_id = accepted(store, catalog, authorization="a user")
    copied = copy(catalog, store, execution_id, {}).copy
    claim = hold(store, copied)
    assert (claim.token, claim.authorization) == ("", "a user")
    assert store.signal_event(claim, "approval") is None
    assert store.finish(claim, State.COMPLETED, b'{"new":1}', "").is_callback_due is False
    found = store.get(copied)
    assert (found.callback_state, found.response) == (CallbackState.NONE, {"new": 1})
    assert store.get(execution_id).state is State.ACCEPTED


def test_inputs_are_replaced(store, catalog):
    execution_id = accepted(store, catalog)
    inputs = {"Name": "Bob = 1", "Address": '{"City": "Oslo"}', "Password": PASSWORD}
    copied = copy(catalog, store, execution_id, inputs).copy
    assert PASSWORD not in str(store.get(copied).request)
    assert store.get(copied).secrets is Secrets.KEPT
    expected = {"Name": "Bob = 1", "Count": "3", "Address": "Oslo", "Password": PASSWORD}
    assert inputs_of(store, copied) == expected
    again = copy(catalog, store, copied, {"Count": "4"}).copy
    assert store.get(again).origin == copied
    assert inputs_of(store, again) == {**expected, "Count": "4"}


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"Nam": "x"}, "CRM.Create has no input “Nam”; there are: Name, Count, Address, Password"),
        ({"Count": "three"}, "Count"),
        ({"Address": "{"}, "“Address” is not valid JSON"),
        ({"Address": '{"Town": "Oslo"}'}, "“Address” has no property “Town”; there are: City"),
        ({"Address": "{}"}, "City"),
        ({"Password": PASSWORD, "Count": "three"}, "Count"),
    ],
    ids=range(6),
)
def test_wrong_input_is_refused_and_nothing_is_stored(store, raw, catalog, inputs, problem):
    execution_id = accepted(store, catalog)
    before = sorted(raw.keys("atom:execution:*"))
    done = copy(catalog, store, execution_id, inputs)
    assert (done.is_done, done.copy) == (False, "")
    assert done.message.startswith("cannot be copied: ")
    assert problem in done.message
    assert PASSWORD not in done.message
    assert sorted(raw.keys("atom:execution:*")) == before


def test_new_required_input_can_be_given(store, catalog):
    process = catalog.process("CRM", "Create")
    request = {"token": "••••", "tenantId": "t", "callbackUri": "https://flow.example/callback"}
    request["inputs"] = write_values(process.inputs[1:2], {"Count": "3"})
    execution_id = accepted(store, catalog, request=orjson.dumps(request))
    assert "Name" in copy(catalog, store, execution_id, {}).message
    assert copy(catalog, store, execution_id, {"Name": "Ada"}).is_done


@pytest.fixture
def encrypting(embedded_redis, raw):
    """Return a store with a key, and one without it."""
    settings = short_times(embedded_redis.url, secret_key=(KEY,))
    stores = RedisStore(settings), RedisStore(replace(settings, secret_key=()))
    yield stores
    for each in stores:
        each.close()


def test_secrets_that_were_kept_are_copied(encrypting, raw, catalog):
    store, _ = encrypting
    request = store.request(accepted(store, catalog)).content
    execution_id = accepted(store, catalog, **with_password(request))
    end(store, execution_id, State.FAILED)
    copied = copy(catalog, store, execution_id, {}).copy
    assert inputs_of(store, copied)["Password"] == PASSWORD
    assert PASSWORD.encode() not in content_of(raw)


def test_copy_without_its_secrets_is_refused(store, catalog):
    request = store.request(accepted(store, catalog)).content
    execution_id = accepted(store, catalog, **with_password(request))
    end(store, execution_id, State.COMPLETED)
    message = copy(catalog, store, execution_id, {}).message
    assert "the secrets of its request were deleted when it completed" in message


def test_copy_without_a_request_is_refused(store, raw, catalog):
    execution_id = accepted(store, catalog)
    raw.hdel(names.documents_key(execution_id), "request")
    message = copy(catalog, store, execution_id, {}).message
    assert message == "cannot be copied: its request was not kept; start the flow again"


def test_what_has_no_request_of_its_own_is_refused(store, catalog):
    claim = hold(store, accepted(store, catalog))
    (child,) = begun(store, claim)
    refusals = {
        "nobody": "there is no such execution",
        child: f"it is a child; copy its parent {claim.id}",
        accepted(store, catalog, action="Place.query"): "only message actions",
        accepted(store, catalog, action="Other"): "no service here declares CRM.Other",
    }
    for execution_id, reason in refusals.items():
        done = copy(catalog, store, execution_id, {})
        assert (done.is_done, reason in done.message) == (False, True), done.message


def test_paused_action_takes_no_copy(store, catalog):
    execution_id = accepted(store, catalog)
    store.pause("CRM")
    done = copy(catalog, store, execution_id, {})
    assert not done.is_done
    assert "paused" in done.message


def test_copies_count_for_the_rate_of_the_service(store):
    catalog = catalog_of(requests_per_second=SELDOM)
    execution_id = accepted(store, catalog)
    assert copy(catalog, store, execution_id, {}).is_done
    assert "requests_per_second" in copy(catalog, store, execution_id, {}).message


def test_unreadable_request_is_refused(encrypting, catalog):
    store, other = encrypting
    message = copy(catalog, other, accepted(store, catalog), {}).message
    assert "no key of ATOM_SECRET_KEY here reads it" in message


@pytest.mark.parametrize("state_id", ["state-1", "s", ""], ids=["state", "short", "none"])
def test_origin_has_its_copies_newest_first(store, raw, catalog, state_id):
    request = orjson.loads(store.request(accepted(store, catalog)).content)
    request = orjson.dumps({**request, "stateId": state_id})
    origin, other = (accepted(store, catalog, request=request, state_id=state_id) for _ in range(2))
    assert store.copies(store.get(origin)) == []
    copies = [copy(catalog, store, origin, {}).copy for _ in range(3)]
    for number, each in enumerate(copies):
        raw.hset(names.execution_key(each), "accepted_at", 1_700_000_000_000 + number)
    assert [each.id for each in store.copies(store.get(origin))] == copies[::-1]
    of_a_copy = copy(catalog, store, copies[0], {}).copy
    assert [each.id for each in store.copies(store.get(copies[0]))] == [of_a_copy]
    assert store.copies(store.get(other)) == []
    raw.delete(names.execution_key(copies[0]))
    assert [each.id for each in store.copies(store.get(origin))] == copies[:0:-1]


def test_forgotten_copy_leaves_the_index(settings, raw, catalog):
    store = RedisStore(replace(settings, retention_days=0.0000001))
    request = orjson.loads(store.request(accepted(store, catalog)).content)
    request = orjson.dumps({**request, "stateId": ""})
    origin = accepted(store, catalog, request=request, state_id="")
    copied = copy(catalog, store, origin, {}).copy
    before = raw.zcard(names.FLOW_STATES)
    store.finish(hold(store, copied), State.COMPLETED, b"{}", "")
    until(lambda: store.trim(100), "the retention to be over", 5)
    assert raw.zcard(names.FLOW_STATES) == before - 1
    assert store.copies(store.get(origin)) == []
    store.close()
