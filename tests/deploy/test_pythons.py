"""Finding the interpreters of a machine on which the tests run."""

import os
import sys

import pytest

from deploy.pythons import find_interpreter, supported_versions

OWN = f"3.{sys.version_info.minor}"


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without any Python."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/nowhere")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def test_supported_versions_are_those_of_the_classifiers():
    assert supported_versions()[:3] == ["3.11", "3.12", "3.13"]
    assert OWN in supported_versions()


def test_no_interpreter(machine):
    assert find_interpreter("3.12") is None


def test_interpreter_on_path(machine):
    path = executable(machine / "bin" / "python3.12", "echo 3.12")
    assert find_interpreter("3.12") == path
    assert find_interpreter("3.13") is None


@pytest.mark.parametrize("shim", ["exit 127", "echo 3.11", "exec /nowhere/python", ""])
def test_shim_of_a_version_that_is_not_selected_is_passed_over(machine, shim):
    executable(machine / "bin" / "python3.12", shim)
    assert find_interpreter("3.12") is None
    path = executable(machine / "pyenv/versions/3.12.1/bin/python3.12", "echo 3.12")
    assert find_interpreter("3.12") == path


def test_newest_version_of_pyenv_is_preferred(machine):
    releases = ("3.12.9", "3.12.10", "3.12.2", "3.12.0rc1", "3.1.20")
    for release in releases:
        executable(machine / f"pyenv/versions/{release}/bin/python3.12", "echo 3.12")
    assert find_interpreter("3.12") == str(machine / "pyenv/versions/3.12.10/bin/python3.12")


def test_broken_release_of_pyenv_is_passed_over(machine):
    executable(machine / "pyenv/versions/3.12.10/bin/python3.12", "exit 1")
    path = executable(machine / "pyenv/versions/3.12.9/bin/python3.12", "echo 3.12")
    assert find_interpreter("3.12") == path


def test_real_interpreter(machine):
    path = machine / "bin" / f"python{OWN}"
    path.parent.mkdir()
    path.symlink_to(sys.executable)
    assert find_interpreter(OWN) == str(path)
