"""What a container's health check says of each role, run as a container runs it."""

import http.client
import os
import signal
import subprocess
import sys

import pytest
import trustme

from atom.cli.embedded_redis import free_port
from tests.support.roles import ROOT, TestAtom
from tests.support.waiting import until


@pytest.fixture
def lone(tmp_path):
    """Redis, and roles with notes of their own beside it."""
    (tmp_path / "notes").mkdir()
    atom = TestAtom(tmp_path, TMPDIR=str(tmp_path / "notes"))
    try:
        yield atom
    finally:
        atom.close()


def health(atom):
    """Exit code and words of `atom-health`, which sees no installed package."""
    result = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "atom" / "health.py"],
        env={"TMPDIR": atom.environment["TMPDIR"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == ""
    return result.returncode, result.stdout.strip()


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
    made = subprocess.run(
        [sys.executable, "-m", "atom", "credentials", "create", "boomi"],
        cwd=ROOT,
        env=lone.environment,
        capture_output=True,
        timeout=60,
    )
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
