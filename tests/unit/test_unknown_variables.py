"""ATOM_* variables that nothing reads are reported, with the nearest setting."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from atom.cli import main
from atom.settings import settings_table
from atom.unknown_variables import unknown_variables

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = [variable for variable, _, _ in settings_table()]


def test_settings_and_other_variables_are_known():
    assert list(unknown_variables([*SETTINGS, "HOME", "PATH", "ATOMIC", "XATOM_BIND"])) == []


def test_variables_of_the_compose_file_are_known():
    lines = (ROOT / ".env.example").read_text().splitlines()
    names = [line.partition("=")[0].lstrip("# ") for line in lines if "=" in line]
    assert list(unknown_variables(name for name in names if name.startswith("ATOM_"))) == []


def test_service_links_of_kubernetes_are_known():
    links = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8077_TCP"]
    names = [f"ATOM_GATEWAY_{link}" for link in [*links, "PORT_8077_TCP_ADDR"]]
    assert list(unknown_variables(names)) == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ATOM_LEASE_SECOND", "ATOM_LEASE_SECONDS"),
        ("ATOM_SERVICE", "ATOM_SERVICES"),
        ("ATOM_SECRETKEY", "ATOM_SECRET_KEY"),
        ("ATOM_CALLBACK_HOST", "ATOM_CALLBACK_HOSTS"),
        ("atom_services", "ATOM_SERVICES"),
    ],
)
def test_misspelt_variable_is_reported_with_the_nearest_setting(name, nearest):
    (warning,) = unknown_variables([name])
    assert warning.startswith(f"{name} is not a setting")
    assert warning.endswith(f"did you mean {nearest}?")


@given(st.sampled_from(SETTINGS), st.data())
def test_setting_with_one_character_changed_is_reported(name, data):
    position = data.draw(st.integers(len("ATOM_"), len(name) - 1))
    misspelt = name[:position] + "#" + name[position + 1 :]
    (warning,) = unknown_variables([misspelt])
    assert misspelt in warning


def test_variable_like_no_setting_is_reported_without_a_guess():
    (warning,) = unknown_variables(["ATOM_WEATHER"])
    assert warning == (
        "ATOM_WEATHER is not a setting of flow-atom and has no effect (docs/settings.md)."
    )


def test_command_prints_the_warning_and_goes_on(monkeypatch):
    monkeypatch.setenv("ATOM_SERVICES", "examples.orders")
    monkeypatch.setenv("ATOM_LEASE_SECOND", "5")
    result = CliRunner().invoke(main, ["check"])
    assert result.exit_code == 0
    assert "atom: warning: ATOM_LEASE_SECOND" in result.stderr
    assert "ATOM_LEASE_SECOND" not in result.stdout


def test_role_logs_the_warning():
    environment = {
        **os.environ,
        "ATOM_SERVICES": "no_such_module",
        "ATOM_LEASE_SECOND": "5",
        "ATOM_LOG_FORMAT": "json",
    }
    worker = subprocess.run(
        [sys.executable, "-m", "atom", "worker"], env=environment, capture_output=True, text=True
    )
    assert worker.returncode == 1
    records = [orjson.loads(line) for line in worker.stderr.splitlines() if line.startswith("{")]
    (record,) = [record for record in records if "LEASE_SECOND" in record["message"]]
    assert (record["level"], record["role"]) == ("WARNING", "worker")
