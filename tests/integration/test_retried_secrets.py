"""A connector with a password: failed, and retried with it after a restart and with a new key."""

from contextlib import contextmanager

import orjson
import pytest

from atom.records import Secrets
from tests.integration.test_up import Up
from tests.support.browser import Browser
from tests.support.locked import PASSWORD
from tests.support.waiting import until


@contextmanager
def running(directory):
    """Run `atom up` in a directory for as long as the block; yields it and what it is."""
    atom = Up(directory, ATOM_SERVICES="tests.support.locked")
    try:
        yield atom, atom.wait_until_up()
        atom.process.terminate()
        assert atom.process.wait(120) == 0
        assert PASSWORD not in atom.text()
    finally:
        atom.close()


def invoke(atom, folder):
    """Start a flow that fails at the door; returns its execution."""
    known = {each["id"] for each in listed(atom)}
    values = folder / "values.json"
    values.write_bytes(orjson.dumps({"Password": PASSWORD}))
    called = atom.atom(
        "invoke", "Locked", "Open", "-i", f"Folder={folder}", "--config", str(values)
    )
    assert called.returncode == 1, called.stdout + called.stderr
    values.unlink()
    (new,) = [each["id"] for each in listed(atom) if each["id"] not in known]
    return until(lambda: shown(atom, new, callback_state="delivered"), "the callback", 60)


def listed(atom):
    return orjson.loads(atom.atom("executions", "list", "--json").stdout)


def shown(atom, execution_id, **expected):
    """Return what the CLI shows of an execution, once it is as expected."""
    found = orjson.loads(atom.atom("executions", "show", execution_id, "--json").stdout)
    return found if all(found[name] == value for name, value in expected.items()) else None


def completed(atom, execution_id):
    return until(lambda: shown(atom, execution_id, state="completed"), "the retry", 60)


def on_disk(directory):
    """Return everything that an Atom has written below its directory."""
    files = [each for each in (directory / ".atom").rglob("*") if each.is_file()]
    assert any("appendonly" in str(each) for each in files)
    return b"".join(each.read_bytes() for each in files)


def knocks(folder):
    return len((folder / "knocks").read_text().splitlines())


@pytest.mark.timeout(300)
def test_connector_with_a_password_is_retried_after_a_restart_and_a_rotation(tmp_path):
    directory = tmp_path / "atom"
    folders = [tmp_path / name for name in ("cli", "console", "dismissed")]
    for each in (directory, *folders):
        each.mkdir()
    with running(directory) as (atom, _):
        executions = [invoke(atom, each) for each in folders]
        ids = [each["id"] for each in executions]
        assert {each["state"] for each in executions} == {"failed"}
        assert {each["secrets"] for each in executions} == {Secrets.KEPT}
        text = atom.atom("executions", "show", ids[0]).stdout
        assert f"To run it again: atom executions retry {ids[0]} --from-failed-step" in text
        assert PASSWORD not in str(executions) + text
        assert PASSWORD.encode() not in on_disk(directory)
        new_key = atom.atom("secret-key").stdout.strip()

    key_file = directory / ".atom" / "secret-key"
    key_file.write_text(f"{new_key}\n{key_file.read_text()}")
    for each in folders:
        (each / "open").touch()
    with running(directory) as (atom, here):
        said = atom.atom("executions", "retry", ids[0], "--from-failed-step")
        assert (said.returncode, "starts again" in said.stdout) == (0, True)
        browser = Browser(here.console_url)
        page = f"/executions/{ids[1]}"
        until(lambda: browser.get("/health").status == 200, "the console", 60)
        shown_page = browser.get(page)
        assert "Retry from the failed step" in shown_page.text
        assert browser.post(f"{page}/retry", {"form": shown_page.form_token}).status == 303
        for execution_id, folder in zip(ids[:2], folders, strict=False):
            found = completed(atom, execution_id)
            assert "true" in str(found["response"]), "the process got the password"
            assert found["secrets"] == Secrets.DELETED_WHEN_COMPLETED
            assert knocks(folder) == 1, "a recorded step is not run again"
            assert PASSWORD not in str(found) + browser.get(f"/executions/{execution_id}").text

        assert atom.atom("executions", "dismiss", ids[2]).returncode == 0
        refused = atom.atom("executions", "retry", ids[2], "--from-start")
        assert refused.returncode == 1
        assert "were deleted when it was dismissed" in refused.stderr
        assert "were deleted when it was dismissed" in browser.get(f"/executions/{ids[2]}").text
        assert PASSWORD.encode() not in on_disk(directory)
