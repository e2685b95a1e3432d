"""The last event of a Celery task, by the state of its execution."""

import itertools
from types import SimpleNamespace

import pytest
from celery.events.state import State as Cluster
from hypothesis import given
from hypothesis import strategies as st

from atom.errors import StoreUnavailable
from atom.records import State
from tests.support.waiting import until
from workers.flower import RestartableTask
from workers.outcomes import REDACTED, OutcomeEvents, outcome_event

IN_FLOWER = {
    State.ACCEPTED: "RETRY",
    State.SUSPENDED: "RETRY",
    State.COMPLETED: "SUCCESS",
    State.FAULTED: "SUCCESS",
    State.FAILED: "FAILURE",
    State.TIMED_OUT: "FAILURE",
    State.CANCELLED: "REVOKED",
}


def execution(state, error="the error"):
    return SimpleNamespace(state=state, error=error)


class Watcher:
    """The part of Flower that keeps tasks, fed with events."""

    def __init__(self):
        self.cluster, self._clock = Cluster(), itertools.count(1)
        self.cluster.Task = RestartableTask

    def send(self, event, **fields):
        number = next(self._clock)
        times = {"timestamp": number, "clock": number, "local_received": number, "utcoffset": 0}
        fields = {"uuid": "x", "hostname": "worker@host", "pid": 1, **times, **fields}
        self.cluster.event({"type": event, **fields})

    def deliver(self, state):
        """One message, from its receipt to the end that the execution has."""
        self.send("task-received", name="Trial.Echo")
        self.send("task-started")
        event = outcome_event(execution(state))
        if event is not None:
            self.send(event[0], **event[1])

    @property
    def task(self):
        return self.cluster.tasks["x"]


def test_every_state_but_running_has_an_event():
    assert {state for state in State if outcome_event(execution(state))} == set(IN_FLOWER)
    assert outcome_event(None) is None


@pytest.mark.parametrize("state", [State.FAILED, State.TIMED_OUT, State.ACCEPTED])
@pytest.mark.parametrize("error", ["ValueError", "a'quote\n", "x" * 100_000, None])
def test_the_error_is_that_of_the_history_and_bounded(state, error):
    _, fields = outcome_event(execution(state, error))
    assert fields[REDACTED] is True
    assert fields["exception"] == (error or state.value)[:1000]


@given(st.lists(st.sampled_from(sorted(State)), min_size=1, max_size=6))
def test_a_task_has_the_state_of_its_execution_after_any_number_of_deliveries(states):
    watcher = Watcher()
    for state in states:
        watcher.deliver(state)
        if state is not State.RUNNING:
            assert watcher.task.state == IN_FLOWER[state]
        else:
            assert watcher.task.state in ("STARTED", "RETRY")


def test_a_store_that_is_away_is_reported_as_a_retry():
    class Away:
        def get(self, execution_id):
            raise StoreUnavailable("the store is away")

    events, watcher = OutcomeEvents(Away), Watcher()
    watcher.send("task-received", name="Trial.Echo")
    events.report("x")

    def send():
        events.send(watcher)
        return watcher.task.state == "RETRY"

    until(send, "the event")
    assert watcher.task.exception == "the store is away"
