"""The reason of a failure in lists, inbox, pages and `atom invoke`, without the secrets in it."""

import json
import os
import re

import pytest

from tests.support.browser import Browser
from tests.support.console import ConsoleAtom, settled
from tests.support.operating import command, run_atom

# One secret that is masked anywhere, and one that is masked as a word.
PINS = ["canary-pin/1+2", "7q"]
ERROR = "RuntimeError: canary-reason ••••"


@pytest.fixture(scope="module")
def atom(tmp_path_factory):
    atom = ConsoleAtom(tmp_path_factory.mktemp("reasons"), "tests.support.talkative")
    try:
        atom.start_all(["--pool=threads", "--concurrency=4"])
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def browser(atom):
    return Browser(atom.start_console())


def is_in(pin, text):
    return re.search(rf"(?<!\w){re.escape(pin)}(?!\w)", text) is not None


def words(text):
    """Return the text on one line: a table of a terminal wraps its cells."""
    return " ".join(text.split())


@pytest.mark.parametrize("pin", PINS)
def test_error_in_lists_and_inbox_has_class_and_masked_message(atom, browser, pin):
    execution = settled(atom, atom.run("Break", {"Pin": pin}, "Talkative"))
    list_ = "executions", "list", "--limit", "1"
    shown = {
        "list": words(command(atom, *list_)),
        "inbox": words(command(atom, *list_, "--inbox")),
        "json": command(atom, *list_, "--json"),
        "show": command(atom, "executions", "show", execution.id),
        "page of the list": browser.get("/executions").text,
        "page of the inbox": browser.get("/inbox").text,
        "page": browser.get(f"/executions/{execution.id}").text,
    }
    assert [name for name, text in shown.items() if ERROR not in text] == []
    assert [name for name, text in shown.items() if is_in(pin, text)] == []
    assert json.loads(shown["json"])[0]["error"] == ERROR


def invoke(atom, *arguments, **env):
    urls = {"ATOM_LISTENER_URL": atom.url, "ATOM_SANDBOX_URL": atom.sandbox.url}
    environment = {**os.environ, **atom.environment, **urls, **env}
    environment = {name: value for name, value in environment.items() if value}
    return run_atom(environment, "invoke", "Talkative", *arguments)


@pytest.mark.parametrize("pin", PINS)
def test_invoke_prints_the_error_and_the_traceback(atom, pin):
    called = invoke(atom, "Break", "-i", f"Pin={pin}")
    assert called.returncode == 1
    execution_id = re.search(r"look for execution (\S+)\.", words(called.stdout))[1]
    assert f"\nExecution {execution_id} failed: {ERROR}\nTraceback (most recent" in called.stdout
    assert "in broken\n    raise RuntimeError(" in called.stdout
    assert called.stdout.rstrip().endswith(ERROR)
    assert not is_in(pin, called.stdout.rpartition("\nExecution")[2])
    assert called.stderr == ""

    as_json = invoke(atom, "Break", "-i", f"Pin={pin}", "--json")
    assert not is_in(pin, as_json.stdout)
    failure = json.loads(as_json.stdout)["failure"]
    assert (failure["state"], failure["error"]) == ("failed", ERROR)
    assert failure["traceback"].startswith("Traceback (most recent call last)")


def test_invoke_prints_no_traceback_of_a_fault(atom):
    called = invoke(atom, "Refuse")
    assert called.returncode == 1
    assert "We are closed on Sundays." in called.stdout
    assert "Traceback" not in called.stdout
    assert json.loads(invoke(atom, "Refuse", "--json").stdout)["failure"] is None


def test_invoke_without_a_known_store_prints_the_fault_alone(atom):
    called = invoke(atom, "Break", ATOM_REDIS_URL="")
    assert called.returncode == 1
    assert "look for execution" in words(called.stdout)
    assert "Traceback" not in called.stdout + called.stderr
