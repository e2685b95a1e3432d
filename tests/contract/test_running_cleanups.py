"""Actions with a cleanup, run as a worker runs them, one attempt after the other."""

import pytest

from atom import Fault, FlowService, Profile, Retry, State, fields
from atom.catalog import Catalog
from atom.execution.ending import cancel
from tests.support.running import Worker

CALLS = []


class Text(Profile):
    text = fields.String(data_key="Text")


def clean_up(request, execution, ending):
    CALLS.append((request, execution, ending))
    undone = execution.step("undo", lambda: f"undone {request['text']}")
    assert execution.map("parts", shout, [undone]) == [f"UNDONE {request['text'].upper()}"]


def shout(item, execution):
    return item.upper()


def clean_up_badly(request, execution, ending):
    CALLS.append(ending)
    if request["text"] == "fault":
        raise Fault("No cleanup today.")
    raise ConnectionError("no way out")


async def clean_up_later(request, execution, ending):
    """Never run."""


def service():
    crm = FlowService("CRM", version="1")
    crm.configuration_value("region")

    @crm.message_action("Create", request=Text, response=Text, on_end=clean_up)
    def create(request, execution):
        if request["text"] == "fault":
            raise Fault("No.")
        if request["text"] == "break":
            raise ValueError("broken")
        if request["text"] == "wait":
            execution.sleep(60)
        if request["text"] == "call":
            return execution.call(create, {"text": "ada"})
        return {"text": request["text"]}

    @crm.message_action(
        "Careless",
        request=Text,
        on_end=clean_up_badly,
        retry=Retry(attempts=2, wait_seconds=0.0),
    )
    def careless(request, execution):
        """Leave everything to the cleanup."""

    deferred = crm.message_action("Deferred", on_end=lambda *given: clean_up_later(*given))
    deferred(lambda request, execution: None)
    return crm


@pytest.fixture
def worker(settings, raw):
    CALLS.clear()
    worker = Worker(settings, service())
    yield worker
    worker.keeper.hand_back()
    worker.store.close()


def text(content):
    return [{"developerName": "Text", "contentType": "ContentString", "contentValue": content}]


def cleanups(worker, execution_id):
    return [
        worker.store.get(each.id) for each in worker.store.children(execution_id) if each.ending
    ]


@pytest.mark.parametrize(
    ("content", "state", "error"),
    [
        ("ada", State.COMPLETED, None),
        ("fault", State.FAULTED, "No."),
        ("break", State.FAILED, "ValueError: broken"),
    ],
)
def test_cleanup_gets_the_request_and_the_end(worker, content, state, error):
    execution = worker.run(worker.accept("Create", inputs=text(content)))
    assert (execution.state, execution.error) == (state, error)
    (cleanup,) = cleanups(worker, execution.id)
    assert (cleanup.state, cleanup.error) == (State.COMPLETED, None)
    assert [step.name for step in cleanup.steps] == ["undo", "parts"]
    request, context, ending = CALLS[-1]
    assert request == {"text": content}
    assert (context.id, context.tenant_id) == (cleanup.id, "tenant")
    assert context.configuration == {"region": "EMEA"}
    assert (ending.execution_id, ending.state, ending.error) == (execution.id, state, error)


def test_cleanup_knows_the_idempotency_keys_of_its_execution(worker):
    worker.run(worker.accept("Create", inputs=text("ada")))
    _, context, ending = CALLS[0]
    keys = context.idempotency_key("charge"), ending.idempotency_key("charge")
    assert len(set(keys)) == 2
    context.id = ending.execution_id
    assert context.idempotency_key("charge") == keys[1]


def test_cleanup_of_a_cancelled_execution_knows_why_it_ended(worker):
    execution = worker.run(worker.accept("Create", inputs=text("wait")))
    assert execution.state is State.SUSPENDED
    cancel(worker.catalog, worker.store, execution.id)
    worker.run(execution.id)
    ending = CALLS[0][2]
    assert (ending.state, ending.error) == (
        State.CANCELLED,
        "Create was cancelled by the operator.",
    )


def test_called_execution_has_a_cleanup_of_its_own(worker):
    execution = worker.run(worker.accept("Create", inputs=text("call")))
    assert execution.state is State.COMPLETED, execution.error
    assert {request["text"] for request, *_ in CALLS} == {"ada", "call"}
    (called,) = (each for each in worker.store.children(execution.id) if not each.ending)
    assert [each.state for each in cleanups(worker, called.id)] == [State.COMPLETED]


@pytest.mark.parametrize(
    ("content", "calls", "error"),
    [("ada", 2, "ConnectionError: no way out"), ("fault", 1, "No cleanup today.")],
)
def test_failure_of_a_cleanup_is_its_own(worker, content, calls, error):
    """The policy of the action applies to it; a fault is a failure, for no flow hears it."""
    execution = worker.run(worker.accept("Careless", inputs=text(content)))
    (cleanup,) = cleanups(worker, execution.id)
    while not cleanup.state.is_final:
        worker.run(cleanup.id)
        (cleanup,) = cleanups(worker, execution.id)
    assert (cleanup.state, len(CALLS)) == (State.FAILED, calls)
    assert error in cleanup.error
    assert [each.id for each in worker.store.failed(10)] == [cleanup.id]
    execution = worker.store.get(execution.id)
    assert (execution.state, execution.error) == (State.COMPLETED, None)


def test_cleanup_that_returns_a_coroutine_fails(worker):
    execution = worker.run(worker.accept("Deferred"))
    (cleanup,) = cleanups(worker, execution.id)
    assert cleanup.state is State.FAILED
    assert "coroutine" in cleanup.error


def deploy(worker, service):
    """Have the worker run the code of another version."""
    worker.catalog, worker.version = Catalog([service]), service.version
    worker.runner = worker.of(worker.store)


def test_cleanup_is_held_while_the_code_does_not_declare_it(worker):
    execution_id = worker.accept("Create", inputs=text("ada"))
    claim = worker.store.claim(execution_id, "w", "1", has_cleanup=True)
    worker.store.finish(claim, State.COMPLETED, b"{}", "")
    worker.told.clear()
    (cleanup,) = worker.store.children(claim.id)
    without = FlowService("CRM", version="2")
    without.message_action("Create", request=Text)(lambda request, execution: None)
    deploy(worker, without)
    held = worker.run(cleanup.id)
    assert held.state is State.SUSPENDED
    assert (
        f"Execution {claim.id} ended with a cleanup, but CRM.Create declares no on_end"
        in held.error
    )
    assert [each.id for each in worker.store.held(10)] == [cleanup.id]
    deploy(worker, service())
    assert worker.store.resume_held() == 1
    assert worker.store.take_suspended(10) == 1
    assert worker.run(cleanup.id).state is State.COMPLETED
    assert [request for request, *_ in CALLS[:1]] == [{"text": "ada"}]


class LaterText(Profile):
    text = fields.String(data_key="Text")
    region = fields.String(data_key="Region", required=True)


def test_cleanup_of_a_later_version_gets_the_request_of_the_earlier_one(worker):
    claim = worker.store.claim(
        worker.accept("Create", inputs=text("ada")), "w", "1", has_cleanup=True
    )
    worker.store.finish(claim, State.COMPLETED, b"{}", "")
    (cleanup,) = worker.store.children(claim.id)
    later = FlowService("CRM", version="2")
    later.message_action("Create", request=LaterText, on_end=clean_up)(lambda *given: None)
    deploy(worker, later)
    worker.told.clear()
    done = worker.run(cleanup.id)
    assert done.state is State.COMPLETED, done.error
    assert CALLS[0][0] == {"text": "ada", "region": None}
    assert (done.version, done.worker_version) == ("1", "2")
