"""Outcomes of processes that raise or return anything, run by a real runner over a real Redis."""

import asyncio
import builtins

import orjson
import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from atom import Fault, Faults, FlowService, Profile, Retry, StepFailed, errors, fields, testing
from atom.catalog import Catalog
from atom.errors import ClaimLost, StoreUnavailable
from atom.execution.keeper import LeaseKeeper
from atom.execution.runner import Limits, Runner
from atom.names import documents_key
from atom.records import State
from atom.store import RedisStore
from atom.suspension import Suspended
from tests.contract.conftest import short_times
from tests.support.executions import new_execution
from tests.support.redis_content import content_of

CANARY = "C4n4ry-9Qx"
SENTENCE = "Do could not be completed; look for execution"

odd = FlowService("Odd", summary="Processes that do what a test says", version="1")
do = {}  # what user code does next, by where it stands


class Asked(Profile):
    password = fields.Password(data_key="Password")


class Answer(Profile):
    text = fields.String(data_key="Text")
    number = fields.Number(data_key="Number")


def item(value, execution):
    return do["item"](value)


@odd.message_action("Do", request=Asked, response=Answer)
def whole(request, execution):
    return do["process"](execution)


@odd.message_action("Do as outputs", request=Asked, response=Answer, faults="outputs")
def as_outputs(request, execution):
    return do["process"](execution)


@odd.message_action("Do again", response=Answer, retry=Retry(attempts=2, wait_seconds=0))
def again(request, execution):
    return do["process"](execution)


class Thing(Profile):
    id = fields.String(data_key="ID")


thing = odd.data_action("Thing", profile=Thing, key="id")


@thing.get
def get_thing(id, execution):
    return do["process"](execution)


class Worker:
    """One that runs an execution and the children that it publishes."""

    def __init__(self, settings):
        self.catalog = Catalog([odd])
        self.published = []
        self.store = RedisStore(settings, on_released=self.published.extend)
        self.store.set_windows({"processes": 100})
        self.keeper = LeaseKeeper(lambda: RedisStore(settings), 30.0, 30.0)
        self.keeper.start()
        self.is_ending = False
        self.runner = Runner(
            self.catalog,
            self.store,
            self,
            None,
            keeper=self.keeper,
            limits=Limits(
                lease_seconds=30.0, max_attempts=3, max_step_bytes=50_000, max_log_lines=20
            ),
            worker="w",
            make_flow_client=lambda tenant: None,
            is_ending=lambda: self.is_ending,
        )

    def publish_callback(self, execution_id):
        """No flow is here."""

    def accept(self, action="Do"):
        password = {
            "developerName": "Password",
            "contentType": "ContentPassword",
            "contentValue": CANARY,
        }
        whole = {
            "token": "••••",
            "tenantId": "tenant",
            "callbackUri": "https://flow.boomi.com/api/run/1/response",
            "inputs": [password],
            "objectDataType": {"developerName": "Thing"},
            "listFilter": {"id": "1"},
        }
        public = {**whole, "inputs": [{**password, "contentValue": "••••"}]}
        new = new_execution(
            service="Odd",
            action=action,
            request=orjson.dumps(public),
            private_request=orjson.dumps(whole),
        )
        self.store.accept(new)
        return new.id

    def run(self, execution_id):
        words = [self.runner.run(execution_id, "1")]
        while self.published:
            words.append(self.runner.run(self.published.pop(0).id, "1"))
        return words

    def outcome(self, action="Do"):
        """The ended execution of one request: it took one attempt and lost no worker."""
        self.store._redis.flushall()
        self.store.set_windows({"processes": 100})
        execution_id = self.accept(action)
        self.run(execution_id)
        found = self.store.get(execution_id)
        assert found.state in (State.COMPLETED, State.FAILED, State.FAULTED), found.error
        assert (found.attempts, found.losses, found.tries) == (1, 0, 0)
        assert found.response is not None
        return found

    def close(self):
        self.keeper.hand_back()
        self.store.close()


@pytest.fixture(scope="module")
def worker(embedded_redis):
    worker = Worker(short_times(embedded_redis.url))
    yield worker
    worker.close()


def raising(error):
    def act(*_):
        raise error

    return act


def in_step(act):
    return lambda execution: execution.step("step", act)


def in_map(act):
    do["item"] = act
    return lambda execution: execution.map("map", item, [1])


def in_swallowing(act):
    """A process that lets a failure of its step pass, as bare `except` clauses do."""

    def process(execution):
        try:
            execution.step("step", act)
        except StepFailed as failed:
            return {"text": failed.reason}
        return {}

    return process


PLACES = {"process": lambda act: act, "step": in_step, "item": in_map, "swallowed": in_swallowing}

# --- anything that can be raised

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
SECRET_TEXT = st.builds(lambda head, tail: f"{head}{CANARY}{tail}", ANY_TEXT, ANY_TEXT)


class Hostile:
    """A value whose text, representation and class raise."""

    def __init__(self, error):
        self._error = error

    def __str__(self):
        raise self._error

    __repr__ = __str__


class HostileError(Exception):
    """An exception that raises whenever it is looked at."""

    def __str__(self):
        raise SystemExit(CANARY)

    __repr__ = __str__
    __notes__ = args = message = name = faults = wait = kinds = reason = property(__str__)
    __class__ = property(__str__)


class HostileFault(Fault):
    """A Fault that did not call its base, and raises when it is asked for its text."""

    def __init__(self, *_):
        pass

    def __str__(self):
        raise KeyboardInterrupt(CANARY)


class RaisingFault(Fault):
    """A Fault whose fields raise."""

    def __init__(self, *_):
        pass

    message = name = entry = property(lambda self: 1 / 0)


class Own(BaseException):
    """A direct child of BaseException."""


NEEDS_ARGUMENTS = (BaseExceptionGroup, ExceptionGroup)
BUILTIN = [
    each
    for each in vars(builtins).values()
    if isinstance(each, type) and issubclass(each, BaseException) and each not in NEEDS_ARGUMENTS
]
# Unreadable hands an execution on to a worker that has the key, so a process may not raise it.
PROJECT = [
    getattr(errors, name)
    for name in errors.__all__
    if name not in ("Unreadable", "Faults") and isinstance(getattr(errors, name), type)
]
OWN = [Own, HostileError, HostileFault, RaisingFault, asyncio.CancelledError, Suspended]

arguments = st.lists(
    st.one_of(
        ANY_TEXT,
        SECRET_TEXT,
        st.binary(max_size=10),
        st.integers(),
        st.none(),
        st.floats(),
        st.builds(Hostile, st.sampled_from([ValueError(CANARY), SystemExit(CANARY)])),
    ),
    max_size=3,
)


@st.composite
def raised(draw):
    """An exception of any class with any arguments."""
    kind, given = draw(st.sampled_from([*BUILTIN, *PROJECT, *OWN])), draw(arguments)
    try:
        error = kind(*given)
    except Exception:
        try:
            error = kind.__new__(kind, *given)  # without the fields that its class expects
        except Exception:
            reject()  # some refuse them here already: BlockingIOError a third that is no integer
    match draw(st.sampled_from(["alone", "cause", "group", "base group"])):
        case "cause":
            error.__cause__ = ValueError(CANARY)
        case "group" if isinstance(error, Exception):
            return ExceptionGroup(draw(SECRET_TEXT), [error])
        case "base group":
            return BaseExceptionGroup(draw(SECRET_TEXT), [error])
    return error


fault_fields = st.one_of(
    ANY_TEXT, SECRET_TEXT, st.binary(), st.integers(), st.none(), st.booleans()
)
any_fault = st.builds(Fault, fault_fields, fault_fields, fault_fields)
any_faults = st.lists(st.one_of(any_fault, fault_fields), min_size=1, max_size=3).map(
    lambda each: Faults(*each)
)


def ended(worker, log, act, action="Do"):
    """The execution of a process that does this; nobody sees a secret of it."""
    do["process"] = act
    log.seek(0)
    log.truncate()
    found = worker.outcome(action)
    shown = [found.error or "", orjson.dumps(found.response).decode(), log.getvalue()]
    shown += [line.message for line in worker.store.log(found.id)]
    for text in shown:
        text.encode()
        assert CANARY not in text
    worker.store._redis.hdel(documents_key(found.id), "private_request")
    assert CANARY.encode() not in content_of(worker.store._redis)
    return found


@pytest.mark.parametrize("action", ["Do", "Do as outputs"])
@settings(max_examples=150)
@given(place=st.sampled_from(list(PLACES)), error=st.one_of(raised(), any_fault, any_faults))
@example(place="process", error=SystemExit(f"wrong {CANARY}"))
@example(place="process", error=HostileError())
@example(place="step", error=HostileFault())
@example(place="item", error=Fault(b"\xff", "\udcff", 5))
@example(place="process", error=ClaimLost("e"))
@example(place="step", error=ClaimLost("e"))
@example(place="item", error=Suspended(None))
@example(place="process", error=StoreUnavailable(CANARY))
def test_anything_raised_is_the_outcome_of_one_attempt(worker, log, action, place, error):
    found = ended(worker, log, PLACES[place](raising(error)), action)
    assert found.state is not State.COMPLETED or place == "swallowed"


@settings(max_examples=100)
@given(error=st.one_of(raised(), any_fault, any_faults))
def test_anything_raised_by_a_data_action_is_answered_with_a_problem(worker, log, error):
    found = ended(worker, log, raising(error), "Thing.get")
    assert found.response["statusCode"] == (409 if found.state is State.FAULTED else 500)
    assert found.response["message"] or found.state is State.FAULTED


# --- anything that can be returned


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def endless():
    value = []
    value.append(value)
    return value


def generator():
    yield 1
    raise SystemExit(CANARY)


scalars = st.one_of(
    ANY_TEXT,
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**63),
    st.builds(pow, st.just(10), st.just(5000)),
    st.floats(),
    st.decimals(),
    st.binary(max_size=5),
    st.datetimes(),
    st.dates(),
    st.uuids(),
    st.builds(Hostile, st.sampled_from([ValueError(CANARY), SystemExit(CANARY)])),
    st.builds(nested, st.sampled_from([10, 300, 3000])),
    st.builds(endless),
    st.builds(generator),
    st.builds(object),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.frozensets(st.integers()),
        st.dictionaries(st.one_of(ANY_TEXT, st.integers(), st.just("$date")), inner, max_size=3),
        st.fixed_dictionaries({}, optional={"text": inner, "number": inner}),
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("action", ["Do", "Do as outputs", "Thing.get"])
@settings(max_examples=100)
@given(value=anything)
def test_anything_returned_by_a_process_is_an_outcome(worker, log, action, value):
    ended(worker, log, lambda execution: value, action)


@settings(max_examples=150)
@given(place=st.sampled_from(["step", "item"]), value=anything)
def test_anything_returned_by_a_step_or_an_item_is_an_outcome(worker, log, place, value):
    ended(worker, log, PLACES[place](lambda *_: value))


# --- names that are not UTF-8, as file names may be


def say_everywhere(name, execution):
    """Give this name to everything that takes one."""
    execution.progress(f"Reading {name}", 0.5)
    execution.log.info("reading %s", name)
    token = execution.signal_token(name)
    assert execution.step(f"step {name}", lambda: name) == name
    assert execution.map(f"map {name}", item, [name]) == [name]
    try:
        execution.signal(name, timeout=0)
    except errors.SignalTimedOut:
        assert execution.signal_token(name) == token
        return {"text": execution.idempotency_key(name)}


@settings(max_examples=50)
@given(name=ANY_TEXT)
@example(name="caf\udce9.txt")
@example(name="\ud800")
def test_any_name_can_be_given_to_what_an_execution_records(worker, log, name):
    do["item"] = lambda value: value
    found = ended(worker, log, lambda execution: say_everywhere(name, execution))
    assert found.state is State.COMPLETED, found.error


@given(st.lists(ANY_TEXT, unique=True, min_size=2, max_size=2))
def test_idempotency_keys_of_different_names_differ(names):
    execution = testing.execution()
    first, second = map(execution.idempotency_key, names)
    assert first != second
    assert first == execution.idempotency_key(names[0])


# --- what else decides how an attempt ends


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), Own("x")])
def test_an_exit_is_tried_again_under_the_policy_of_its_process(worker, place, error):
    do["process"] = PLACES[place](raising(error))
    execution_id = worker.accept("Do again")
    first = worker.run(execution_id)
    if place == "swallowed":
        assert first == ["completed"]
        return
    found = worker.store.get(execution_id)
    assert (found.state, found.tries, found.losses) == (State.ACCEPTED, 1, 0)
    worker.run(execution_id)
    found = worker.store.get(execution_id)
    assert (found.state, found.attempts, found.tries) == (State.FAILED, 2, 1)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("error", [SystemExit(-241), ValueError("of a finally")])
def test_an_ending_worker_leaves_the_execution_to_another(worker, place, error):
    """A signal ends a child by SystemExit, wherever its process is at that moment."""

    def act(*_):
        worker.is_ending = True
        raise error

    do["process"] = PLACES[place](act)
    execution_id = worker.accept()
    try:
        with pytest.raises(type(error)):
            worker.run(execution_id)
    finally:
        worker.is_ending = False
    parent = worker.store.get(execution_id)
    (found,) = worker.store.children(execution_id) or [parent]
    assert (found.state, found.error) == (State.RUNNING, None)
    assert not [step for step in parent.steps if step.name == "step"]


@pytest.mark.parametrize("error", [RuntimeError(CANARY), TypeError("no UTF-8"), OSError(5)])
def test_an_outcome_that_cannot_be_written_is_a_failure(worker, log, monkeypatch, error):
    finish = worker.store.finish
    calls = []

    def fail_once(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise error
        return finish(*arguments)

    monkeypatch.setattr(worker.store, "finish", fail_once)
    found = ended(worker, log, lambda execution: {"text": "fine"})
    assert found.state is State.FAILED
    assert found.error.startswith(f"Its outcome cannot be written: {type(error).__name__}")


@pytest.mark.parametrize("error", [RuntimeError(CANARY), SystemExit(CANARY)])
def test_an_attempt_that_breaks_off_is_given_back_at_once(worker, log, monkeypatch, error):
    do["process"] = lambda execution: {"text": "fine"}
    monkeypatch.setattr(worker.store, "finish", raising(error))
    execution_id = worker.accept()
    log.truncate(0)
    assert worker.run(execution_id) == ["broken off"]
    assert worker.store.get(execution_id).state is State.RUNNING
    assert "The attempt broke off" in log.getvalue()
    assert CANARY not in log.getvalue()
    monkeypatch.undo()
    assert worker.run(execution_id) == ["completed"]
    assert worker.store.get(execution_id).losses == 1
