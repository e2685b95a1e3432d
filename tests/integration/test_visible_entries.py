"""Entries of a journal as operators see them: `atom executions show`, its JSON, and the console."""

import getpass
import json

import pytest

from atom.records import State
from tests.support.browser import Browser
from tests.support.console import ConsoleAtom, settled
from tests.support.operating import command
from tests.support.roles import SERVICES
from tests.support.waiting import until


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = ConsoleAtom(tmp_path_factory.mktemp("visible"), f"{SERVICES},tests.support.talkative")
    try:
        atom.start_all(["--pool=threads", "--concurrency=4"])
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def url(atom):
    return atom.start_console()


@pytest.fixture(scope="module")
def browser(url):
    return Browser(url)


def shown(atom, execution):
    return command(atom, "executions", "show", execution.id)


def as_json(atom, execution):
    return json.loads(command(atom, "executions", "show", execution.id, "--json"))["steps"]


def suspended(atom, flow):
    return until(
        lambda: each if (each := atom.execution_of(flow)).state is State.SUSPENDED else None,
        "its wait",
    )


def approval(atom, tmp_path):
    inputs = {"File": str(tmp_path / "lines"), "Seconds": "600"}
    flow = atom.run("Approval", inputs, "Lasting")
    return flow, suspended(atom, flow)


def test_signal_of_the_cli_is_shown_with_its_user(atom, browser, tmp_path):
    flow, waiting = approval(atom, tmp_path)
    command(atom, "executions", "signal", waiting.id, "approval", "--event", '{"by": "Ada"}')
    execution = settled(atom, flow)
    giver = f"operator {getpass.getuser()} (CLI)"
    text = shown(atom, execution)
    assert f'step 1: signal approval\n    {{"by":"Ada"}} from {giver}\n' in text
    (entry,) = as_json(atom, execution)
    assert (entry["entry"], entry["result"], entry["giver"]) == ("signal", {"by": "Ada"}, giver)
    page = browser.get(f"/executions/{execution.id}").text
    assert "signal approval" in page
    assert f"from {giver}" in page


def test_results_of_steps_and_children_are_shown(atom, browser, tmp_path):
    inputs = {"Count": "3", "Bad": "1", "How": "break", "File": str(tmp_path / "lines")}
    execution = settled(atom, atom.run("Squares all the same", inputs, "Lasting"))
    (entry,) = as_json(atom, execution)
    assert entry["label"] == "map squares (3 items)"
    assert [next(iter(each)) for each in entry["result"]] == ["result", "failure", "result"]
    assert entry["result"][2] == {"result": 4}
    reason = entry["result"][1]["failure"]["reason"]
    assert reason.endswith("failed: RuntimeError: canary-in-an-item")
    assert "step 1: map squares (3 items)\n    [{" in shown(atom, execution)
    assert "map squares (3 items)" in browser.get(f"/executions/{execution.id}").text


def test_long_result_is_shortened_in_the_text_alone(atom):
    execution = settled(atom, atom.run("Large steps", service="Talkative"))
    text = shown(atom, execution)
    assert "Long results are shortened; --json has all of them." in text
    assert max(map(len, text.splitlines())) < 1_000
    assert as_json(atom, execution)[0]["result"] == "x" * 5_000


def test_failed_step_is_shown_with_its_reason(atom, tmp_path):
    execution = settled(atom, atom.run("Repairable", {"File": str(tmp_path / "x")}, "Stubborn"))
    assert "step 2: check (failure)\n    RuntimeError: broken\n" in shown(atom, execution)
    assert as_json(atom, execution)[1]["failure"] == {"kind": "RuntimeError", "reason": "broken"}


def test_no_secret_of_the_request_is_shown(atom, browser):
    for pin in ("canary-pin", "7q"):
        execution = settled(atom, atom.run("Record secrets", {"Pin": pin}, "Talkative"))
        pages = [shown(atom, execution), json.dumps(as_json(atom, execution))]
        pages.append(browser.get(f"/executions/{execution.id}").text)
        for page in pages:
            assert "leaky" in page
            assert pin not in page.replace(execution.id, "").replace(execution.flow_state_id, "")


def test_signal_of_the_console_is_shown_with_its_user(atom, url, tmp_path):
    """Run last: from then on the console asks for a login."""
    flow, waiting = approval(atom, tmp_path)
    with atom.user("vera", "--role", "operator") as token:
        browser = Browser(url)
        until(lambda: browser.get("/").status == 303, "the console asks who comes")
        assert browser.log_in("vera", token).status == 303
        form = browser.get(f"/executions/{waiting.id}").form_token
        fields = {"form": form, "name": "approval", "event": '{"by": "Vera"}'}
        assert browser.post(f"/executions/{waiting.id}/signal", fields).status == 303
    (entry,) = as_json(atom, settled(atom, flow))
    assert entry["giver"] == "operator vera (console)"
