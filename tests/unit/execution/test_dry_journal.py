"""The journal of a dry replay: recorded outcomes, and an end at the first other entry."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from atom import Fault, FlowService, Profile, SignalTimedOut, StepFailed, fields, testing
from atom.catalog import Catalog
from atom.children import OpenJoin
from atom.context import Execution
from atom.entries import EntryKey
from atom.errors import CannotSpawn, CannotSuspend, JournalMismatch, WrongThread
from atom.execution.children import items_digest
from atom.execution.dry_journal import DryJournal, ReplayEnded
from atom.records import Claim
from atom.store.in_flight_contract import InFlight
from atom.suspension import Wait, WaitKind

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)
RAN = []

shop = FlowService("Shop", version="1")


class Text(Profile):
    text = fields.String(data_key="Text")


@shop.message_action("Order", request=Text)
def order(request, execution):
    """Is called by nobody: the tests call functions of their own."""


@shop.file_resource("files").list
def files(query, execution):
    """Is answered in its request."""


CATALOG = Catalog([shop])


def double(item, execution):
    RAN.append(item)
    return item * 2


def never():
    RAN.append("a step")


@pytest.fixture(autouse=True)
def _nothing_ran():
    RAN.clear()


def recorded(process, **signals):
    """Return the records of an attempt, by their order."""
    journal = testing.MemoryJournal()
    journal.signals = signals
    process(testing.execution(journal))
    RAN.clear()
    return dict(enumerate(journal.steps, 1))


def dry(steps=None, waits=(), join=None, process=None, tokens=None):
    claim = Claim(
        id="00000000-0000-4000-8000-000000000000",
        fence=2,
        attempt=1,
        losses=0,
        tries=0,
        service="Shop",
        action="Order",
        tenant_id="tenant",
        state_id="state",
        token="",
        authorization=None,
        queue="processes",
        trace="",
        request=orjson.dumps(
            {
                "token": "••••",
                "tenantId": "tenant",
                "callbackUri": "https://flow.boomi.com/api/run/1/response",
                "inputs": [],
            }
        ),
        accepted_at=NOW,
        claimed_at=NOW,
        deadline=NOW + timedelta(hours=1),
        wait=None,
        waits={wait.key: wait for wait in waits},
    )
    in_flight = InFlight(
        claim=claim, steps=steps or {}, profiles="", join=join, signal_tokens=tokens or {}
    )
    journal = DryJournal(in_flight, process or CATALOG.process("Shop", "Order"), CATALOG)
    made = Execution(
        claim.id,
        journal,
        process_name="Shop.Order",
        tenant_id="tenant",
        flow_state_id="state",
        attempt=1,
        deadline=claim.deadline,
    )
    return journal, made


def wait(name, kind=WaitKind.TIME):
    return Wait(name=name, kind=kind, until=NOW + timedelta(minutes=1))


def everything(execution):
    price = execution.step("price", lambda: 3)
    execution.sleep(1)
    answer = execution.signal("approve")
    return price, answer, execution.map("ship", double, [1, 2])


def test_recorded_entries_return_their_outcomes_and_nothing_runs():
    steps = recorded(everything, approve={"by": "ada"})
    journal, execution = dry(steps)
    assert everything(execution) == (3, {"by": "ada"}, [2, 4])
    assert (RAN, journal.unreached, journal.is_over) == ([], [], False)


def faulty():
    raise Fault("No.")


def broken():
    raise ValueError("broken")


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (lambda execution: execution.step("fault", faulty), Fault),
        (lambda execution: execution.step("break", broken), StepFailed),
        (lambda execution: execution.signal("late", timeout=1), SignalTimedOut),
    ],
)
def test_recorded_failure_is_raised_again(entry, error):
    def process(execution):
        with pytest.raises(error):
            entry(execution)

    journal, execution = dry(recorded(process))
    process(execution)
    assert not journal.is_over


@pytest.mark.parametrize(
    "entry",
    [
        lambda execution: execution.step("new", never),
        lambda execution: execution.sleep(1, name="new"),
        lambda execution: execution.wait_until(NOW, name="new"),
        lambda execution: execution.signal("new"),
        lambda execution: execution.map("new", double, [1]),
        lambda execution: execution.call(order, name="new"),
    ],
)
def test_entry_before_recorded_entries_is_new(entry):
    def old(execution):
        execution.step("price", never)
        execution.step("charge", never)

    def new(execution):
        execution.step("price", never)
        entry(execution)
        execution.step("charge", never)

    journal, execution = dry(recorded(old))
    with pytest.raises(ReplayEnded):
        new(execution)
    assert (journal.new_entry, journal.unreached) == (EntryKey("new"), [EntryKey("charge")])
    assert (RAN, journal.mismatch) == ([], None)


def test_entry_before_a_begun_wait_is_new_and_the_wait_is_not():
    journal, execution = dry(waits=[wait("settle")])
    with pytest.raises(ReplayEnded):
        execution.step("new", never)
    assert journal.new_entry == EntryKey("new")
    journal, execution = dry(waits=[wait("settle")])
    with pytest.raises(ReplayEnded):
        execution.sleep(60, name="settle")
    assert (journal.new_entry, journal.unreached) == (None, [])


def test_entry_after_all_records_is_not_new_and_removed_records_are_listed():
    def old(execution):
        execution.step("audit", never)
        execution.step("price", never)

    journal, execution = dry(recorded(old))
    execution.step("price", never)
    with pytest.raises(ReplayEnded):
        execution.step("mail", never)
    assert (journal.new_entry, journal.unreached) == (None, [EntryKey("audit")])


def test_removed_record_is_not_mistaken_for_a_later_one_at_a_begun_wait():
    steps = recorded(lambda execution: execution.step("audit", never))
    journal, execution = dry(steps, [wait("approve", WaitKind.SIGNAL)])
    with pytest.raises(ReplayEnded):
        execution.signal("approve")
    assert (journal.new_entry, journal.unreached) == (None, [EntryKey("audit")])


def test_renamed_entry_keeps_its_record():
    journal, execution = dry(recorded(lambda execution: execution.step("charge", lambda: 5)))
    assert execution.step("pay", never, formerly="charge") == 5
    assert journal.unreached == []


def test_replay_stays_over_in_a_process_that_catches_everything():
    journal, execution = dry()
    for _ in range(2):
        with pytest.raises(ReplayEnded):
            execution.step("price", never)
    assert journal.is_over


# --- what a worker would hold


def check_held(journal, call, problem):
    with pytest.raises(ReplayEnded):
        call()
    assert problem in journal.mismatch


def test_another_kind_of_entry_is_held():
    journal, execution = dry(waits=[wait("approve", WaitKind.SIGNAL)])
    problem = "is recorded as a wait for a signal, and the code asks for a step"
    check_held(journal, lambda: execution.step("approve", never), problem)


def test_another_function_is_held():
    steps = recorded(lambda execution: execution.step("charge", never))
    journal, execution = dry(steps)
    problem = "is recorded as a step of never, and the code asks for a step of broken"
    check_held(journal, lambda: execution.step("charge", broken), problem)


def test_recorded_map_over_other_items_is_held():
    steps = recorded(lambda execution: execution.map("ship", double, [1]))
    journal, execution = dry(steps)
    problem = "is recorded as a map over other items"
    check_held(journal, lambda: execution.map("ship", double, [2]), problem)


def open_join(name="ship", function="double", items=(1, 2)):
    key = EntryKey(name)
    return OpenJoin(key=key, function=function, digest=items_digest(items), total=len(items))


@pytest.mark.parametrize(
    ("join", "problem"),
    [
        (open_join(items=[1]), "a map over 1 items, and the code asks for a map over 2 other"),
        (open_join(function="triple"), "a map of triple, and the code asks for a map of double"),
    ],
)
def test_open_join_that_does_not_fit_is_held(join, problem):
    journal, execution = dry(join=join)
    check_held(journal, lambda: execution.map("ship", double, [1, 2]), problem)


@pytest.mark.parametrize("join", [open_join(), open_join("another entry", items=[9])])
def test_open_join_that_fits_or_belongs_elsewhere_is_not_held(join):
    journal, execution = dry(join=join)
    with pytest.raises(ReplayEnded):
        execution.map("ship", double, [1, 2])
    assert (journal.mismatch, journal.new_entry, RAN) == (None, None, [])


def test_mismatch_fails_a_process_that_cannot_be_suspended():
    synchronous = next(each for each in CATALOG.processes() if each.is_synchronous)
    steps = recorded(lambda execution: execution.step("charge", never))
    journal, execution = dry(steps, process=synchronous)
    with pytest.raises(JournalMismatch):
        execution.step("charge", broken)
    assert not journal.is_over
    with pytest.raises(CannotSuspend, match="answered in its request"):
        execution.signal("approve")


# --- what a worker would refuse


def test_wait_beyond_the_deadline_is_refused():
    _, execution = dry()
    with pytest.raises(CannotSuspend, match="its deadline is 2026-01-31 09:00:00 UTC"):
        execution.sleep(7200)


def test_map_of_a_local_function_is_refused():
    _, execution = dry()
    with pytest.raises(CannotSpawn, match="declare it with def in a module"):
        execution.map("ship", lambda item, execution: item, [1])


def test_steps_of_another_thread_are_refused():
    _, execution = dry()
    with ThreadPoolExecutor() as pool, pytest.raises(WrongThread):
        pool.submit(execution.step, "price", never).result()


def test_signal_token_is_the_stored_one():
    _, execution = dry(tokens={"approve": "stored"})
    assert execution.signal_token("approve") == "stored"
    assert "dry replay" in execution.signal_token("other")


def test_progress_is_dropped():
    _, execution = dry()
    execution.progress("half way", 0.5)
    assert not execution.cancelled
