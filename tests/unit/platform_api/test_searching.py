"""What of a query the store is asked for, and how what it finds becomes pages."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from atom.history import ExecutionFilter, Page, Place
from atom.platform_api import searching
from atom.platform_api.execution_record import STATUSES, document, record
from atom.records import State

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


def an_execution(number, **changes):
    values = {
        "id": f"e{number:05}",
        "service": "CRM",
        "action": "Retrieve",
        "flow_state_id": "flow",
        "callback_uri": "",
        "parent": None,
        "state": State.COMPLETED,
        "accepted_at": NOW + timedelta(seconds=number // 3),
        "started_at": None,
        "finished_at": None,
        "error": None,
        "worker": None,
    }
    return SimpleNamespace(**{**values, **changes})


class FakeStore:
    """Gives pages of what it holds, and remembers what it was asked for."""

    def __init__(self, executions=(), processes=()):
        self.executions, self.processes = executions, processes
        self.asked = []

    def known_processes(self):
        return self.processes

    def get(self, execution_id):
        return next((each for each in self.executions if each.id == execution_id), None)

    def find(self, limit, wanted, *, older_than):
        self.asked.append(wanted)
        before = Place.read(older_than)
        found = [
            each
            for each in sorted(self.executions, key=Place.of, reverse=True)
            if wanted.state in (None, each.state) and (not before or Place.of(each) < before)
        ]
        shown = found[:limit]
        return Page(shown, str(Place.of(shown[-1])) if len(found) > limit else "")


def a_query(*conditions):
    return {
        "QueryFilter": {
            "expression": {
                "operator": "and",
                "nestedExpression": [
                    {"property": name, "operator": relation, "argument": list(arguments)}
                    for name, relation, *arguments in conditions
                ],
            }
        }
    }


def asked_for(*conditions, processes=("CRM.Retrieve", "CRM.Contact.get", "Other.Retrieve")):
    store = FakeStore(processes=processes)
    searching.query(store, "acme", a_query(*conditions))
    return store.asked


SECOND = timedelta(seconds=1)
AT = "2026-01-31T08:00:00Z"


@pytest.mark.parametrize(
    ("conditions", "filters"),
    [
        ([], [ExecutionFilter()]),
        ([("status", "EQUALS", "COMPLETE")], [ExecutionFilter(state=State.COMPLETED)]),
        (
            [("status", "EQUALS", "ERROR")],
            [ExecutionFilter(state=State.FAILED), ExecutionFilter(state=State.FAULTED)],
        ),
        ([("status", "EQUALS", "STARTED")], []),
        (
            [("status", "LIKE", "%O%"), ("status", "NOT_EQUALS", "ERROR")],
            [
                ExecutionFilter(state=State.CANCELLED),
                ExecutionFilter(state=State.COMPLETED),
                ExecutionFilter(state=State.RUNNING),
                ExecutionFilter(state=State.SUSPENDED),
                ExecutionFilter(state=State.TIMED_OUT),
            ],
        ),
        (
            [("processId", "EQUALS", "CRM.Contact.get")],
            [ExecutionFilter(service="CRM", action="Contact.get")],
        ),
        (
            [("processName", "LIKE", "Other.%")],
            [ExecutionFilter(service="Other", action="Retrieve")],
        ),
        ([("processName", "LIKE", "CRM.%")], [ExecutionFilter()]),
        ([("processName", "EQUALS", "CRM.Unknown")], []),
        ([("account", "EQUALS", "acme"), ("atomId", "EQUALS", "flow-atom")], [ExecutionFilter()]),
        ([("account", "EQUALS", "another")], []),
        ([("executionTime", "GREATER_THAN", AT)], [ExecutionFilter(since=NOW)]),
        ([("executionTime", "LESS_THAN_OR_EQUAL", AT)], [ExecutionFilter(until=NOW + SECOND)]),
        (
            [("executionTime", "EQUALS", AT)],
            [ExecutionFilter(since=NOW, until=NOW + SECOND)],
        ),
        (
            [
                ("executionTime", "BETWEEN", "2026-01-01", AT),
                ("executionTime", "GREATER_THAN_OR_EQUAL", "2026-01-31"),
            ],
            [ExecutionFilter(since=NOW.replace(hour=0), until=NOW + SECOND)],
        ),
        ([("executionTime", "NOT_EQUALS", AT)], [ExecutionFilter()]),
        ([("recordedDate", "GREATER_THAN", AT)], [ExecutionFilter()]),
        ([("recordedDate", "LESS_THAN", AT)], [ExecutionFilter(until=NOW + SECOND)]),
        (
            [("executionTime", "LESS_THAN", "9999-12-31T23:59:59Z")],
            [ExecutionFilter(until=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))],
        ),
        ([("message", "CONTAINS", "x")], [ExecutionFilter()]),
        ([("executionId", "EQUALS", "e1")], []),
    ],
)
def test_what_the_store_can_answer_it_is_asked_for(conditions, filters):
    assert asked_for(*conditions) == filters


def whole(store, query):
    """The ids of every page."""
    found = searching.query(store, "acme", query)
    ids = [[each["executionId"] for each in found.records]]
    while found.token:
        found = searching.query_more(store, "acme", found.token)
        ids.append([each["executionId"] for each in found.records])
        assert len(ids) < 100
    return ids


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 250])
def test_pages_are_full_and_end(count):
    ids = whole(FakeStore([an_execution(number) for number in range(count)]), {})
    assert [len(page) for page in ids[:-1]] == [100] * ((max(count, 1) - 1) // 100)
    expected = [f"e{number:05}" for number in reversed(range(count))]
    assert [each for page in ids for each in page] == expected


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 700, 1205])
def test_several_states_make_one_order_and_lose_nothing(count):
    states = [State.FAULTED, State.FAILED, State.FAILED, State.COMPLETED]
    store = FakeStore([an_execution(each, state=states[each * 7 % 4]) for each in range(count)])
    ids = whole(store, a_query(("status", "EQUALS", "ERROR")))
    expected = [each.id for each in reversed(store.executions) if each.state is not State.COMPLETED]
    assert [each for page in ids for each in page] == expected
    assert {len(page) for page in ids[:-1]} <= {100}


def test_what_has_to_be_looked_for_in_several_states_comes_once_and_in_order():
    """One state reaches much further back with each page than the other."""
    rare = dict.fromkeys(range(0, 3000, 10), State.FAILED)
    store = FakeStore(
        [
            an_execution(
                each, state=rare.get(each, State.FAULTED), error="no" if each % 7 else "needle"
            )
            for each in range(3_000)
        ]
    )
    conditions = ("status", "EQUALS", "ERROR"), ("message", "EQUALS", "needle")
    ids = whole(store, a_query(*conditions))
    expected = [each.id for each in reversed(store.executions) if each.error == "needle"]
    assert [each for page in ids for each in page] == expected
    assert [len(page) for page in ids] == [100, 100, 100, 100, 29]


def test_what_only_looking_tells_is_looked_for_a_while():
    store = FakeStore([an_execution(number) for number in range(12_000)])
    store.executions[0].error = "needle"
    ids = whole(store, a_query(("message", "EQUALS", "needle")))
    # Each page says that it looked at many, by a token although it found none.
    assert ids == [[], [], ["e00000"]]


def test_every_state_has_a_status():
    assert set(STATUSES) == set(State)


def test_a_record_of_what_has_not_ended():
    execution = an_execution(
        0, state=State.RUNNING, started_at=NOW + SECOND, worker="w", flow_state_id=""
    )
    assert document(record(execution, "acme")) == {
        "@type": "ExecutionRecord",
        "executionId": "e00000",
        "account": "acme",
        "executionTime": AT,
        "status": "INPROCESS",
        "executionType": "exec_manual",
        "processName": "CRM.Retrieve",
        "processId": "CRM.Retrieve",
        "atomName": "flow-atom",
        "atomId": "flow-atom",
        "nodeId": "w",
        "recordedDate": "2026-01-31T08:00:01Z",
    }
