"""Execution records as the `boomi` client queries them of a whole Atom."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from boomi.models import (
    AtomSimpleExpressionProperty,
    ExecutionRecordSimpleExpressionProperty,
    ProcessSimpleExpressionProperty,
    QuerySort,
    SortField,
)

from atom.records import State
from tests.support.console import settled
from tests.support.executions import new_execution
from tests.support.platform_client import (
    ACCOUNT,
    a_query,
    all_of,
    any_of,
    found,
    pages,
    refused,
    where,
)
from tests.support.waiting import until


def test_a_record_says_what_became_of_an_execution(atom, client):
    before = datetime.now(UTC).replace(microsecond=0)
    done = settled(atom, atom.run("Echo", {"Text": "x"}))
    no = settled(atom, atom.run("No"))
    (record,) = found(client, where("executionId", "EQUALS", done.id))
    assert (record.execution_id, record.account) == (done.id, ACCOUNT)
    assert (record.process_id, record.process_name) == ("Trial.Echo", "Trial.Echo")
    assert (record.atom_id, record.atom_name) == ("flow-atom", "flow-atom")
    assert (record.status, record.execution_type) == ("COMPLETE", "exec_listener")
    assert record.node_id == done.worker
    took = done.finished_at - done.latest_start_at
    assert record.execution_duration == round(took.total_seconds() * 1000)
    begun = datetime.strptime(record.execution_time, "%Y-%m-%dT%H:%M:%S%z")
    over = datetime.strptime(record.recorded_date, "%Y-%m-%dT%H:%M:%S%z")
    assert before <= begun <= over <= datetime.now(UTC)
    assert not hasattr(record, "message")
    (record,) = found(client, where("executionId", "EQUALS", no.id))
    assert (record.status, record.message) == ("ERROR", "We are closed on Sundays.")


def test_without_a_filter_the_newest_come_first(atom, client):
    ids = [settled(atom, atom.run("Echo", {"Text": "x"})).id for _ in range(2)]
    page = client.execution_record.query_execution_record()
    assert [each.execution_id for each in page.result[:2]] == ids[::-1]
    newest = a_query(where("executionId", "LIKE", "%"))
    newest.query_sort = QuerySort([SortField("executionTime", "DESC")])
    page = client.execution_record.query_execution_record(newest)
    assert [each.execution_id for each in page.result[:2]] == ids[::-1]
    newest.query_sort = QuerySort([SortField("processName", "ASC")])
    said = refused(400, client.execution_record.query_execution_record, newest)
    assert said == "Execution records come sorted by executionTime DESC, and by nothing else."


def test_filters_are_met_one_by_one_and_together(atom, client):
    echo, no, nothing = (
        settled(atom, atom.run(*each)) for each in (("Echo", {"Text": "x"}), ("No",), ("Nothing",))
    )
    ids = {echo.id: "echo", no.id: "no", nothing.id: "nothing"}

    def meeting(expression):
        return [ids[e.execution_id] for e in found(client, expression) if e.execution_id in ids]

    since = where("executionTime", "GREATER_THAN_OR_EQUAL", f"{echo.accepted_at:%FT%TZ}")
    assert meeting(since) == ["nothing", "no", "echo"]
    assert meeting(all_of(since, where("status", "EQUALS", "ERROR"))) == ["no"]
    assert meeting(all_of(since, where("status", "NOT_EQUALS", "ERROR"))) == ["nothing", "echo"]
    assert meeting(where("processName", "EQUALS", "Trial.Nothing")) == ["nothing"]
    assert meeting(where("processId", "LIKE", "Trial.No%")) == ["nothing", "no"]
    either = [where("processId", "EQUALS", f"Trial.{each}") for each in ("Echo", "No")]
    assert meeting(any_of(*either)) == ["no", "echo"]
    assert meeting(all_of(where("status", "EQUALS", "COMPLETE"), any_of(*either))) == ["echo"]
    assert meeting(where("message", "CONTAINS", "closed on Sundays")) == ["no"]
    assert meeting(all_of(since, where("message", "IS_NULL"))) == ["nothing", "echo"]
    assert meeting(where("executionId", "EQUALS", no.id)) == ["no"]
    assert meeting(all_of(where("executionId", "EQUALS", no.id), either[0])) == []
    assert meeting(where("atomId", "EQUALS", "flow-atom")) == ["nothing", "no", "echo"]
    assert meeting(where("atomId", "EQUALS", "another")) == []
    assert meeting(where("account", "EQUALS", ACCOUNT)) == ["nothing", "no", "echo"]
    long_ago = [f"{datetime.now(UTC) - timedelta(days=each):%FT%TZ}" for each in (3, 1)]
    assert meeting(where("executionTime", "BETWEEN", *long_ago)) == []
    assert meeting(where("recordedDate", "LESS_THAN", long_ago[1])) == []
    assert meeting(where("recordedDate", "GREATER_THAN", long_ago[1])) == ["nothing", "no", "echo"]
    assert meeting(where("processName", "EQUALS", "Never.Heard")) == []


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        (
            where("status", "GREATER_THAN", "ERROR"),
            "“status” does not take the operator GREATER_THAN here; possible are EQUALS,",
        ),
        (
            where("executionTime", "BETWEEN", "2026-01-01T00:00:00Z"),
            "“executionTime” BETWEEN takes a list of 2 in “argument”, not ['2026-01-01T00:00:00Z']",
        ),
        (
            where("executionTime", "LESS_THAN", "yesterday"),
            "“executionTime” is compared with a time such as 2026-01-31T08:00:00Z, not with "
            "yesterday (not a date and time).",
        ),
    ],
)
def test_what_cannot_be_filtered_by_is_said(client, expression, says):
    said = refused(400, client.execution_record.query_execution_record, a_query(expression))
    assert said.startswith(says)


def test_pages_follow_each_other_whatever_comes_meanwhile(atom, client):
    def accept(service):
        new = new_execution(service=service, action="Load", queue="nobody serves it")
        atom.store.accept(new)
        return new.id

    ids = [accept("Bulk") for _ in range(250)]
    seen = []
    for number, page in enumerate(pages(client, where("processName", "EQUALS", "Bulk.Load"))):
        seen.append([each.execution_id for each in page])
        assert {each.status for each in page} == {"ENQUEUED"}
        accept("Bulk")
        assert number < 5
    assert [len(page) for page in seen] == [100, 100, 50]
    assert {each for page in seen for each in page} == set(ids)
    said = refused(400, client.execution_record.query_more_execution_record, "no token")
    assert said == "That is no token of ours; send back the one you got, as it came."


def test_what_is_in_several_states_comes_in_one_order(atom, client):
    expected = []
    for number in range(120):
        new = new_execution(service="Mixed", action="Load", queue="nobody serves it")
        atom.store.accept(new)
        claim = atom.store.claim(new.id, "worker", "1")
        state = State.FAULTED if number % 3 else State.FAILED
        if number % 10:
            atom.store.finish(claim, state, b"{}", "no")
            expected.append(new.id)
    expression = all_of(
        where("processName", "EQUALS", "Mixed.Load"), where("status", "EQUALS", "ERROR")
    )
    first, second = ([each.execution_id for each in page] for page in pages(client, expression))
    assert len(first) == 100
    assert sorted(first + second) == sorted(expected)
    in_order = [(atom.store.get(each).accepted_at, each) for each in first + second]
    assert in_order == sorted(in_order, reverse=True)


# --- looking up


def test_the_ids_that_clients_need_are_looked_up(client):
    named = {"operator": "EQUALS", "property": "name", "argument": ["flow-atom"]}
    page = client.atom.query_atom({"query_filter": {"expression": named}})
    assert [(each.id_, each.name, each.status) for each in page.result] == [
        ("flow-atom", "flow-atom", "ONLINE")
    ]
    assert client.atom.get_atom("flow-atom").type_ == "ATOM"
    assert "There is no Atom “b” here" in refused(404, client.atom.get_atom, "b")
    named = {"operator": "LIKE", "property": "name", "argument": ["Trial.%"]}
    page = client.process.query_process({"query_filter": {"expression": named}})
    assert ("Trial.Echo", "Trial.Echo") in [(each.id_, each.name) for each in page.result]
    assert {each.name[:6] for each in page.result} == {"Trial."}
    assert client.process.get_process("Shop./file.upload").name == "Shop./file.upload"
    assert "There is no process “b”" in refused(404, client.process.get_process, "b")


DOCUMENTED = [
    *(("Atom", each) for each in AtomSimpleExpressionProperty.list()),
    *(("Process", each) for each in ProcessSimpleExpressionProperty.list()),
    *(("ExecutionRecord", each) for each in ExecutionRecordSimpleExpressionProperty.list()),
]


@pytest.mark.parametrize(("kind", "name"), DOCUMENTED)
def test_every_documented_property_filters(client, kind, name):
    def count(operator, *arguments):
        condition = {"operator": operator, "property": name, "argument": list(arguments)}
        query = {"query_filter": {"expression": condition}}
        if kind == "Atom":
            return len(client.atom.query_atom(query).result or [])
        if kind == "Process":
            return len(client.process.query_process(query).result or [])
        return len(client.execution_record.query_execution_record(query).result or [])

    value = {"executionTime": "2020-01-01T00:00:00Z", "recordedDate": "2020-01-01T00:00:00Z"}.get(
        name, "42"
    )
    assert count("EQUALS", value) == 0
    assert count("NOT_EQUALS", value) > 0


@pytest.mark.parametrize("status", ["ONLINE", "online", "Online"])
@pytest.mark.parametrize("kind", ["ATOM", "atom"])
def test_the_atom_is_found_by_status_type_and_name(client, status, kind):
    wanted = {"status": status, "type": kind, "name": "flow-atom"}
    page = query_atoms(client, wanted)
    assert [each.id_ for each in page.result] == ["flow-atom"]
    for name, other in (("status", "OFFLINE"), ("type", "MOLECULE"), ("name", "another")):
        assert not query_atoms(client, {**wanted, name: other}).result


def query_atoms(client, wanted):
    conditions = [
        {"operator": "EQUALS", "property": name, "argument": [value]}
        for name, value in wanted.items()
    ]
    group = {"operator": "and", "nested_expression": conditions}
    return client.atom.query_atom({"query_filter": {"expression": group}})


def test_an_atom_is_found_by_its_host_and_has_no_capabilities(client):
    atom = client.atom.get_atom("flow-atom")
    found = query_atoms(client, {"hostname": atom.host_name})
    assert [each.id_ for each in found.result] == ["flow-atom"]
    for capability in ("GATEWAY", "BROKER"):
        condition = {"property": "capabilities", "argument": [capability]}
        for operator, count in (("CONTAINS", 0), ("NOT_CONTAINS", 1)):
            expression = {**condition, "operator": operator}
            page = client.atom.query_atom({"query_filter": {"expression": expression}})
            assert len(page.result or []) == count


def test_a_shell_tool_runs_a_process_and_reads_its_record(atom, api, operator):
    """The calls of a CI/CD script with curl, which begins by status and type of the Atom."""

    def post(path, body):
        done = subprocess.run(
            [
                *("curl", "-s", "-X", "POST", "-u", f"BOOMI_TOKEN.robot:{operator}"),
                *("-H", "Content-Type: application/json", "-H", "Accept: application/json"),
                *(f"{api}/{path}", "-d", json.dumps(body)),
            ],
            capture_output=True,
            check=True,
        )
        return json.loads(done.stdout or "{}")

    def query(path, *conditions):
        nested = [
            {"argument": list(arguments), "operator": operator, "property": name}
            for name, operator, *arguments in conditions
        ]
        expression = {"operator": "and", "nestedExpression": nested}
        return post(path, {"QueryFilter": {"expression": expression}})["result"]

    (found,) = query(
        "Atom/query",
        ("status", "EQUALS", "online"),
        ("type", "EQUALS", "ATOM"),
        ("name", "EQUALS", "flow-atom"),
    )
    (process,) = query("Process/query", ("name", "EQUALS", "Trial.Nothing"))
    began = datetime.now(UTC) - timedelta(minutes=1)
    properties = {"@type": "ProcessProperties", "ProcessProperty": []}
    body = {"ProcessProperties": properties, "processId": process["id"], "atomId": found["id"]}
    assert post("executeProcess", body) == {}
    moment = "%Y-%m-%dT%H:%M:%SZ"

    def records():
        return query(
            "ExecutionRecord/query",
            ("processName", "LIKE", "%%"),
            ("processId", "LIKE", process["id"]),
            ("atomName", "EQUALS", found["name"]),
            (
                *("executionTime", "BETWEEN", began.strftime(moment)),
                (datetime.now(UTC) + timedelta(minutes=1)).strftime(moment),
            ),
            ("status", "EQUALS", "complete"),
            ("executionType", "EQUALS", "exec_manual"),
        )

    until(records, "its record")
    for action in ("pause", "resume"):
        changed = {"containerId": found["id"], "listenerId": process["id"], "action": action}
        assert post("changeListenerStatus", changed) == {}
