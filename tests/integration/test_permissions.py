"""A whole Atom whose Redis user may do no more than the documentation says."""

import json
import re
from collections.abc import Iterator

import pytest
import requests
from redis import Redis

from tests.support import operating
from tests.support.console import ConsoleAtom
from tests.support.operating import resumed
from tests.support.permissions import denied, documented_rules, grant
from tests.support.ports import free_port
from tests.support.waiting import until

MANAGED = ("~*", "&*", "+@all", "-@dangerous")  # as managed services have it
UNKNOWN = "unknown: the Redis user may not run INFO"


@pytest.fixture
def make(tmp_path) -> Iterator:
    """An Atom whose roles, console and Flower use a Redis user with the given rules."""
    atoms = []

    def make_one(*rules):
        atom = ConsoleAtom(tmp_path)
        atoms.append(atom)
        atom.environment["ATOM_REDIS_URL"] = grant(atom.redis.url, *rules)
        atom.start_all()
        return atom

    yield make_one
    for atom in atoms:
        atom.close()


def assert_everything_works(atom):
    """Run a flow of each kind, and ask all that an operator asks."""
    outputs, faults = resumed(atom.run("Echo", {"Text": "x"}))
    assert (outputs["Text"], faults) == ("x", {})
    resumed(atom.run("Progress"))
    asleep = {"Seconds": 0.1, "File": str(atom.directory / "lines")}
    assert resumed(atom.run("Sleeps", asleep, service="Lasting")) == ({"Text": "attempt 1"}, {})
    assert requests.get(f"{atom.url}/ready", timeout=60).json()["status"] == "ready"
    console = atom.start_console()
    for path in ("/", "/executions", "/inbox", "/services"):
        assert requests.get(f"{console}{path}", timeout=60).status_code == 200, path
    atom.cli("executions", "list")
    with atom.user("somebody", "--role", "viewer"):
        atom.cli("credentials", "list")


@pytest.mark.parametrize("rules", [(), MANAGED], ids=["documented", "managed"])
def test_atom_works_with_restricted_redis_user(make, rules):
    atom = make(*rules)
    assert_everything_works(atom)
    said = operating.command(atom, "status")
    assert re.search(f"^Redis +{UNKNOWN}$", said, re.MULTILINE)
    assert "Permit it (+info)" in said
    assert json.loads(operating.command(atom, "status", "--json"))["redis"] is None
    assert denied(atom.redis.url) <= {"command info"}


def test_status_reports_server_facts_when_info_is_permitted(make):
    atom = make()
    grant(atom.redis.url, *[rule for rules in documented_rules() for rule in rules[3:]], "+info")
    said = operating.command(atom, "status")
    assert re.search(r"^Redis +\d", said, re.MULTILINE)
    assert "INFO" not in said


def test_flower_works_with_restricted_redis_user(make):
    atom = make()
    bind, login = f"127.0.0.1:{free_port()}", ("ada", "a-password")
    user = dict(zip(("ATOM_FLOWER_USERNAME", "ATOM_FLOWER_PASSWORD"), login, strict=True))
    atom.start("flower", "flower", ATOM_FLOWER_BIND=bind, **user)
    with Redis.from_url(atom.redis.url) as client:
        until(lambda: client.publish("/0.celeryev/probe", "none"), "Flower's subscription", 60)
    execution = atom.execution_of(atom.run("Nothing")).id

    def tasks():
        return requests.get(f"http://{bind}/api/tasks", auth=login, timeout=60).json()

    until(lambda: execution in tasks(), "Flower to see the task", 60)
    assert denied(atom.redis.url) <= {"command info"}
