"""Entries of a journal as operators see them: outcomes, children, and the giver of a signal."""

import logging

import orjson
import pytest

from atom import Fault, FlowService, Profile, fields
from atom.execution import entry_view, operating
from atom.execution.listing import document
from atom.records import State
from atom.store import RedisStore
from atom.store.encryption import new_key
from atom.suspension import GivenSignal, Signalled
from tests.contract.conftest import short_times
from tests.contract.test_ending_and_restarting import hold
from tests.support.executions import new_execution
from tests.support.redis_content import content_of
from tests.support.running import Worker

PIN, PASSWORD = "7q", "canary-password"
TOKENS = {}


class Order(Profile):
    pin = fields.Password(data_key="Pin")
    password = fields.Password(data_key="Password")
    number = fields.String(data_key="Number")


class Receipt(Profile):
    id = fields.String(data_key="ID")


def part(item, execution):
    """Leak what an item has, and fail or refuse if it says so."""
    if item["how"] == "fault":
        raise Fault(f"No {item['password']}.", name="Refused")
    if item["how"] == "break":
        raise ValueError(f"wrong {item['password']}")
    return {"used": str(item["password"]), "how": item["how"]}


shop = FlowService("Shop", version="1")


@shop.message_action("Deliver", request=Order, response=Receipt)
def deliver(request, execution):
    return {"id": f"D-{request['number']}"}


@shop.message_action("Buy", request=Order, response=Receipt)
def buy(request, execution):
    """Record every kind of entry, each with the secrets of the request."""
    execution.step("plain", lambda: {"pin is": f"it is {request['pin']}", "n": [1, None, True]})
    execution.step("marked", lambda: [request["password"], request["pin"]])
    for _ in range(2):
        execution.step("twice", lambda: 1)
    for error in (Fault(f"No {request['pin']}.", name="Closed"), OSError(request["password"])):
        try:
            execution.step("unsuccessful", raising, error)
        except Exception:
            logging.getLogger("shop").info("went on")
    execution.sleep(0)
    items = [{"how": how, "password": request["password"]} for how in ("well", "fault", "break")]
    execution.map("parts", part, items, return_faults=True)
    execution.call(deliver, {"number": "5", "password": request["password"]})
    TOKENS[execution.id] = execution.signal_token("approval")
    execution.signal("approval")
    return {"id": "R-1"}


def raising(error):
    raise error


@pytest.fixture
def worker(settings, raw):
    worker = Worker(settings, shop)
    yield worker
    worker.keeper.hand_back()
    worker.store.close()


def value(name, content, kind="ContentString"):
    return {"developerName": name, "contentType": kind, "contentValue": content}


def bought(worker):
    """Return an execution that waits for its signal."""
    inputs = [
        value("Pin", PIN, "ContentPassword"),
        value("Password", PASSWORD, "ContentPassword"),
        value("Number", "1"),
    ]
    execution_id = worker.accept("Buy", inputs)
    assert worker.run(execution_id).state is State.SUSPENDED
    return execution_id


def entries(worker, execution_id):
    return [entry_view.document(entry) for entry in worker.store.get(execution_id).steps]


def test_document_has_the_outcome_of_every_entry_without_secrets(worker, raw):
    execution_id = bought(worker)
    operating.signal(worker.store, execution_id, "approval", '{"said":"pin 7q"}', "ada (CLI)")
    assert worker.run(execution_id).state is State.COMPLETED
    shown = {entry["label"]: entry for entry in entries(worker, execution_id)}
    assert list(shown) == [
        "plain",
        "marked",
        "twice",
        "twice (2)",
        "unsuccessful",
        "unsuccessful (2)",
        "sleep",
        "map parts (3 items)",
        "call Shop.Deliver",
        "signal approval",
    ]
    assert shown["plain"]["result"] == {"pin is": "it is ••••", "n": [1, None, True]}
    assert shown["marked"]["result"] == ["••••", "••••"]
    assert (shown["twice"]["result"], shown["twice (2)"]["occurrence"]) == (1, 2)
    fault = {"name": "Closed", "message": "No ••••.", "entry": None}
    assert shown["unsuccessful"]["faults"] == [fault]
    assert shown["unsuccessful (2)"]["failure"] == {"kind": "OSError", "reason": "••••"}
    well, refused, broken = shown["map parts (3 items)"]["result"]
    assert well == {"result": {"used": "••••", "how": "well"}}
    assert refused == {"faults": [{"name": "Refused", "message": "No ••••.", "entry": None}]}
    assert broken["failure"]["kind"] == "ChildFailed"
    assert broken["failure"]["reason"].endswith("failed: ValueError: wrong ••••")
    (output,) = shown["call Shop.Deliver"]["result"]
    assert (output["developerName"], output["contentValue"]) == ("ID", "D-5")
    signal = shown["signal approval"]
    assert (signal["result"], signal["giver"]) == ({"said": "pin ••••"}, "operator ada (CLI)")

    full = orjson.dumps(document(worker.store.get(execution_id), full=True)).decode()
    family = worker.store.children(execution_id)
    full += "".join(str(worker.store.get(child.id)) for child in family)
    assert PASSWORD not in full
    assert PIN not in full


def test_replay_gets_the_whole_result(worker):
    """The mask is for people alone: the process sees what it has recorded."""
    execution_id = bought(worker)
    worker.store.signal(execution_id, "approval", "null", None)
    claim = worker.store.claim(execution_id, "w", "1")
    results = [step.result for step in worker.store.steps(claim).values()]
    assert f'["{PASSWORD}","{PIN}"]' in results


def test_text_has_reason_event_and_giver_on_one_line(worker):
    execution_id = bought(worker)
    operating.signal(worker.store, execution_id, "approval", '{"by":"Ada"}', "ada (console)")
    worker.run(execution_id)
    texts = {
        entry_view.label(entry): entry_view.text(entry)
        for entry in worker.store.get(execution_id).steps
    }
    assert texts["unsuccessful"] == "Closed: No ••••."
    assert texts["unsuccessful (2)"] == "OSError: ••••"
    assert texts["sleep"] == ""
    assert texts["signal approval"] == '{"by":"Ada"} from operator ada (console)'


# --- the giver


def waiting(store):
    new = new_execution()
    store.accept(new)
    return hold(store, new.id)


@pytest.mark.parametrize(
    ("with_token", "operator", "giver"),
    [
        (True, "", "token"),
        (True, "ada", "token"),
        (False, "ada (CLI)", "operator ada (CLI)"),
        (False, "a\nb", "operator a b"),
        (False, "", "operator"),
        (False, "x" * 1_000, f"operator {'x' * 100}"),
    ],
)
def test_giver_is_kept_with_the_event(store, with_token, operator, giver):
    claim = waiting(store)
    token = store.signal_token(claim, "approval") if with_token else None
    assert store.signal(claim.id, "approval", '{"n":\n1}', token, operator) is Signalled.KEPT
    assert store.signal_event(claim, "approval") == GivenSignal('{"n":\n1}', giver)


def test_first_giver_of_an_event_stands(store):
    claim = waiting(store)
    store.signal(claim.id, "approval", "1", None, "ada")
    assert store.signal(claim.id, "approval", "1", None, "bob") is Signalled.KEPT
    assert store.signal(claim.id, "approval", "2", None, "bob") is Signalled.GIVEN
    assert store.signal_event(claim, "approval").giver == "operator ada"


def test_giver_of_a_token_is_recorded_without_the_token(worker, raw):
    execution_id = bought(worker)
    token = TOKENS[execution_id]
    worker.store.signal(execution_id, "approval", "null", token)
    worker.run(execution_id)
    (signal,) = [e for e in entries(worker, execution_id) if e["entry"] == "signal"]
    assert (signal["result"], signal["giver"]) == (None, "token")
    assert token not in str(entries(worker, execution_id))


def test_giver_is_encrypted_with_the_event(embedded_redis, raw):
    store = RedisStore(short_times(embedded_redis.url, secret_key=(new_key(),)))
    claim = waiting(store)
    store.signal(claim.id, "approval", '"canary-event"', None, "canary-operator")
    assert b"canary" not in content_of(raw)
    assert store.signal_event(claim, "approval").giver == "operator canary-operator"
    store.close()
