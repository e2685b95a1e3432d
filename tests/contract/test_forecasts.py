"""Forecasts for unfinished executions, compared with what a worker does afterwards."""

import logging
import signal
import sys
import time
from dataclasses import replace

import pytest

from atom import Fault, FlowService, Profile, fields
from atom.entries import EntryKey
from atom.execution.in_flight import Forecaster, Part, Prediction
from atom.records import State
from atom.store import open_store
from atom.store.encryption import new_key
from tests.support.running import Worker

CANARY = "canary-of-a-password"


class Text(Profile):
    text = fields.String(data_key="Text")
    password = fields.Password(data_key="Password")


def note():
    return "noted"


def other_note():
    return "noted otherwise"


def pack(item, execution):
    execution.step("pack", note)
    return execution.signal("packed")


def inner(request, execution):
    execution.signal("packed")
    return {"text": request["text"].upper()}


def service(process, version, on_end=None, name="Order"):
    shop = FlowService("Shop", version=version)
    shop.configuration_value("region")
    shop.message_action(name, request=Text, response=Text, on_end=on_end)(process)
    shop.message_action("Inner", request=Text, response=Text)(inner)
    return shop


def waiting(request, execution):
    execution.step("price", note)
    execution.step("audit", note)
    return {"text": str(execution.signal("approve"))}


@pytest.fixture
def deploy(settings, raw):
    """Make the worker of a version, and the forecaster with the same code."""
    made = []

    def make(process, version="1", **options):
        worker = Worker(settings, service(process, version, **options))
        made.append(worker)
        return worker, forecaster_of(worker)

    yield make
    for worker in made:
        worker.keeper.hand_back()
        worker.store.close()


def forecaster_of(worker, seconds=10.0):
    return Forecaster(
        worker.catalog, worker.store, None, make_flow_client=lambda tenant: None, seconds=seconds
    )


def inputs(**values):
    kinds = {"Password": "ContentPassword"}
    return [
        {
            "developerName": name,
            "contentType": kinds.get(name, "ContentString"),
            "contentValue": value,
        }
        for name, value in values.items()
    ]


def begun(deploy, process=waiting, **options):
    """Run an execution with the first version until it waits."""
    worker, _ = deploy(process, **options)
    execution = worker.run(worker.accept("Order", inputs(Text="x")))
    assert execution.state is State.SUSPENDED
    return execution.id


def resumed(worker, execution_id, name="approve"):
    """Give the signal and run the execution with a version."""
    worker.store.signal(execution_id, name, '"yes"', None)
    return worker.run(execution_id)


def inserted(request, execution):
    execution.step("price", note)
    execution.step("audit", note)
    execution.step("check stock", note)
    return {"text": str(execution.signal("approve"))}


def removed(request, execution):
    execution.step("price", note)
    return {"text": str(execution.signal("approve"))}


def other_kind(request, execution):
    execution.step("price", note)
    execution.step("audit", note)
    return {"text": execution.step("approve", note)}


def other_function(request, execution):
    execution.step("price", other_note)


def former_name_in_use(request, execution):
    execution.step("price", note)
    execution.step("review", note, formerly="audit")
    execution.step("audit", note)


def former_name_of_two(request, execution):
    execution.step("price", note)
    execution.step("review", note, formerly="audit")
    execution.step("check stock", note, formerly="audit")


def failing(request, execution):
    raise ValueError("broken by the deploy")


def leaving(request, execution):
    sys.stdout.write("printed by the process")
    logging.getLogger("shop").error("logged by the process")
    sys.exit("left")


def refusing(request, execution):
    raise Fault("No.")


def test_code_that_fits_continues(deploy):
    execution_id = begun(deploy)
    worker, forecaster = deploy(waiting, "2")
    forecast = forecaster.forecast(execution_id)
    assert (forecast.prediction, forecast.unreached) == (Prediction.CONTINUES, ())
    assert resumed(worker, execution_id).state is State.COMPLETED


def test_inserted_step_would_run_anew(deploy):
    execution_id = begun(deploy)
    worker, forecaster = deploy(inserted, "2")
    forecast = forecaster.forecast(execution_id)
    assert forecast.prediction is Prediction.RUNS_NEW_ENTRY
    assert forecast.entry == EntryKey("check stock")
    execution = resumed(worker, execution_id)
    assert execution.state is State.COMPLETED
    assert "check stock" in [step.name for step in execution.steps]


def test_record_of_a_removed_step_is_not_reached(deploy):
    execution_id = begun(deploy)
    worker, forecaster = deploy(removed, "2")
    forecast = forecaster.forecast(execution_id)
    assert forecast.prediction is Prediction.CONTINUES
    assert forecast.unreached == (EntryKey("audit"),)
    assert resumed(worker, execution_id).state is State.COMPLETED


@pytest.mark.parametrize(
    "process", [other_kind, other_function, former_name_in_use, former_name_of_two]
)
def test_mismatch_is_held_for_the_reason_that_the_worker_gives(deploy, process):
    execution_id = begun(deploy)
    worker, forecaster = deploy(process, "2")
    forecast = forecaster.forecast(execution_id)
    assert forecast.prediction is Prediction.HELD
    execution = resumed(worker, execution_id)
    assert execution.held_since is not None
    assert execution.error.startswith(forecast.reason)
    # A held execution is replayed like any other.
    assert forecaster.forecast(execution_id) == forecast
    _, old = deploy(waiting)
    assert old.forecast(execution_id).prediction is Prediction.CONTINUES


def test_action_that_is_not_served_is_held(deploy):
    execution_id = begun(deploy)
    _, forecaster = deploy(waiting, "2", name="Another")
    forecast = forecaster.forecast(execution_id)
    assert forecast.prediction is Prediction.HELD
    assert forecast.reason == "The worker serves no action “Order” of service “Shop”."


@pytest.mark.parametrize(
    ("process", "reason"),
    [(failing, "ValueError: broken by the deploy"), (leaving, "SystemExit: left")],
)
def test_exception_outside_of_steps_fails(deploy, capfd, caplog, process, reason):
    execution_id = begun(deploy)
    worker, forecaster = deploy(process, "2")
    caplog.clear()
    forecast = forecaster.forecast(execution_id)
    assert (forecast.prediction, forecast.reason) == (Prediction.FAILS, reason)
    assert "by the process" not in caplog.text + "".join(capfd.readouterr())
    execution = resumed(worker, execution_id)
    assert (execution.state, execution.error) == (State.FAILED, reason)


def test_fault_of_a_process_is_an_answer(deploy):
    execution_id = begun(deploy)
    worker, forecaster = deploy(refusing, "2")
    assert forecaster.forecast(execution_id).prediction is Prediction.CONTINUES
    assert resumed(worker, execution_id).state is State.FAULTED


def hanging(request, execution):
    try:
        time.sleep(60)
    except BaseException:  # a process may catch the end of its time once
        time.sleep(60)


def test_replay_that_hangs_is_ended(deploy):
    execution_id = begun(deploy)
    worker, _ = deploy(hanging, "2")
    before = signal.getsignal(signal.SIGALRM)
    forecast = forecaster_of(worker, seconds=0.1).forecast(execution_id)
    assert forecast.prediction is Prediction.FAILS
    assert forecast.reason == "TimeoutError: the replay took more than 0.1 s outside of steps"
    assert signal.getsignal(signal.SIGALRM) is before


def incomplete(request, execution):
    execution.step("price", note)
    return {"text": "done", "unknown": execution.is_of_several_versions}


@pytest.mark.parametrize(
    ("version", "prediction", "state"),
    [
        ("1", Prediction.FAILS, State.FAILED),
        ("2", Prediction.CONTINUES, State.COMPLETED),
    ],
)
def test_result_that_does_not_fit_fails_within_one_version(deploy, version, prediction, state):
    execution_id = begun(deploy)
    worker, forecaster = deploy(incomplete, version)
    forecast = forecaster.forecast(execution_id)
    assert forecast.prediction is prediction
    assert resumed(worker, execution_id).state is state


# --- children and cleanups


def mapping(request, execution):
    return {"text": str(execution.map("ship", pack, [1, 2]))}


def mapping_more(request, execution):
    return {"text": str(execution.map("ship", pack, [1, 2, 3]))}


def test_map_over_other_items_is_held_and_its_items_continue(deploy):
    execution_id = begun(deploy, mapping)
    worker, forecaster = deploy(mapping_more, "2")
    children = worker.store.children(execution_id)
    assert set(worker.store.unfinished(10).ids) == {execution_id, *(each.id for each in children)}
    forecast = forecaster.forecast(execution_id)
    assert forecast.prediction is Prediction.HELD
    assert "a map over 2 items, and the code asks for a map over 3 other items" in forecast.reason
    for child in children:
        item = forecaster.forecast(child.id)
        assert (item.part, item.prediction) == (Part.ITEM, Prediction.CONTINUES)
        worker.store.signal(child.id, "packed", "1", None)
        worker.run(child.id)
    assert worker.store.get(execution_id).error.startswith(forecast.reason)


def test_item_without_its_function_is_held(deploy, monkeypatch):
    execution_id = begun(deploy, mapping)
    worker, forecaster = deploy(mapping, "2")
    (child, _) = worker.store.children(execution_id)
    monkeypatch.delattr(sys.modules[__name__], "pack")
    forecast = forecaster.forecast(child.id)
    assert forecast.prediction is Prediction.HELD
    assert resumed(worker, child.id, "packed").error.startswith(forecast.reason)


def calling(request, execution):
    called = execution.call(inner, {"text": "a"})
    execution.signal("approve")
    return called


def calling_otherwise(request, execution):
    return execution.call(inner, {"text": "b"})


def test_open_call_with_another_document_is_held(deploy):
    execution_id = begun(deploy, calling)
    _, forecaster = deploy(calling, "2")
    assert forecaster.forecast(execution_id).prediction is Prediction.CONTINUES
    worker, forecaster = deploy(calling_otherwise, "2")
    forecast = forecaster.forecast(execution_id)
    assert forecast.prediction is Prediction.HELD
    assert "a call with another document, and the code asks for a call" in forecast.reason
    (child,) = worker.store.children(execution_id)
    assert forecaster.forecast(child.id).part is Part.ACTION
    resumed(worker, child.id, "packed")
    assert worker.store.get(execution_id).error.startswith(forecast.reason)


def test_recorded_call_returns_its_outputs(deploy):
    execution_id = begun(deploy, calling)
    worker, forecaster = deploy(calling, "2")
    (child,) = worker.store.children(execution_id)
    resumed(worker, child.id, "packed")
    assert worker.store.get(execution_id).wait.name == "approve"
    assert forecaster.forecast(execution_id).prediction is Prediction.CONTINUES
    # A call is recorded with its outputs, whatever is passed later.
    assert forecaster_of(deploy(calling_otherwise, "2")[0]).forecast(execution_id).unreached == (
        EntryKey("approve"),
    )
    assert resumed(worker, execution_id).response["outputs"][0]["contentValue"] == "A"


def clean_up(request, execution, ending):
    execution.step("undo", note)
    execution.signal("undone")


def clean_up_otherwise(request, execution, ending):
    execution.step("undo", other_note)


def test_cleanup_is_replayed(deploy):
    worker, forecaster = deploy(failing, on_end=clean_up)
    execution = worker.run(worker.accept("Order", inputs(Text="x")))
    (cleanup,) = worker.store.children(execution.id)
    worker.run(cleanup.id)
    forecast = forecaster.forecast(cleanup.id)
    assert (forecast.part, forecast.prediction) == (Part.CLEANUP, Prediction.CONTINUES)
    worker, forecaster = deploy(failing, "2", on_end=clean_up_otherwise)
    forecast = forecaster.forecast(cleanup.id)
    assert forecast.prediction is Prediction.HELD
    assert resumed(worker, cleanup.id, "undone").error.startswith(forecast.reason)
    worker, forecaster = deploy(failing, "3")
    assert forecaster.forecast(cleanup.id).prediction is Prediction.HELD


# --- secrets


def telling(request, execution):
    raise ValueError(request["password"])


def test_secret_of_a_request_is_masked_in_a_reason(deploy):
    worker, forecaster = deploy(telling)
    request = worker.accept("Order", inputs(Password=CANARY))
    forecast = forecaster.forecast(request)
    assert forecast.prediction is Prediction.FAILS
    assert CANARY not in forecast.reason


def test_execution_encrypted_with_another_key_is_unreadable(settings, deploy):
    worker, _ = deploy(waiting)
    encrypting = open_store(replace(settings, secret_key=(new_key(),)))
    worker.store, store = encrypting, worker.store
    execution_id = worker.accept("Order")
    worker.store = store
    encrypting.close()
    forecast = forecaster_of(worker).forecast(execution_id)
    assert (forecast.prediction, forecast.action) == (Prediction.UNREADABLE, "Order")
    assert "no key in ATOM_SECRET_KEY reads it" in forecast.reason


def test_ended_execution_has_no_forecast(deploy):
    worker, forecaster = deploy(refusing)
    assert forecaster.forecast(worker.run(worker.accept("Order")).id) is None
