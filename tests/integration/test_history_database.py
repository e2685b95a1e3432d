"""A whole Atom with a history database: what ended is moved there, and nobody notices."""

import csv
import io
import json

import pytest
from redis import Redis

from atom.records import CallbackState, State
from atom.settings import Settings
from atom.store import open_store
from tests.support.browser import Browser
from tests.support.console import ConsoleAtom
from tests.support.operating import command, resumed, run_atom
from tests.support.waiting import until


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def atom(tmp_path_factory, request):
    directory = tmp_path_factory.mktemp("moved")
    url = f"sqlite:///{directory / 'history.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        server.clear()
        url = server.url
    # 4 milliseconds after its end, and within a second of recovery.
    atom = ConsoleAtom(directory, ATOM_HISTORY_URL=url, ATOM_HISTORY_AFTER_HOURS="0.000001")
    try:
        atom.start_all(["--pool=threads", "--concurrency=4"])
        settings = Settings(redis_url=atom.redis.url, history_url=url)
        atom.store.close()
        atom.store = open_store(settings)
        yield atom
    finally:
        atom.store.close()
        atom.close()


def is_in_redis(atom, execution_id):
    with Redis.from_url(atom.redis.url) as client:
        return bool(client.exists(f"atom:execution:{execution_id}"))


def moved(atom, action, inputs, **options):
    """An execution whose flow has resumed, and which is in Redis no longer."""
    flow = atom.run(action, inputs, **options)
    assert flow.wait_over(120).is_over
    found = atom.execution_of(flow)
    until(lambda: not is_in_redis(atom, found.id), "it to be moved", 30)
    return flow, atom.store.get(found.id)


def test_console_and_cli_show_what_was_moved(atom):
    text = "a text to be seen"
    flow, execution = moved(atom, "Echo", {"Text": text, "Password": "canary-password"})
    outputs, _ = resumed(flow)
    assert text in outputs.values()
    assert execution.callback_state is CallbackState.DELIVERED
    shown = json.loads(command(atom, "executions", "show", execution.id, "--json"))
    assert text in json.dumps(shown["request"])
    assert "canary" not in json.dumps(shown)
    listed = json.loads(command(atom, "executions", "list", "--json", "--find", flow.id))
    assert [each["id"] for each in listed] == [execution.id]

    browser = Browser(atom.start_console())
    page = browser.get(f"/executions/{execution.id}").text
    assert text in page
    assert execution.id in browser.get("/executions").text
    assert execution.id in browser.get(f"/executions?state=completed&text={flow.id}").text
    rows = list(csv.DictReader(io.StringIO(browser.get("/executions.csv").text)))
    assert execution.id in [each["id"] for each in rows]
    assert browser.get("/executions/unknown").status == 404

    assert "in Redis, " in command(atom, "status")
    facts = json.loads(command(atom, "status", "--json"))["history"]
    assert facts["executions"] >= 1
    assert facts["problem"] == ""


def test_what_was_moved_is_run_once_more(atom):
    _, execution = moved(atom, "No", {})
    assert execution.state is State.FAULTED
    said = command(atom, "executions", "retry", execution.id, "--from-start")
    assert "starts again" in said
    until(lambda: atom.store.get(execution.id).attempts == 2, "its second attempt", 30)
    until(lambda: not is_in_redis(atom, execution.id), "it to be moved again", 30)
    again = atom.store.get(execution.id)
    assert (again.state, again.attempts) == (State.FAULTED, 2)
    assert "no such execution" in command(
        atom, "executions", "retry", "unknown", "--from-start", code=1
    )


def test_without_the_database_everything_else_goes_on(atom):
    _, execution = moved(atom, "Echo", {"Text": "x", "Password": "y"})
    away = {"ATOM_HISTORY_URL": "postgresql://atom:canary@127.0.0.1:1/atom"}
    done = run_atom({**atom.environment, **away}, "executions", "list")
    assert done.returncode == 0
    assert "What was moved there is missing" in done.stderr
    done = run_atom({**atom.environment, **away}, "executions", "show", execution.id)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "canary" not in done.stderr + done.stdout
    said = command(atom, "status", code=1, **away)
    assert "What has finished stays in Redis until it does" in said
    assert ", ? in postgresql://atom:" in said

    browser = Browser(atom.start_console("console-away", **away))
    page = browser.get("/executions").text
    assert "Older ones may be missing" in page
    assert "canary" not in page
    one = browser.get(f"/executions/{execution.id}")
    assert (one.status, "older ones cannot be asked for" in one.text) == (503, True)
    rows = browser.get("/executions.csv").text
    assert "Some are missing" in rows
    assert json.loads(browser.get("/executions.json").text)["is_complete"] is False
    resumed(atom.run("Echo", {"Text": "x", "Password": "y"}))
