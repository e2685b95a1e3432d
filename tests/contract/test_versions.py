"""Executions that one version of a service accepts and another one runs."""

import pytest

from atom import FlowService, Profile, fields
from atom.execution import operating
from atom.history import ExecutionFilter
from atom.records import State
from tests.contract.test_ending_and_restarting import RESPONSE
from tests.support.executions import an_attempt, new_execution
from tests.support.running import Worker

RECEIVED = []


class Order(Profile):
    number = fields.String(data_key="Number", required=True)
    amount = fields.String(data_key="Amount")


class LaterOrder(Profile):
    number = fields.String(data_key="Number", required=True)
    amount = fields.Integer(data_key="Amount", required=True)
    region = fields.String(data_key="Region", required=True)


class Receipt(Profile):
    id = fields.String(data_key="ID", required=True)
    note = fields.String(data_key="Note")


class LaterReceipt(Profile):
    id = fields.String(data_key="ID", required=True)
    total = fields.Integer(data_key="Total", required=True)


def receipt():
    return {"id": "R-1", "note": "thanks"}


def item(value, execution):
    return execution.version


def first_version():
    shop = FlowService("Shop", version="1")

    @shop.message_action("Buy", request=Order, response=Receipt)
    def buy(request, execution):
        RECEIVED.append((execution.version, request))
        result = execution.step("receipt", receipt)
        execution.signal("approval")
        return result

    @shop.message_action("Call", request=Order, response=Receipt)
    def call(request, execution):
        return execution.call(buy, {"number": request["number"]})

    @shop.message_action("Map", response=Receipt)
    def map_(request, execution):
        execution.signal("approval")
        return {"id": "".join(execution.map("items", item, [1]))}

    return shop


def second_version():
    shop = FlowService("Shop", version="2")
    shop.configuration_value("account", required=True)

    @shop.message_action("Buy", request=LaterOrder, response=LaterReceipt)
    def buy(request, execution):
        RECEIVED.append((execution.version, request))
        result = execution.step("receipt", receipt)
        execution.signal("approval")
        assert execution.configuration["account"] is None
        return result

    @shop.message_action("Call", request=LaterOrder, response=LaterReceipt)
    def call(request, execution):
        return execution.call(buy, {"number": request["number"], "region": request["region"]})

    @shop.message_action("Map", response=Receipt)
    def map_(request, execution):
        execution.signal("approval")
        return {"id": "".join(execution.map("items", item, [1]))}

    return shop


class Sum(Profile):
    sum = fields.Integer(data_key="Sum", required=True)


def rolled_back_version():
    shop = FlowService("Shop", version="1")

    @shop.message_action("Buy", request=Order, response=Sum)
    def buy(request, execution):
        result = execution.step("receipt", receipt)
        execution.signal("approval")
        return result

    return shop


@pytest.fixture
def worker(settings, raw):
    made = []

    def make(service):
        made.append(Worker(settings, service))
        return made[-1]

    yield make
    for each in made:
        each.keeper.hand_back()
        each.store.close()


def value(name, text):
    return {"developerName": name, "contentType": "ContentString", "contentValue": text}


def outputs_of(execution):
    return {each["developerName"]: each["contentValue"] for each in execution.response["outputs"]}


def log_of(store, execution_id):
    return [line.message for line in store.log(execution_id)]


def signal(worker, execution_id):
    done = operating.signal(worker.store, execution_id, "approval", "null")
    assert done.is_done, done


def approve(worker, execution_id):
    signal(worker, execution_id)
    return worker.run(execution_id)


def test_accepted_version_stays_beside_the_version_that_runs_it(store):
    new = new_execution(version="1.0")
    store.accept(new)
    found = store.get(new.id)
    assert (found.version, found.worker_version) == ("1.0", None)
    claim = store.claim(new.id, "w", "2.0")
    assert (claim.version, claim.worker_version) == ("1.0", "2.0")
    assert claim.is_of_several_versions
    store.hand_back(claim)
    # Version 1.0 may find steps that version 2.0 recorded.
    assert store.claim(new.id, "w", "1.0").is_of_several_versions
    found = store.get(new.id)
    assert (found.version, found.worker_version) == ("1.0", "1.0")


def test_execution_of_one_version_stays_so(store):
    new = new_execution(version="1.0")
    store.accept(new)
    for _ in range(2):
        claim = store.claim(new.id, "w", "1.0")
        assert not claim.is_of_several_versions
        store.hand_back(claim)


def test_executions_are_found_by_their_versions(store):
    old, moved = new_execution(version="1.0"), new_execution(version="1.0")
    for new in (old, moved, new_execution(version="2.0")):
        store.accept(new)
    store.claim(moved.id, "w", "2.0")

    def found(**wanted):
        page = store.find(10, ExecutionFilter(**wanted))
        assert page.looked_back_to is None
        return {each.id for each in page.executions}

    assert found(version="1.0") == {old.id, moved.id}
    assert found(version="1.0", state=State.ACCEPTED) == {old.id}
    assert found(worker_version="2.0") == {moved.id}
    assert found(version="2.0", worker_version="2.0") == set()
    assert found(version="1") == set()
    assert store.count_states(ExecutionFilter(version="1.0")) is None
    assert store.count_states(ExecutionFilter(worker_version="1.0")) is None


def test_retry_by_an_operator_keeps_the_accepted_version(store):
    new = new_execution(version="1.0")
    store.accept(new)
    store.finish(store.claim(new.id, "w", "1.0"), State.FAILED, RESPONSE, "broken")
    store.record_delivery(store.claim_delivery(new.id), "parked", an_attempt("403"))
    store.restart(new.id, from_start=True)
    claim = store.claim(new.id, "w", "2.0")
    assert (claim.version, claim.worker_version) == ("1.0", "2.0")


def test_first_attempt_may_be_of_another_version(worker, log):
    RECEIVED.clear()
    inputs = [value("Number", "7"), value("Amount", "ten")]
    execution_id = worker(first_version()).accept("Buy", inputs)
    later = worker(second_version())
    assert later.run(execution_id).state is State.SUSPENDED
    assert RECEIVED == [("1", {"number": "7", "amount": "ten", "region": None})]
    found = approve(later, execution_id)
    assert (found.state, found.error) == (State.COMPLETED, None)
    assert (found.version, found.worker_version) == ("1", "2")
    assert outputs_of(found) == {"ID": "R-1", "Total": None}
    lines = log_of(later.store, execution_id)
    prefix = "The accepted inputs do not fit the profile: "
    for message in (
        "Accepted by version 1, run by 2",
        f"{prefix}“Amount” cannot be read; its raw text is passed on",
        f"{prefix}“Region” is required, but missing; it has no value",
        "The accepted configuration values do not fit the profile: "
        "“account” is required, but missing; it has no value",
        "The result does not fit: note: no such entry (there are id, total); "
        "Total: missing data for required field",
    ):
        assert message in lines


def test_result_of_the_version_that_accepted_the_execution_is_checked(worker):
    later = worker(second_version())
    inputs = [value("Number", "7"), value("Amount", "10"), value("Region", "EMEA")]
    execution_id = later.accept("Buy", inputs)
    later.run(execution_id)
    found = approve(later, execution_id)
    assert found.state is State.FAILED
    assert "note: no such entry" in found.error


def test_called_process_of_a_later_version_is_not_refused(worker):
    RECEIVED.clear()
    execution_id = worker(first_version()).accept("Call", [value("Number", "7")])
    later = worker(second_version())
    assert later.run(execution_id).state is State.SUSPENDED
    (child,) = later.store.children(execution_id)
    assert (child.version, child.worker_version) == ("2", "2")
    assert RECEIVED == [("2", {"number": "7", "amount": None, "region": None})]


def test_called_process_returns_to_a_parent_of_a_later_version(worker):
    earlier = worker(first_version())
    execution_id = earlier.accept("Call", [value("Number", "7")])
    earlier.run(execution_id)
    (child,) = earlier.store.children(execution_id)
    signal(earlier, child.id)
    earlier.runner.run(child.id, "1")
    later = worker(second_version())
    found = later.run(execution_id)
    assert (found.state, found.error) == (State.COMPLETED, None)
    assert outputs_of(found) == {"ID": "R-1", "Total": None}


def test_changed_profiles_count_as_another_version(worker):
    earlier = worker(first_version())
    execution_id = earlier.accept("Buy", [value("Number", "7")])
    earlier.run(execution_id)
    signal(earlier, execution_id)
    found = worker(rolled_back_version()).run(execution_id)
    assert (found.state, found.error) == (State.COMPLETED, None)
    assert (found.version, found.worker_version) == ("1", "1")
    assert outputs_of(found) == {"Sum": None}


def test_result_with_steps_of_a_version_that_was_rolled_back_is_not_refused(worker):
    earlier = worker(first_version())
    execution_id = earlier.accept("Buy", [value("Number", "7")])
    later = worker(second_version())
    later.run(execution_id)
    signal(later, execution_id)
    rolled_back = worker(rolled_back_version())
    found = rolled_back.run(execution_id)
    assert (found.state, found.error) == (State.COMPLETED, None)
    assert outputs_of(found) == {"Sum": None}


def test_item_has_the_version_of_the_worker_that_started_it(worker):
    execution_id = worker(first_version()).accept("Map")
    later = worker(second_version())
    later.run(execution_id)
    assert outputs_of(approve(later, execution_id))["ID"] == "2"


def test_call_within_one_version_is_checked(worker):
    later = worker(second_version())
    inputs = [value("Number", "7"), value("Amount", "10"), value("Region", "EMEA")]
    found = later.run(later.accept("Call", inputs))
    assert found.state is State.FAILED
    assert found.error.startswith("Shop.Buy cannot be called so: Amount: missing data")
