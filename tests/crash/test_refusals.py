"""Redis answers and refuses: every role waits as in an outage, and reports the cause."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from redis import Redis
from redis.exceptions import ResponseError

from atom.sandbox import FlowStatus
from tests.support import waits
from tests.support.operating import command, health
from tests.support.permissions import PASSWORD, USER, grant
from tests.support.roles import SERVICES, TestAtom
from tests.support.waiting import until

WORKERS = ("worker", "callbacks", "recovery")
LEASE_SECONDS = 2
LIMITED = ("~*", "&*", "+@all", "-@dangerous")


@dataclass(frozen=True)
class Refusal:
    """A state in which Redis refuses."""

    begin: Callable[[Redis], None]
    end: Callable[[Redis], None]
    code: str  # of its replies
    remedy: str  # a part of what the logs advise
    status: int = 1  # the exit code of `atom status` meanwhile


def config(**values: str) -> Callable[[Redis], None]:
    def apply(admin: Redis) -> None:
        for name, value in values.items():
            admin.config_set(name.replace("_", "-"), value)

    return apply


def acl(*rules: str) -> Callable[[Redis], None]:
    return lambda admin: admin.execute_command("ACL", "SETUSER", USER, *rules)


def rotate_password(admin: Redis) -> None:
    acl("resetpass", ">another")(admin)
    admin.client_kill_filter(_type="normal", user=USER)


def snapshot(admin: Redis) -> Path:
    return Path(admin.config_get("dir")["dir"]) / "dump.rdb"


def fail_to_save(admin: Redis) -> None:
    """Make its snapshots fail, after which it takes no writes."""
    (snapshot(admin) / "a directory").mkdir(parents=True)
    config(save="3600 1")(admin)
    admin.bgsave()
    until(lambda: admin.info()["rdb_last_bgsave_status"] == "err", "a snapshot to fail")


def save_again(admin: Redis) -> None:
    shutil.rmtree(snapshot(admin))
    admin.bgsave()
    until(lambda: admin.info()["rdb_last_bgsave_status"] == "ok", "a snapshot to succeed")
    config(save="")(admin)


def run_a_script(admin: Redis) -> None:
    """Run one that does not end by itself."""
    config(busy_reply_threshold="100")(admin)
    endless = Redis(**{name: admin.get_connection_kwargs()[name] for name in ("host", "port")})

    def run() -> None:
        with suppress(ResponseError):  # it is killed
            endless.eval("while true do end", 0)

    threading.Thread(target=run, daemon=True).start()


REFUSALS = {
    "too few replicas": Refusal(
        config(min_replicas_to_write="1"),
        config(min_replicas_to_write="0"),
        "NOREPLICAS",
        "lower min-replicas-to-write",
    ),
    "a replica": Refusal(
        lambda admin: admin.replicaof("127.0.0.1", "1"),
        lambda admin: admin.replicaof("NO", "ONE"),
        "READONLY",
        "name the primary",
    ),
    "full": Refusal(config(maxmemory="1"), config(maxmemory="0"), "OOM", "Raise its maxmemory"),
    "a full disk": Refusal(fail_to_save, save_again, "MISCONF", "the room on its disk"),
    "no permission to consume": Refusal(
        acl("-brpop", "-evalsha"), acl("+brpop", "+evalsha"), "NOPERM", "docs/operating.md", 2
    ),
    "a long script": Refusal(
        run_a_script, lambda admin: admin.script_kill(), "BUSY", "SCRIPT KILL", 2
    ),
    "another password": Refusal(
        rotate_password, acl("resetpass", f">{PASSWORD}"), "WRONGPASS", "user and password", 2
    ),
}


@pytest.fixture(scope="module", params=["prefork", "threads"])
def atom(request, tmp_path_factory) -> Iterator[TestAtom]:
    """An Atom whose Redis user may be restricted."""
    directory = tmp_path_factory.mktemp(request.param)
    (directory / "temporary").mkdir()
    atom = TestAtom(
        directory,
        service=f"{SERVICES},tests.support.waits",
        ATOM_LEASE_SECONDS=str(LEASE_SECONDS),
        ATOM_REPUBLISH_SECONDS="3",
        TMPDIR=str(directory / "temporary"),
    )
    atom.environment["ATOM_REDIS_URL"] = grant(atom.redis.url, *LIMITED)
    try:
        atom.start_all(worker=("--concurrency=2", f"--pool={request.param}"))
        yield atom
    finally:
        atom.close()


@pytest.fixture
def admin(atom) -> Iterator[Redis]:
    """A client that may do everything."""
    with Redis.from_url(atom.redis.url) as client:
        yield client


@contextmanager
def refused(admin: Redis, refusal: Refusal) -> Iterator[None]:
    refusal.begin(admin)
    try:
        yield
    finally:
        refusal.end(admin)


def logged(atom, name, since, *parts):
    """Whether a role logged a line with all of these since then."""
    lines = atom.log(name)[since[name] :].decode().splitlines()
    return any(all(part in line for part in parts) for line in lines)


def waits_for(atom):
    """What atom-health reports of roles that are well and wait."""
    return "".join(line for line in health(atom)[1].splitlines() if "well, but it waits" in line)


def is_unready(atom, code):
    reply = requests.get(f"{atom.url}/ready", timeout=60)
    return reply.status_code == 503 and code in reply.json()["store"]["problem"]


@pytest.mark.parametrize("name", REFUSALS)
def test_roles_wait_while_redis_refuses(atom, admin, name, tmp_path):
    refusal = REFUSALS[name]
    waiting = atom.run("Until told", {"Directory": str(tmp_path)}, service="Waits")
    until(lambda: len(waits.lines(tmp_path)) == 2, "its second step", 60)
    since = {role: len(atom.log(role)) for role in atom.processes}
    with refused(admin, refusal):
        for role in WORKERS:
            until(
                lambda role=role: logged(atom, role, since, refusal.code, refusal.remedy),
                f"{role} to report it",
            )
        until(lambda: is_unready(atom, refusal.code), "the listener to be unready")
        flow = atom.platform.prepare(f"{atom.url}/fs/Trial", [("Echo", {"Text": "x"})])
        (call,) = flow.calls.values()
        assert not atom.platform.ask(flow, call)
        until(lambda: waits_for(atom).count(refusal.code) == 3, "their health checks")
        assert health(atom)[0] == 0
        assert refusal.code in command(atom, "status", code=refusal.status)
        time.sleep(2 * LEASE_SECONDS)  # the refusal itself, longer than a lease
    (tmp_path / "go").touch()
    assert waiting.wait_over(120) is FlowStatus.DONE, waiting.events
    assert [call.moves for call in waiting.calls.values()] == [1]
    for role in WORKERS:
        until(lambda role=role: logged(atom, role, since, "again, after"), f"{role} to recover", 60)
    atom.wait_for_listener(atom.url)
    assert atom.run("Echo", {"Text": "x"}).wait_over(120) is FlowStatus.DONE
    assert atom.execution_of(waiting).attempts == 1
    assert {role: each.poll() for role, each in atom.processes.items() if each.poll()} == {}
    until(lambda: "waits" not in health(atom)[1], "every role to wait no longer")
    assert b"Traceback" not in b"".join(atom.log(role)[since[role] :] for role in atom.processes)
