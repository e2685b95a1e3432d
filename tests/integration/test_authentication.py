"""Who may call a real listener: Basic credentials, and client certificates made here."""

import base64
import datetime
import http.client
import socket
import ssl

import orjson
import pytest
import trustme

from tests.support.operating import check_refused, run_atom
from tests.support.roles import TestAtom
from tests.support.waiting import until


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Redis, and listeners beside it; no worker is needed to be refused."""
    atom = TestAtom(tmp_path_factory.mktemp("guarded"))
    try:
        yield atom
    finally:
        atom.close()


def cli(atom, *arguments):
    return run_atom(atom.environment, *arguments)


def ask(url, path="/fs/Shop/metadata", authorization=None, body=b"{}", method="POST"):
    headers = {"Content-Type": "application/json"}
    if authorization:
        headers["Authorization"] = authorization
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        reply.read()
        return reply
    finally:
        connection.close()


def basic(name, token):
    return f"Basic {base64.b64encode(f'{name}:{token}'.encode()).decode()}"


def until_all(status, url, authorization, what, path="/fs/Shop/metadata"):
    """Until every process of the listener says so: each looks anew for itself."""
    until(
        lambda: all(
            ask(url, path, authorization=authorization).status == status for _ in range(20)
        ),
        what,
    )


def test_basic_credentials(guarded):
    with guarded.another_listener() as url:
        assert ask(url).status == 200  # none is configured yet, and this is loopback
        assert "No credentials are configured" in guarded.logs().decode()

        made = cli(guarded, "credentials", "create", "boomi")
        assert made.returncode == 0, made.stderr
        token = made.stdout.strip()
        assert "It is shown this once" in made.stderr
        until_all(401, url, None, "credentials are asked for")

        refused = ask(url)
        assert refused.getheader("WWW-Authenticate").startswith("Basic ")
        right = basic("boomi", token)
        assert ask(url, authorization=right).status == 200
        assert ask(url, authorization=basic("boomi", token[:-1])).status == 401
        assert ask(url, authorization="Basic %%%").status == 401
        assert ask(url, "/fs/Shop/nothing").status == 401
        assert ask(url, "/fs/Nix/metadata").status == 401
        assert ask(url, "/fs/Shop/actions/Tell", body=b"x" * 4_000_000).status == 401
        assert ask(url, "/fs/Shop/health", method="GET").status == 200
        assert ask(url, "/health", method="GET").status == 200

        limited = orjson.loads(
            cli(guarded, "credentials", "create", "crm", "--service", "Trial", "--json").stdout
        )
        assert limited["services"] == ["Trial"]
        crm = basic("crm", limited["token"])
        until_all(200, url, crm, "the second one is known", "/fs/Trial/metadata")
        assert ask(url, "/fs/Shop/metadata", crm).status == 403

        again = cli(guarded, "credentials", "create", "boomi")
        assert again.returncode == 1
        assert "already" in again.stderr

        listed = cli(guarded, "credentials", "list")
        assert "boomi" in listed.stdout
        assert "Trial" in listed.stdout
        for name in ("boomi", "crm"):
            assert cli(guarded, "credentials", "revoke", name).returncode == 0
        until_all(401, url, right, "it is revoked")
        # The last one is revoked, and the listener is not open again.
        assert ask(url).status == 401
        for secret in (token, limited["token"]):
            assert secret not in guarded.logs().decode()
            assert secret not in listed.stdout


def test_open_to_others_only_with_credentials(tmp_path):
    atom = TestAtom(tmp_path)
    try:
        for environment in ({"ATOM_BIND": "0.0.0.0:0"}, {"ATOM_BIND": "192.0.2.1:8077"}):
            atom.environment.update(environment)
            refused = cli(atom, "listener")
            assert refused.returncode == 1
            assert "atom credentials create" in refused.stderr
            assert "Traceback" not in refused.stderr
    finally:
        atom.close()


# --- client certificates


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def secured(guarded, authority, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    server = authority.issue_cert("127.0.0.1")
    server.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    server.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    guarded.start(
        "secured",
        "listener",
        ATOM_BIND=f"127.0.0.1:{port}",
        ATOM_TLS_CERT=str(folder / "cert.pem"),
        ATOM_TLS_KEY=str(folder / "key.pem"),
        ATOM_TLS_CLIENT_CA=str(folder / "ca.pem"),
    )

    def listens():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens, "the listener")
    yield port
    guarded.end("secured")


def shake_hands(port, authority, certificate):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate is not None:
        certificate.configure_cert(context)
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    try:
        connection.request("POST", "/fs/Shop/metadata", b"{}", {"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_certificate_of_the_right_authority_is_let_in(secured, authority):
    assert shake_hands(secured, authority, authority.issue_cert("client@example.org")) == 200


@pytest.mark.parametrize("which", ["none", "another authority", "expired"])
def test_any_other_is_not(secured, authority, which):
    certificate = {
        "none": lambda: None,
        "another authority": lambda: trustme.CA().issue_cert("client@example.org"),
        "expired": lambda: authority.issue_cert(
            "client@example.org",
            not_before=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
            not_after=datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC),
        ),
    }[which]()
    # In TLS 1.3 the client learns of it when it reads.
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        shake_hands(secured, authority, certificate)


def test_a_certificate_that_cannot_be_used_is_named_at_the_start(guarded, tmp_path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("not a certificate")
    for variables, says in (
        ({"ATOM_TLS_CERT": str(wrong)}, "ATOM_TLS_KEY is missing"),
        ({"ATOM_TLS_CLIENT_CA": str(wrong)}, "needs ATOM_TLS_CERT"),
        ({"ATOM_TLS_CERT": str(wrong), "ATOM_TLS_KEY": str(wrong)}, "ATOM_TLS_CERT"),
        ({"ATOM_TLS_CERT": "/nowhere", "ATOM_TLS_KEY": "/nowhere"}, "No such file"),
    ):
        check_refused({**guarded.environment, **variables}, "listener", says)
