"""What a container's health check says of each role, run as a container runs it."""

import http.client
import os
import signal

import pytest
import trustme

from atom.sandbox import FlowStatus
from tests.support import waits
from tests.support.operating import health, run_atom
from tests.support.ports import free_port
from tests.support.roles import SERVICES, TestAtom
from tests.support.waiting import until


@pytest.fixture
def lone(tmp_path):
    """Redis, and roles with notes of their own beside it."""
    (tmp_path / "notes").mkdir()
    atom = TestAtom(
        tmp_path,
        service=f"{SERVICES},tests.support.waits,tests.support.deafness",
        TMPDIR=str(tmp_path / "notes"),
        TESTS_DEAF_FILE=str(tmp_path / "deaf"),
        TESTS_HUNG_FILE=str(tmp_path / "hung"),
    )
    try:
        yield atom
    finally:
        atom.close()


def is_well(atom):
    return health(atom)[0] == 0


def test_a_listener(lone):
    code, said = health(lone)
    assert code == 1
    assert "No role of flow-atom runs here" in said
    lone.start("listener", "listener")
    until(lambda: is_well(lone), "the listener to be well", 60)
    listener = lone.processes["listener"]
    assert health(lone) == (0, f"listener (process {listener.pid}): well")
    os.killpg(listener.pid, signal.SIGSTOP)
    try:
        code, said = health(lone)
    finally:
        os.killpg(listener.pid, signal.SIGCONT)
    assert code == 1
    assert f"127.0.0.1:{lone.port} does not answer: timed out" in said
    until(lambda: is_well(lone), "the listener to be well again", 60)
    assert lone.end("listener") == 0
    assert health(lone)[0] == 1  # its note is of a dead process


def test_a_sandbox_and_a_listener_side_by_side(lone):
    lone.start("listener", "listener", ATOM_BIND=f"0.0.0.0:{lone.port}", ATOM_ALLOW_ANONYMOUS="1")
    lone.start("sandbox", "sandbox", ATOM_SANDBOX_BIND=f"127.0.0.1:{free_port()}")
    until(lambda: health(lone)[1].count("well") == 2, "both to be well", 60)
    assert is_well(lone)
    lone.kill("sandbox")
    assert health(lone)[1].startswith("listener")


def test_console_and_flower(lone):
    lone.start("console", "console", ATOM_CONSOLE_BIND=f"127.0.0.1:{free_port()}")
    lone.start(
        "flower",
        "flower",
        ATOM_FLOWER_BIND=f"127.0.0.1:{free_port()}",
        ATOM_FLOWER_PREFIX="/flower",
    )
    until(lambda: health(lone)[1].count("well") == 2, "both to be well", 60)
    for role in ("console", "flower"):
        (seen,) = until(lambda role=role: lone.store.presences(role), f"{role} to be seen", 60)
        assert seen.details["pid"] == str(lone.processes[role].pid)
        assert lone.end(role) == 0
        assert not lone.store.present(role)


@pytest.mark.parametrize("client_certificates", [False, True])
def test_a_listener_that_speaks_tls(lone, tmp_path, client_certificates):
    authority = trustme.CA()
    issued = authority.issue_cert("atom.example.org")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    secured = {name: str(tmp_path / "server.pem") for name in ("ATOM_TLS_CERT", "ATOM_TLS_KEY")}
    if client_certificates:
        secured["ATOM_TLS_CLIENT_CA"] = str(tmp_path / "ca.pem")
    lone.start("listener", "listener", **secured)
    until(lambda: is_well(lone), "the listener to be well", 60)


# --- workers: within 5 s here, where it is 30 s elsewhere


def stay_well(atom, *names, beats=30):
    """For a while that is longer than anything unwell takes to be noticed."""
    notes = atom.directory / "notes"
    pids = [atom.processes[name].pid for name in names]
    seen = {next(notes.glob(f"*/*-{pid}.json")): set() for pid in pids}

    def many_beats():
        for note, times in seen.items():
            times.add(note.stat().st_mtime_ns)
        return all(len(times) > beats for times in seen.values())

    until(many_beats, f"{names} to beat", 120)
    assert is_well(atom), health(atom)


def test_a_deaf_worker_is_unwell_before_it_ends(lone, tmp_path):
    lone.start("listener", "listener")
    lone.start("worker", "worker", "--concurrency=1")
    lone.wait_for_listener(lone.url)
    assert lone.run("Echo", {"Text": "x"}).wait_over(120) is FlowStatus.DONE  # it could hear
    assert is_well(lone)
    (tmp_path / "deaf").touch()
    said = until(lambda: unwell(lone), "it to be unwell", 60)
    assert "it has room but has not asked for messages for" in said
    assert lone.processes.pop("worker").wait(120) == 1


def test_a_stopped_worker_is_unwell(lone):
    lone.start("worker", "worker", "--concurrency=1")
    until(lambda: is_well(lone), "the worker to be well", 60)
    lone.processes["worker"].send_signal(signal.SIGSTOP)
    try:
        said = until(lambda: unwell(lone), "it to be unwell", 60)
    finally:
        lone.processes["worker"].send_signal(signal.SIGCONT)
    assert "it gave no sign of life for" in said
    until(lambda: is_well(lone), "the worker to be well again", 60)


def test_a_worker_with_all_its_places_taken_is_well(lone, tmp_path):
    lone.start("listener", "listener")
    lone.start("worker", "worker", "--concurrency=1")
    lone.wait_for_listener(lone.url)
    lone.run("Until told", {"Directory": str(tmp_path)}, service="Waits")
    until(lambda: len(waits.lines(tmp_path)) == 2, "its second step", 60)
    stay_well(lone, "worker")
    (tmp_path / "go").touch()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["away", "silent"])
def test_without_redis_workers_are_well(lone, how):
    lone.start("worker", "worker", "--concurrency=1")
    lone.start("recovery", "recovery")
    for queue in ("processes", "recovery"):
        until(lambda queue=queue: lone.store.present(queue), f"a worker for {queue}", 60)
    if how == "away":
        lone.redis.stop()
    else:
        lone.redis.process.send_signal(signal.SIGSTOP)
    try:
        stay_well(lone, "worker", "recovery", beats=90)
    finally:
        if how == "silent":
            lone.redis.process.send_signal(signal.SIGCONT)
    assert all(each.poll() is None for each in lone.processes.values())


def start_recovery(atom, **env):
    atom.start("recovery", "recovery", **env)
    until(lambda: atom.store.present("recovery"), "recovery", 60)
    until(lambda: is_well(atom), "it to be well", 60)
    return atom.processes["recovery"]


def test_recovery_whose_tick_hangs_is_unwell(lone, tmp_path):
    start_recovery(lone)
    (tmp_path / "hung").touch()
    assert "its tick has hung for" in until(lambda: unwell(lone), "it to be unwell", 60)
    (tmp_path / "hung").unlink()
    until(lambda: is_well(lone), "it to be well again", 60)
    stay_well(lone, "recovery")


def test_recovery_whose_tick_hangs_for_good_ends(lone, tmp_path):
    """Compose and `atom up` start a role again that ended, not one that is unwell."""
    recovery = start_recovery(lone, TESTS_LONGEST_STUCK_SECONDS="22")
    (tmp_path / "hung").touch()
    assert recovery.wait(120) == 1
    del lone.processes["recovery"]
    log = lone.log("recovery")
    assert b"A tick of recovery has hung for 22 s: the process ends" in log
    assert b"in watch_clock_unless_hung" in log  # the line that it hangs at
    (tmp_path / "hung").unlink()
    start_recovery(lone)


def test_stopped_recovery_is_unwell(lone):
    recovery = start_recovery(lone)
    recovery.send_signal(signal.SIGSTOP)
    try:
        said = until(lambda: unwell(lone), "it to be unwell", 60)
    finally:
        recovery.send_signal(signal.SIGCONT)
    assert "it gave no sign of life for" in said
    until(lambda: is_well(lone), "it to be well again", 60)
    stay_well(lone, "recovery")


def unwell(atom):
    code, said = health(atom)
    return said if code else ""


def test_notes_have_a_place_or_the_role_works_without(lone, tmp_path):
    (tmp_path / "notes" / f"flow-atom-{os.getuid()}").symlink_to("/")
    lone.start("listener", "listener")
    lone.wait_for_listener(lone.url)
    assert b"atom-health cannot find it" in lone.log("listener")
    assert health(lone)[0] == 1


def test_anybody_may_call_where_the_operator_says_so(lone):
    lone.start("listener", "listener", ATOM_BIND=f"0.0.0.0:{lone.port}", ATOM_ALLOW_ANONYMOUS="1")
    lone.wait_for_listener(lone.url)
    assert b"whoever reaches 0.0.0.0" in lone.log("listener")
    assert status(lone, "/fs/Shop/metadata") == 200
    made = run_atom(lone.environment, "credentials", "create", "boomi")
    assert made.returncode == 0, made.stderr
    # Each process of the listener looks anew for itself.
    until(
        lambda: all(status(lone, "/fs/Shop/metadata") == 401 for _ in range(20)),
        "credentials are asked for",
    )
    assert status(lone, "/health", "GET") == 200


def status(atom, path, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", atom.port, timeout=30)
    try:
        connection.request(method, path, b"{}", {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()
