"""Processes with children, run as a worker runs them, one after the other."""

import json

import pytest

from atom import FlowService, Profile, Retry, StepFailed, fields, names
from atom.errors import StoreUnavailable
from atom.execution.ending import cancel
from atom.records import State
from atom.redaction import MASK
from tests.support.children import begun
from tests.support.running import Worker
from tests.support.structures import Tree, full_tree

family = FlowService("Family", summary="Processes with children", version="1")
family.configuration_value("region", required=True)
RAN, CANARY = [], "canary-of-a-password"


class Text(Profile):
    text = fields.String(data_key="Text")


def double(item, execution):
    return [item * 2, execution.configuration["region"]]


def row(item, execution):
    return execution.map("row", double, [item, item + 1])


def called(item, execution):
    return execution.call(outer, {"text": str(item)})["text"]


@family.message_action("Inner", request=Text, response=Text)
def inner(request, execution):
    return {"text": f"{request['text']} {execution.configuration['region']}"}


@family.message_action("Outer", request=Text, response=Text)
def outer(request, execution):
    return execution.call(inner, request)


@family.message_action("Nested", response=Text)
def nested(request, execution):
    return {"text": json.dumps(execution.map("rows", row, [1, 5]))}


@family.message_action("Nested calls", response=Text)
def nested_calls(request, execution):
    return {"text": json.dumps(execution.map("calls", called, [1, 5]))}


class Thing(Profile):
    id = fields.String(data_key="ID")


thing = family.data_action("Thing", profile=Thing, key="id")


@thing.get
def get_thing(id, execution):
    return {"id": execution.map("things", double, [1])}


@pytest.fixture
def worker(settings, raw):
    worker = Worker(settings, family)
    yield worker
    worker.keeper.hand_back()
    worker.store.close()


def text_of(found):
    assert found.state is State.COMPLETED, found.error
    (value,) = found.response["outputs"]
    return json.loads(value["contentValue"])


def test_an_item_may_map_over_items_of_its_own(worker):
    found = worker.run(worker.accept("Nested"))
    assert text_of(found) == [[[2, "EMEA"], [4, "EMEA"]], [[10, "EMEA"], [12, "EMEA"]]]


def test_an_item_may_call_a_process_that_calls_another(worker):
    found = worker.run(worker.accept("Nested calls"))
    assert text_of(found) == ["1 EMEA", "5 EMEA"]


@family.message_action("Other way", response=Text, retry=Retry(wait_seconds=0.0))
def other_way(request, execution):
    try:
        execution.step("first", first)
    except StepFailed:
        return {"text": json.dumps(execution.map("fallback", double_or_fail, [1]))}
    execution.step("then", lambda: None)
    return {"text": json.dumps(execution.attempt)}


def first():
    RAN.append("first")
    if len(RAN) == 1:
        raise ConnectionError("the first time")


def double_or_fail(item, execution):
    raise ConnectionError("never")


def test_a_try_that_goes_another_way_is_not_held_to_where_the_last_one_waited(worker):
    RAN.clear()
    execution_id = worker.accept("Other way")
    worker.run(execution_id)
    found = worker.run(execution_id)
    assert text_of(found) == 2


@family.message_action("Stops", response=Text)
def stops(request, execution):
    try:
        execution.map("stops", double_or_fail, [1, 2], concurrency=1)
    except StepFailed:
        return {"text": '"stopped"'}


class AwayOnce:
    """A store that is away when the first child is to be cancelled."""

    def __init__(self, store):
        self._store, self._has_been = store, False

    def __getattr__(self, name):
        return getattr(self._store, name)

    def cancel(self, *given):
        if not self._has_been:
            self._has_been = True
            raise StoreUnavailable("away")
        return self._store.cancel(*given)


def test_a_store_that_is_away_while_children_are_stopped_fails_nobody(worker):
    worker.runner = worker.of(AwayOnce(worker.store))
    found = worker.run(worker.accept("Stops"))
    assert text_of(found) == "stopped"
    states = [each.state for each in worker.store.children(found.id)]
    assert states == [State.FAILED, State.CANCELLED]


def test_who_is_answered_in_its_request_begins_no_children(worker):
    found = worker.run(worker.accept("Thing.get", is_synchronous=True))
    assert found.state is State.FAILED
    assert "cannot be suspended" in found.error
    assert worker.store.children(found.id) == []


class Login(Profile):
    password = fields.Password(data_key="Password")


def signed_in(item, execution):
    return item["password"] == CANARY


@family.message_action("Sign in", request=Login, response=Text)
def sign_in(request, execution):
    found = execution.map("sign in", signed_in, [{"password": request["password"], "user": "ada"}])
    return {"text": json.dumps(found)}


def test_a_secret_in_an_item_is_for_its_function_alone(worker, raw):
    value = {"developerName": "Password", "contentType": "ContentPassword", "contentValue": CANARY}
    found = worker.run(worker.accept("Sign in", inputs=[value]))
    assert text_of(found) == [True]
    (child,) = worker.store.children(found.id)
    shown = worker.store.get(child.id)
    assert shown.request["item"] == {"password": MASK, "user": "ada"}
    assert CANARY not in str(raw.hgetall(names.documents_key(child.id)))


def large(item, execution):
    RAN.append(item)
    assert len(RAN) < 10, "again and again"
    return "x" * 30_000


@family.message_action("Too much", response=Text)
def too_much(request, execution):
    try:
        execution.map("large", large, [1, 2])
    except StepFailed as failed:
        return {"text": json.dumps([failed.kind, *execution.map("small", double_it, [3])])}


def double_it(item, execution):
    return item * 2


def test_results_that_are_too_large_together_are_asked_for_once(worker):
    RAN.clear()
    found = worker.run(worker.accept("Too much"))
    assert text_of(found) == ["StepTooLarge", 6]
    assert RAN == [1, 2]


def test_who_dies_after_it_ended_the_parent_ends_its_children_when_asked_again(worker):
    store = worker.store
    claim = store.claim(worker.accept("Nested"), "w", "1")
    first, _ = begun(store, claim, 2)
    store.claim(first, "w", "1")
    store.cancel(claim.id, b"{}", "why")
    assert cancel(worker.catalog, store, claim.id) is None
    assert {each.state for each in store.children(claim.id)} == {State.CANCELLED}


@family.message_action("Tree", request=Tree, response=Tree)
def tree(request, execution):
    return request


def text_of_grown_tree(item, execution):
    document = full_tree(item)
    return execution.call(tree, document) == document


@family.message_action("Calls with structures", response=Text)
def calls_with_structures(request, execution):
    documents = [
        full_tree(),
        {"branch": {"leaf": {"text": "one object"}}},
        {"branches": []},
        {"branches": [{"leaves": [{"text": "in a list in a list"}]}, {}]},
    ]
    replies = [execution.call(tree, document) for document in documents]
    same = [reply["branches"] for reply in replies[1:]]
    mapped = execution.map("trees", text_of_grown_tree, ["a", "b"])
    return {"text": json.dumps([replies[0] == documents[0], *map(len, same), mapped])}


def test_call_passes_objects_and_lists(worker):
    execution = worker.run(worker.accept("Calls with structures"))
    assert text_of(execution) == [True, 0, 0, 2, [True, True]]
    assert len(worker.store.children(execution.id)) == 6


PASSED = []


@family.message_action("Calls with another document", response=Text)
def calls_with_another_document(request, execution):
    PASSED.append(len(PASSED))
    execution.call(tree, {"branches": [{"text": str(PASSED[-1])}]})


def test_call_with_another_document_in_a_later_attempt_is_held(worker):
    execution = worker.run(worker.accept("Calls with another document"))
    assert execution.state is State.SUSPENDED
    assert [held.id for held in worker.store.held(10)] == [execution.id]
    assert "call Family.Tree" in execution.error
