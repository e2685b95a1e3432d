"""The recipes of docs/upgrading.md, with two versions of one service on disk."""

import json
from functools import partial

import pytest

from atom.records import State
from atom.sandbox import FlowStatus, SandboxError
from tests.support import operating
from tests.support.operating import resumed
from tests.support.ports import free_port
from tests.support.roles import ROOT, TestAtom
from tests.support.waiting import until

VERSIONS = ROOT / "tests" / "support" / "versions"


class Deployment:
    """An Atom whose roles are replaced one after the other."""

    def __init__(self, directory):
        self.steps = directory / "steps"
        self.atom = TestAtom(directory / "atom", "orders", ATOM_REPUBLISH_SECONDS="1")
        self.command = partial(operating.command, self.atom)
        self.url = ""
        self.flows = {}

    def start(self, version):
        """Start every role with this version."""
        for name, queue in (("callbacks", "callbacks"), ("recovery", None)):
            command = ("worker", f"--queues={queue}") if queue else ("recovery",)
            self.atom.start(name, *command, **_path(version))
        self.start_worker(version)
        self.start_listener(version)
        for role in ("callbacks", "recovery"):
            until(lambda role=role: self.atom.store.present(role), role, 60)

    def start_worker(self, version):
        name = f"worker {version}"
        command = ("worker", "--queues=processes", "--concurrency=2")
        self.atom.start(name, *command, **_path(version))
        until(lambda: self._serves("processes", version), name, 60)

    def end_worker(self, version):
        assert self.atom.end(f"worker {version}") == 0
        until(lambda: not self._serves("processes", version), "the worker to be gone")

    def start_listener(self, version):
        """Start a listener with an address of its own; new requests go there from now on."""
        name = f"listener {version}"
        bind = f"127.0.0.1:{free_port()}"
        self.atom.start(name, "listener", ATOM_BIND=bind, **_path(version))
        self.atom.wait_for_listener(f"http://{bind}")
        self.url = f"http://{bind}"

    def end_listener(self, version):
        assert self.atom.end(f"listener {version}") == 0

    def _serves(self, role, version):
        service = f"Orders {version}"
        return [
            presence
            for presence in self.atom.store.presences(role)
            if presence.details["services"] == service
        ]

    def request(self, action, number, **inputs):
        inputs = {"Number": number, "Steps": str(self.steps), **inputs}
        flow = self.atom.platform.run(f"{self.url}/fs/Orders", action, inputs)
        self.flows[number] = flow
        return flow

    def refusal(self, action):
        """Return the words with which the listener refuses a request that has no region."""
        inputs = {"Number": "refused", "Steps": str(self.steps)}
        flow = self.atom.platform.run(f"{self.url}/fs/Orders", action, inputs)
        assert flow.wait_over(120) is FlowStatus.FAILED, flow.events
        return str(flow.events[-1].details)

    def begin(self, action, number, **inputs):
        """Run a flow up to the point at which its execution waits for an approval."""
        self.request(action, number, **inputs)
        until(lambda: self.execution(number).state is State.SUSPENDED, "the wait", 60)

    def approve(self, number):
        """Return what the flow resumed with."""
        self.command("executions", "signal", self.execution(number).id, "approved")
        outputs, faults = resumed(self.flows[number])
        assert faults in (None, {})
        return outputs

    def execution(self, number):
        return self.atom.execution_of(self.flows[number])

    def versions(self, number):
        found = self.execution(number)
        return found.version, found.worker_version

    def listed(self, *options):
        """Return the orders that `atom executions list` shows."""
        listed = json.loads(self.command("executions", "list", "--json", *options))
        numbers = {self.execution(number).id: number for number in self.flows}
        return {numbers[execution["id"]] for execution in listed}

    def log_of(self, number):
        return self.command("executions", "show", self.execution(number).id)


def _path(version):
    return {"PYTHONPATH": str(VERSIONS / version)}


@pytest.fixture
def deployment(tmp_path):
    deployment = Deployment(tmp_path)
    try:
        yield deployment
    finally:
        deployment.atom.close()


def test_rolling_deploy_replaces_workers_before_listeners(deployment):
    deployment.start("1")
    deployment.begin("Order", "1", Amount="12.5")
    deployment.begin("Order", "2", Amount="12 EUR")
    # The workers first: they read what the old listener accepts.
    deployment.start_worker("2")
    deployment.end_worker("1")
    deployment.begin("Order", "3", Amount="7")
    assert deployment.versions("3") == ("1", "2")
    deployment.start_listener("2")
    deployment.end_listener("1")
    assert "Region: missing data for required field" in deployment.refusal("Order")
    deployment.begin("Order", "4", Amount="8", Region="EMEA")

    assert deployment.listed("--version", "1") == {"1", "2", "3"}
    assert "1 → 2" in deployment.command("executions", "list", "--worker-version", "2")
    assert deployment.listed("--version", "1", "--worker-version", "1") == {"1", "2"}
    old = {"Total": None, "Region": "none, from version 1"}
    assert deployment.approve("1") == {"ID": "R-1", "Amount": "12.5", **old}
    assert deployment.approve("2") == {"ID": "R-2", "Amount": "12 EUR", **old}
    assert deployment.approve("3") == {"ID": "R-3", "Amount": "7", **old, "Total": "7"}
    assert deployment.approve("4") == {
        "ID": "R-4",
        "Amount": "8",
        "Total": "8",
        "Region": "EMEA",
    }
    assert [deployment.versions(number) for number in "1234"] == [("1", "2")] * 3 + [("2", "2")]
    steps = sorted(deployment.steps.read_text().splitlines())
    assert steps == [f"{number} {step}" for number in "1234" for step in ("book", "reserve")]
    log = deployment.log_of("2")
    assert "“Amount” cannot be read; its raw text is passed on" in log
    assert "“Region” is required, but missing; it has no value" in log
    assert "WARNING" not in deployment.log_of("4")


def test_rollback_replaces_listeners_before_workers(deployment):
    deployment.start("2")
    deployment.begin("Order", "1", Amount="12.5", Region="EMEA")
    # The listeners first: from now on nothing is accepted that only the new version knows.
    deployment.start_listener("1")
    deployment.end_listener("2")
    deployment.begin("Order", "2", Amount="7")
    assert deployment.versions("2") == ("1", "2")
    deployment.start_worker("1")
    deployment.end_worker("2")
    deployment.begin("Order", "3", Amount="12 EUR")

    assert deployment.listed("--version", "2", "--state", "suspended") == {"1"}
    assert deployment.approve("1") == {"ID": "R-1", "Amount": "12.5", "Note": None}
    assert deployment.approve("2") == {"ID": "R-2", "Amount": "7", "Note": None}
    assert deployment.approve("3") == {"ID": "R-3", "Amount": "12 EUR", "Note": "by version 1"}
    assert [deployment.versions(number) for number in "123"] == [("2", "1"), ("1", "1"), ("1", "1")]
    steps = sorted(deployment.steps.read_text().splitlines())
    assert steps == [f"{number} {step}" for number in "123" for step in ("book", "reserve")]


def test_action_of_the_new_version_waits_for_its_workers_after_a_rollback(deployment):
    deployment.start("2")
    deployment.end_worker("2")
    deployment.request("Ship", "1", Amount="7", Region="EMEA")
    deployment.start_listener("1")
    deployment.end_listener("2")
    deployment.start_worker("1")
    with pytest.raises(SandboxError, match="Ship"):
        deployment.refusal("Ship")
    deployment.begin("Order", "2", Amount="7")
    assert deployment.execution("1").state is State.ACCEPTED
    assert deployment.listed("--version", "2") == {"1"}
    deployment.start_worker("2")
    deployment.end_worker("1")
    outputs, _ = resumed(deployment.flows["1"])
    assert (outputs["ID"], outputs["Total"]) == ("1", "0")


def test_removed_action_ends_before_its_workers_do(deployment):
    def unfinished():
        states = ("accepted", "running", "suspended")
        return [deployment.listed("--action", "Count", "--state", state) for state in states]

    deployment.start("1")
    deployment.begin("Count", "1")
    deployment.command("listeners", "pause", "Orders.Count", **_path("1"))
    assert "“Orders.Count” is paused" in deployment.refusal("Count")
    assert unfinished() == [set(), set(), {"1"}]
    assert deployment.approve("1")["Note"] == "by version 1"
    assert unfinished() == [set(), set(), set()]
    deployment.start_listener("2")
    deployment.end_listener("1")
    deployment.start_worker("2")
    deployment.end_worker("1")
    with pytest.raises(SandboxError, match="Count"):
        deployment.refusal("Count")
    deployment.begin("Order", "2", Amount="7", Region="EMEA")
    assert deployment.approve("2")["Total"] == "7"
