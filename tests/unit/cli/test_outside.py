"""Commands outside of the folder of an Atom: which one they ask, and how to name another."""

import json
import os
import subprocess

import pytest
from click.testing import CliRunner

from atom.cli.main import main
from tests.support.ports import free_port

COMMANDS = [
    ("status",),
    ("executions", "list"),
    ("executions", "show", "e1"),
    ("executions", "cancel", "e1"),
    ("callbacks", "list"),
    ("listeners", "list"),
    ("credentials", "list"),
]


def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("ATOM_"):
            monkeypatch.delenv(name)
    return tmp_path


def note(folder, **changes):
    """What `atom up` leaves in a folder."""
    running = {
        "pid": os.getpid(),
        "redis_url": f"redis://127.0.0.1:{free_port()}/0",
        "listener_url": "http://127.0.0.1:1",
        "sandbox_url": "http://127.0.0.1:2",
        "services": [],
        **changes,
    }
    (folder / ".atom").mkdir()
    (folder / ".atom" / "running.json").write_text(json.dumps(running))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_says_which_atom_it_asks_and_how_to_name_one(folder, command):
    said = CliRunner().invoke(main, command).stderr
    assert (
        f"atom: No Atom runs in {folder}; this command uses the Redis at redis://127.0.0.1:6379/0, "
        "the default of ATOM_REDIS_URL. For another Atom, run the command in the folder of its "
        "`atom up`, or set ATOM_REDIS_URL.\n"
    ) in said
    assert "Traceback" not in said


def test_an_atom_that_ended_without_a_word_is_told_apart(folder):
    note(folder, pid=dead_pid())
    said = CliRunner().invoke(main, ["executions", "list"]).stderr
    assert f"atom: The Atom of {folder} does not run; this command uses" in said


def test_in_the_folder_of_an_atom_and_with_the_setting_nothing_is_said(folder, monkeypatch):
    note(folder)
    said = CliRunner().invoke(main, ["executions", "list"]).stderr
    assert "this command uses" not in said
    (folder / ".atom" / "running.json").unlink()
    monkeypatch.setenv("ATOM_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    said = CliRunner().invoke(main, ["executions", "list"]).stderr
    assert "this command uses" not in said
    assert "ATOM_REDIS_URL" not in said


def test_invoke_says_which_listener_and_sandbox_it_uses(folder, monkeypatch):
    said = CliRunner().invoke(main, ["invoke", "Trial", "Echo"]).stderr
    assert (
        f"atom: No Atom runs in {folder}; this command uses the listener at http://127.0.0.1:8077 "
        "and the sandbox at http://127.0.0.1:8079. For another Atom, run the command in the "
        "folder of its `atom up`, or set ATOM_LISTENER_URL and ATOM_SANDBOX_URL.\n"
    ) in said
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("ATOM_LISTENER_URL", url)
    monkeypatch.setenv("ATOM_SANDBOX_URL", url)
    said = CliRunner().invoke(main, ["invoke", "Trial", "Echo"]).stderr
    assert "this command uses" not in said
    assert f"The sandbox at {url} does not answer" in said
