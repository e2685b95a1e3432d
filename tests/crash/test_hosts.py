"""Roles on several hosts, and a network between them that is cut without anybody being told."""

import os
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from atom.names import CALLBACKS, PROCESSES, RECOVERY
from atom.records import State
from atom.sandbox import FlowStatus
from tests.support import waits
from tests.support.hosts import Hosts, HostsRefused
from tests.support.roles import SERVICES, TestAtom
from tests.support.waiting import until

CUT_SECONDS = 60
NEAR, FAR = "near", "far"


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Two hosts beside this one."""
    made = Hosts(NEAR, FAR)
    try:
        made.make()
    except HostsRefused as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"No hosts can be made here: {error}")
    yield made
    made.remove()


@pytest.fixture
def atom(tmp_path, hosts) -> Iterator[TestAtom]:
    """Redis and every role but the workers of processes on this host."""
    atom = TestAtom(tmp_path, service=f"{SERVICES},tests.support.waits,tests.support.hogs")
    try:
        with Redis.from_url(atom.redis.url) as client:
            client.config_set("bind", f"127.0.0.1 {hosts.address}")
            client.config_set("protected-mode", "no")
        atom.environment["ATOM_REDIS_URL"] = atom.redis.url.replace("127.0.0.1", hosts.address)
        atom.start("listener", "listener")
        atom.start("callbacks", "worker", f"--queues={CALLBACKS}")
        atom.start("recovery", "recovery")
        for queue in (CALLBACKS, RECOVERY):
            until(lambda queue=queue: atom.store.present(queue), f"a worker for {queue}", 60)
        atom.wait_for_listener(atom.url)
        yield atom
    finally:
        atom.close()


def start_worker(atom, hosts, name):
    """A worker of two processes on a host of its name."""
    on = hosts.on(name)
    atom.start(name, "worker", f"--queues={PROCESSES}", "--concurrency=2", on=on)
    pid = atom.processes[name].pid
    until(
        lambda: any(f"-{pid}-" in node for node in atom.store.present(PROCESSES)), "the worker", 60
    )


def assert_resumed_once(flow, seconds=120):
    assert flow.wait_over(seconds) is FlowStatus.DONE, flow.events
    assert [call.moves for call in flow.calls.values()] == [1]


def echo(atom):
    return atom.run("Echo", {"Text": "x"})


def begin_on_both_processes(atom, tmp_path):
    """One that stands between two steps and one with steps of a second each."""
    stands = tmp_path / "stands"
    stands.mkdir()
    standing = atom.run("Between two steps", {"Directory": str(stands)}, service="Hogs")
    inputs = {
        "Directory": str(tmp_path),
        "Steps": "30",
        "Seconds": "1",
    }  # not over when it is cut off
    stepping = atom.run("Steps", inputs, service="Waits")
    until(lambda: "between 1" in waits.lines(stands), "it to stand between its steps")
    until(lambda: len(waits.lines(tmp_path)) >= 3, "the other's second step")
    return standing, stepping, stands


def everything_of(atom, flows):
    """What is stored of these flows' executions."""
    return [atom.execution_of(flow) for flow in flows]


@pytest.mark.timeout(600)
def test_a_host_that_is_cut_off_for_a_minute_loses_nothing_and_is_not_deaf(atom, hosts, tmp_path):
    start_worker(atom, hosts, NEAR)
    assert_resumed_once(echo(atom))
    standing, stepping, stands = begin_on_both_processes(atom, tmp_path)
    waiting = [echo(atom) for _ in range(4)]  # for room on the only worker
    with hosts.cut_off(NEAR):
        cut_at = time.monotonic()
        start_worker(atom, hosts, FAR)
        accepted = [echo(atom) for _ in range(20)]
        until(lambda: "between 2" in waits.lines(stands), "the take-over", 60)
        (stands / "go").touch()  # from here on, both attempts would go on
        for flow in (standing, stepping, *waiting, *accepted):
            assert_resumed_once(flow)
        for execution in everything_of(atom, (standing, stepping)):
            assert (execution.state, execution.losses) == (State.COMPLETED, 1)
        before = everything_of(atom, (standing, stepping))
        still = CUT_SECONDS - (time.monotonic() - cut_at)
        time.sleep(max(still, 0))  # the cut itself; nothing could be waited for
    given_up = b"What this attempt did is dropped"
    until(lambda: atom.log(NEAR).count(given_up) == 2, "it to give up", 60)
    assert everything_of(atom, (standing, stepping)) == before
    assert "second 1" not in waits.lines(stands), "a step began that another worker was doing"
    assert atom.end(FAR) == 0
    for flow in [echo(atom) for _ in range(5)]:  # only the one that was cut off can run them
        assert_resumed_once(flow)
    ended = [name for name, each in atom.processes.items() if each.poll() is not None]
    assert ended == [], "none had to give up"
    (resumed,) = standing.events_of("resumed")
    assert resumed.details["outputs"][0]["contentValue"] == "attempt 2"
