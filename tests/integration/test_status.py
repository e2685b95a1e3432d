"""`/ready`, `/health` and `atom status`, over roles that come and go."""

import http.client
import json
import os
import signal
import time

import pytest

from tests.support import operating
from tests.support.roles import TestAtom
from tests.support.waiting import until


@pytest.fixture
def own(tmp_path):
    atom = TestAtom(tmp_path, ATOM_REPUBLISH_SECONDS="1")
    try:
        yield atom
    finally:
        atom.close()


def ask(atom, path="/ready", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", atom.port, timeout=60)
    try:
        connection.request(method, path, headers=headers)
        reply = connection.getresponse()
        return reply, reply.read()
    finally:
        connection.close()


def ready(atom):
    reply, body = ask(atom)
    return reply.status, json.loads(body)


def status(atom, code=0):
    return json.loads(operating.command(atom, "status", "--json", code=code))


def test_from_nobody_to_everybody_and_back(own):
    own.start("listener", "listener")
    until(lambda: ask_or_none(own), "the listener", 60)
    code, document = ready(own)
    assert (code, document["status"]) == (200, "degraded")  # what it accepts is done later
    assert "Recovery is not seen" in " ".join(document["problems"])
    assert document["workers"]["processes"] == {"count": 0, "seen_seconds_ago": None}
    flow = own.run("Echo", {"Text": "x"})
    said = operating.command(own, "status", code=1)
    assert "No worker serves the queue “processes”, where 1 execution waits since" in said
    assert "→ atom worker --queues processes" in said

    own.start("worker", "worker", "--queues=processes", "--concurrency=3")
    own.start("callbacks", "worker", "--queues=callbacks")
    own.start("recovery", "recovery")
    flow.wait_over(120)
    until(lambda: "all" if not others_missing(own) else "", "every role to be seen", 60)
    until(lambda: is_idle(own), "a heartbeat of the idle worker")
    found = status(own)
    roles = {each["role"]: each for each in found["roles"]}
    assert set(roles) == {"listener", "processes", "callbacks", "recovery"}
    worker = roles["processes"]
    assert (worker["pool"], worker["concurrency"], worker["busy"]) == ("prefork", "3", "0")
    assert worker["pid"] == str(own.processes["worker"].pid)
    assert "Shop " in worker["services"]
    assert (roles["callbacks"]["pool"], roles["callbacks"]["concurrency"]) == ("threads", "8")
    assert roles["recovery"]["pid"] == str(own.processes["recovery"].pid)
    assert "Shop " in roles["recovery"]["services"]
    assert [each["queue"] for each in found["queues"]] == ["processes", "callbacks"]
    assert 0 <= worker["seen_seconds_ago"] < 30
    assert found["finished"] == {"completed": 1}
    assert found["redis"]["is_append_only"]
    assert found["findings"] == []
    assert "Nothing is wrong." in operating.command(own, "status")
    assert ready(own)[1]["status"] == "ready"

    for name in ("listener", "recovery"):
        assert own.end(name) == 0, own.log(name).decode()
    sentences = [each["sentence"] for each in status(own, code=1)["findings"]]
    assert any("No listener is seen" in each for each in sentences)  # at once: it said goodbye
    assert any("Recovery is not seen" in each for each in sentences)


def is_idle(atom):
    """Return whether the worker announces that it is idle, and nothing is to be found."""
    found = operating.run_atom({**os.environ, **atom.environment}, "status", "--json")
    if found.returncode:
        return False
    roles = {each["role"]: each for each in json.loads(found.stdout)["roles"]}
    return roles["processes"]["busy"] == "0"


def others_missing(atom):
    missing = ("listener", "processes", "callbacks", "recovery")
    return [each for each in missing if not atom.store.present(each)]


def ask_or_none(atom):
    try:
        return ask(atom, "/health")[0].status == 200
    except OSError:
        return False


def test_a_redis_that_is_full_silent_or_away(own):
    # One process: another would go by its own last look, for a second.
    own.start("listener", "listener", ATOM_LISTENER_PROCESSES="1")
    until(lambda: ask_or_none(own), "the listener", 60)
    until(lambda: ready(own)[0] == 200, "its first look at Redis")
    own.store._redis.config_set("maxmemory", "1")
    code, document = until(lambda: unready(own), "it to be noticed")
    assert code == 503
    assert document["store"]["ok"] is False
    assert "maxmemory" in document["problems"][0]
    assert ask(own, "/fs/Shop/health")[0].status == 503
    assert ask(own, "/health")[0].status == 200
    own.store._redis.config_set("maxmemory", "0")
    until(lambda: ready(own)[0] == 200, "it to be ready again")

    own.redis.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: unready(own), "silence to be noticed")
        started = time.monotonic()
        assert ready(own)[0] == 503
        assert time.monotonic() - started < 30
        assert ask(own, "/health")[0].status == 200
    finally:
        own.redis.process.send_signal(signal.SIGCONT)
    until(lambda: ready(own)[0] == 200, "it to be ready again", 60)

    own.redis.stop()
    _, document = until(lambda: unready(own), "its end to be noticed")
    assert "does not answer" in document["problems"][0]
    said = operating.command(own, "status", code=2)
    assert "Redis at" in said


def unready(atom):
    code, document = ready(atom)
    return (code, document) if code != 200 else None


def test_a_broker_that_is_away_is_told_and_no_reason_to_refuse(own):
    own.start("listener", "listener", ATOM_BROKER_URL="redis://127.0.0.1:1/0")
    until(lambda: ask_or_none(own), "the listener", 60)
    code, document = ready(own)
    assert (code, document["status"]) == (200, "degraded")
    assert document["broker"]["ok"] is False
    assert any("published when it does" in each for each in document["problems"])


def test_only_the_inside_network_is_told(own):
    own.start("listener", "listener")
    until(lambda: ask_or_none(own), "the listener", 60)
    assert ask(own)[0].status == 200
    for header in ("X-Forwarded-For", "Forwarded", "Via"):
        assert ask(own, **{header: "203.0.113.9"})[0].status == 404
        assert ask(own, "/health", **{header: "203.0.113.9"})[0].status == 200


def test_headers_of_every_answer(own):
    own.start("listener", "listener")
    until(lambda: ask_or_none(own), "the listener", 60)
    for path, method in (("/health", "GET"), ("/nothing", "GET"), ("/fs/Shop/metadata", "PUT")):
        reply, _ = ask(own, path, method)
        assert reply.getheader("X-Content-Type-Options") == "nosniff"
        assert reply.getheader("Cache-Control") == "no-store"
        assert "default-src 'none'" in reply.getheader("Content-Security-Policy")
        assert reply.getheader("Server") == "gunicorn"  # which, but not of what version
