"""What Prometheus reads of real roles after real flows: right in sum, and no secret of anybody."""

import os
import signal

import orjson
import pytest

from atom.flow.transport import Transport
from atom.names import CALLBACKS, PROCESSES, RECOVERY
from atom.sandbox import Answer, Connector, SandboxError
from tests.support.operating import resumed
from tests.support.waiting import until
from tests.support.watched import ROLES, Watched

FLOWS = 12


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    watched = Watched(tmp_path_factory.mktemp("watched"))
    try:
        yield watched
    finally:
        watched.atom.close()


def echo(watched, text="text"):
    flow = watched.atom.run("Echo", {"Text": text, "Password": "canary-password"})
    resumed(flow)


def send(url, path, body=b"{}", method="POST", **headers):
    transport = Transport()
    try:
        sent = {"Content-Type": "application/json", **headers}
        return transport.send(method, f"{url}{path}", body, sent)
    finally:
        transport.close()


ECHO = {"service": "Trial", "action": "Echo"}


def replace_children(watched, name):
    """Kill every child of a role, and wait until there are as many again."""
    old = set(watched.children(name))
    assert len(old) >= 2
    for child in old:
        os.kill(child, signal.SIGKILL)

    def are_replaced():
        new = set(watched.children(name))
        return len(new) == len(old) and not new & old

    until(are_replaced, "new children", 60)
    if name == "listener":
        watched.atom.wait_for_listener(watched.atom.url)


def test_sums_over_processes_are_right_and_outlive_them(watched):
    counts = {"listener": "atom_requests_total", "worker": "atom_run_seconds_count"}
    expected = {name: watched.scrape(name).sum(metric, **ECHO) for name, metric in counts.items()}
    for _ in range(3):
        for _ in range(FLOWS):
            echo(watched)
        for name, metric in counts.items():
            expected[name] += FLOWS
            watched.until(name, metric, expected[name], **ECHO)
            replace_children(watched, name)
    # Whoever replaced a dead process went on in its files: three processes at a time, three slots.
    # Recovery is a single process, and counts in its memory.
    slots = [len(list(each.glob("*.lock"))) for each in watched.directories()]
    assert len(slots) == 3
    assert max(slots) <= 3


def test_each_way_to_ask_and_to_end_is_counted(watched, tmp_path):
    before = watched.scrape("listener")
    connector = Connector(watched.atom.platform, f"{watched.atom.url}/fs/Shop")
    watched.atom.platform.configure(f"{watched.atom.url}/fs/Shop", {"Api Key": "canary-api-key"})
    assert connector.get("Item", "i1")
    for item, status in (("no", 409), ("broken", 500), ("until cancelled", 504)):
        with pytest.raises(SandboxError) as caught:
            connector.get("Item", item)
        assert caught.value.status == status
    asked = {"File": str(tmp_path / "go")}
    late = watched.atom.run("Impatient", asked, service="Stubborn")
    (tmp_path / "go").touch()
    resumed(late)
    resumed(watched.atom.run("Patient", asked, service="Stubborn"))
    resumed(watched.atom.run("No"))
    flow = watched.atom.run("Echo", {"Text": "twice"})
    watched.atom.platform.resend(flow)
    resumed(flow)
    assert send(watched.atom.url, "/fs/Trial/actions/Echo", b"{").status == 400

    found = watched.scrape("listener")

    def counted(metric, label, **labels):
        old = before.values(metric, label, **labels)
        new = found.values(metric, label, **labels)
        return {word: value - old.get(word, 0) for word, value in new.items()}

    item = {"service": "Shop", "action": "Item.get"}
    assert counted("atom_requests_total", "status", **item) == {
        "accepted": 1,
        "409": 1,
        "500": 1,
        "504": 1,
    }
    assert counted("atom_sync_waits_total", "end", **item) == {"result": 3, "timeout": 1}
    for action, end in (("Patient", "inline"), ("Impatient", "wait")):
        waits = counted("atom_sync_waits_total", "end", service="Stubborn", action=action)
        assert waits == {end: 1}
    echoes = counted("atom_requests_total", "status", **ECHO)
    assert {"accepted": 1, "duplicate": 1, "400": 1}.items() == echoes.items()
    took = found.values("atom_request_seconds_sum", "action", service="Shop")
    assert took["Item.get"] >= 5  # that is how long the listener waited for the last one

    watched.until("worker", "atom_run_seconds_count", 1, service="Trial", state="faulted")
    watched.until("worker", "atom_run_seconds_count", 1, service="Shop", state="failed")


def test_steps_retries_losses_and_callbacks_are_counted(watched, tmp_path):
    resumed(watched.atom.run("Flaky", {"File": str(tmp_path / "tries")}, service="Stubborn"))
    resumed(watched.atom.run("Dies once", {"File": str(tmp_path / "lines")}))
    watched.atom.platform.script(
        *(Answer(status=503), Answer("BUSY"), Answer("canary-answer"), Answer(drop=True)),
    )
    resumed(watched.atom.run("Nothing"))
    watched.atom.platform.script(Answer("NOT_ALLOWED"))
    watched.atom.run("Nothing")

    flaky = {"service": "Stubborn", "action": "Flaky"}
    watched.until("worker", "atom_run_seconds_count", 1, state="completed", **flaky)
    worker = watched.scrape("worker")
    steps = worker.values("atom_steps_total", "outcome", **flaky)
    assert steps == {"result": 2, "failure": 2, "replayed": 2}
    ends = worker.values("atom_run_seconds_count", "state", **flaky)
    assert ends == {"again": 2, "completed": 1}
    watched.until("callbacks", "atom_callback_seconds_count", 1, answer="not_allowed")
    answers = watched.scrape("callbacks").values("atom_callback_seconds_count", "answer")
    for word in ("http_5xx", "busy", "unknown", "none", "not_allowed"):
        assert answers[word] == 1, word
    watched.until("listener", "atom_callbacks_parked", 1)


def test_all_that_is_asked_says_how_it_stands(watched):
    for name in ("listener", "recovery"):
        found = watched.scrape(name)
        assert found.sum("atom_store_up") == found.sum("atom_broker_up") == 1
        workers = found.values("atom_workers", "queue")
        assert {PROCESSES: 1, CALLBACKS: 1, RECOVERY: 1}.items() <= workers.items()
        assert 'atom_instances{role="listener"}' in found.text
        finished = found.values("atom_executions_finished_total", "state")
        assert {"completed", "faulted", "failed"} <= set(finished)
        assert found.sum("atom_leases_lost_total") >= 1
        assert found.sum("atom_recoveries_total", kind="lost taken over") >= 1
    for name in ("worker", "callbacks"):
        assert "atom_store_up" not in watched.scrape(name).text
    until(
        lambda: watched.scrape("recovery").sum("atom_recovery_ticks_total", end="whole"), "a tick"
    )


def test_names_that_a_caller_made_up_are_no_labels(watched):
    before = watched.scrape("listener")
    hostile = [
        "/fs/Trial/actions/canary-action",
        "/fs/canary-service/actions/Echo",
        "/fs/canary-service/data",
        "/fs/Trial/canary-path",
        "/fs/Trial/actions/canary%22%0a%7D",
    ]
    for path in hostile:
        assert send(watched.atom.url, path).status in (400, 404)
    assert send(watched.atom.url, "/fs/Trial/actions/Echo", method="CANARY").status == 405
    body = orjson.dumps({"objectDataType": {"developerName": "canary-type"}})
    assert send(watched.atom.url, "/fs/Shop/data", body).status in (400, 404)
    found = watched.scrape("listener")
    assert "canary" not in found.text
    unknown = {"action": "unknown"}
    new = found.sum("atom_requests_total", **unknown) - before.sum("atom_requests_total", **unknown)
    assert new == len(hostile) + 2
    assert set(found.values("atom_requests_total", "service", **unknown)) <= {
        *("unknown", "Trial", "Shop"),
    }


def test_a_declared_name_may_hold_any_character(watched):
    name = "Plain name: ä/b?"
    resumed(watched.atom.run(name))
    assert watched.scrape("listener").sum("atom_requests_total", action=name) == 1
    watched.until("worker", "atom_run_seconds_count", 1, action=name)


def test_metrics_are_for_the_inside_network(watched):
    assert send(watched.atom.url, "/metrics", b"", "GET").status == 200
    behind = send(watched.atom.url, "/metrics", b"", "GET", **{"X-Forwarded-For": "10.0.0.1"})
    assert behind.status == 404
    assert b"atom_" not in behind.body


def test_no_secret_is_in_any_answer(watched):
    echo(watched)
    for name in watched.urls:
        assert "canary" not in watched.scrape(name).text


def test_an_address_that_is_taken_is_refused_in_words(watched):
    bind = watched.urls["worker"].removeprefix("http://")
    watched.atom.start("second", *ROLES["worker"], ATOM_METRICS_BIND=bind)
    assert watched.atom.processes["second"].wait(120) == 1
    said = watched.atom.log("second").decode()
    assert f"Cannot listen on {bind}" in said
    assert "ATOM_METRICS_BIND" in said
    assert "Traceback" not in said


def test_what_a_role_leaves_behind_is_removed(watched):
    """A clean end leaves nothing; what a killed role left, the next one removes."""
    directories = watched.directories()
    dead = set(watched.atom.store.present(CALLBACKS))
    watched.atom.kill("callbacks")
    assert watched.directories() == directories
    for each in directories:
        os.utime(each, (0, 0))
    watched.start("callbacks")
    until(lambda: set(watched.atom.store.present(CALLBACKS)) - dead, "the new worker", 60)
    left = watched.directories()
    assert len(directories - left) == 1
    assert len(left - directories) == 1
    assert watched.atom.end("callbacks") == 0
    assert watched.directories() == left & directories


def test_without_the_store_the_rest_is_told(watched):
    """Last: it leaves the Atom without one. At first the store hangs, then it is gone."""
    watched.atom.redis.process.send_signal(signal.SIGSTOP)
    try:
        check_that_store_is_down(watched)
    finally:
        watched.atom.redis.process.send_signal(signal.SIGCONT)
    watched.atom.redis.stop()
    check_that_store_is_down(watched)


def check_that_store_is_down(watched):
    for name in ("listener", "recovery"):
        found = watched.scrape(name)
        assert "atom_store_up 0.0" in found.text
        assert "atom_broker_up 0.0" in found.text
        assert "atom_queue_waiting" not in found.text
    assert watched.scrape("listener").sum("atom_requests_total", **ECHO)
