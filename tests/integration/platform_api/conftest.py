"""One whole Atom with a console, and its users as clients of the platform."""

import pytest

from tests.support.console import ConsoleAtom
from tests.support.platform_client import (
    ACCOUNT,
    a_client,
)
from tests.support.roles import SERVICES


@pytest.fixture(scope="package")
def atom(tmp_path_factory):
    services = f"{SERVICES},tests.support.configured"
    atom = ConsoleAtom(tmp_path_factory.mktemp("platform"), services, ATOM_REPUBLISH_SECONDS="1")
    try:
        atom.start_all(["--pool=threads", "--concurrency=4"])
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="package")
def operator(atom):
    return atom.cli("credentials", "create", "robot", "--role", "operator")


@pytest.fixture(scope="package")
def viewer(atom):
    return atom.cli("credentials", "create", "watcher", "--role", "viewer")


@pytest.fixture(scope="package")
def leaving(atom):
    return atom.cli("credentials", "create", "leaving", "--role", "operator")


@pytest.fixture(scope="package")
def console(atom, operator, viewer, leaving):
    """Started when all its users are there, so that none is unknown to it for a moment."""
    return atom.start_console()


@pytest.fixture(scope="package")
def api(console):
    return f"{console}/api/rest/v1/{ACCOUNT}"


@pytest.fixture(scope="package")
def client(console, operator):
    return a_client(console, "robot", operator)
