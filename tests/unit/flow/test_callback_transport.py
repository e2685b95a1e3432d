"""The HTTP client of callbacks: only to checked addresses, and never more of an answer than fits.

The servers are real ones on loopback; only the answers of the resolver are made up.
"""

import gzip
import socket
import tracemalloc
import zlib

import pytest
import trustme

from atom.flow.addresses import CallbackPolicy
from atom.flow.transport import DestinationRefused, Transport, TransportError
from tests.support.callback_server import CallbackServer

HOST = "flow.example.org"
LOOPBACK = ["127.0.0.0/8"]
LARGEST_REPLY = 16 * 1024


@pytest.fixture
def serve():
    servers = []

    def start(*arguments, **options):
        servers.append(CallbackServer(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def make_transport():
    made = []

    def make(hosts=(HOST,), networks=LOOPBACK, seconds=10):
        policy = CallbackPolicy.of(hosts, networks)
        made.append(Transport(connect_timeout=seconds, read_timeout=seconds, policy=policy))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def resolve(monkeypatch):
    """Make up what a name resolves to, look after look; returns the names that were looked up."""
    made_up, asked = {}, []
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *arguments, **options):
        if host not in made_up:
            return real(host, port, *arguments, **options)
        asked.append(host)
        answers = made_up[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(addresses, OSError):
            raise addresses
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (each, port, 0, 0))
            if ":" in each
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def resolve(*answers, name=HOST):
        made_up[name] = list(answers)
        return asked

    return resolve


@pytest.fixture
def authority(monkeypatch, tmp_path):
    """A certificate authority that is trusted during the test."""
    authority = trustme.CA()
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return authority


def post(transport, server, host=HOST, scheme="https"):
    url = f"{scheme}://{host}:{server.port}/api/run/1/response"
    return transport.post_json(url, b"{}", {"ManyWhoTenant": "t"})


# --- where it goes


def test_tls_is_about_the_name_and_the_connection_about_the_address(
    authority, serve, resolve, make_transport
):
    server = serve(authority.issue_cert(HOST))
    asked = resolve(["127.0.0.1"])
    answer = post(make_transport(), server)
    assert (answer.status, answer.body) == (200, b'"SUCCESS"')
    assert server.names == [HOST]
    ((path, headers, body),) = server.requests
    assert (path, body) == ("/api/run/1/response", b"{}")
    assert headers["Host"] == f"{HOST}:{server.port}"
    assert headers["ManyWhoTenant"] == "t"
    assert asked == [HOST]


def test_a_certificate_for_another_name_is_not_accepted(authority, serve, resolve, make_transport):
    # The address would be right; it is the name that counts.
    server = serve(authority.issue_cert("other.example.org", "127.0.0.1"))
    resolve(["127.0.0.1"])
    with pytest.raises(TransportError, match="no trusted TLS connection"):
        post(make_transport(), server)
    assert server.names == [HOST]
    assert server.requests == []


@pytest.mark.usefixtures("authority")
def test_a_certificate_of_an_unknown_authority_is_not_accepted(serve, resolve, make_transport):
    server = serve(trustme.CA().issue_cert(HOST))
    resolve(["127.0.0.1"])
    with pytest.raises(TransportError, match="no trusted TLS connection"):
        post(make_transport(), server)
    assert server.requests == []


def test_a_name_that_is_rebound_is_looked_up_once_for_each_connection(
    authority, serve, resolve, make_transport
):
    server = serve(authority.issue_cert(HOST))
    inside = serve(authority.issue_cert(HOST), host="127.0.0.2", port=server.port)
    transport = make_transport(networks=["127.0.0.1/32"])
    asked = resolve(["127.0.0.1"], ["127.0.0.2"])
    assert post(transport, server).status == 200
    assert asked == [HOST], "checked and connected to the same answer"
    with pytest.raises(DestinationRefused, match=r"not allowed: 127\.0\.0\.2 \(loopback\)"):
        post(transport, server)
    assert asked == [HOST, HOST]
    assert len(server.requests) == 1
    assert inside.visits == []


def test_each_callback_has_a_connection_and_a_look_up_of_its_own(
    authority, serve, resolve, make_transport
):
    server = serve(authority.issue_cert(HOST), closes=False)
    transport = make_transport()
    asked = resolve(["127.0.0.1"])
    for _ in range(3):
        assert post(transport, server).status == 200
    assert asked == [HOST] * 3
    assert len(server.visits) == len(server.requests) == 3
    assert {headers["Connection"] for _, headers, _ in server.requests} == {"close"}


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1", "10.0.0.1"],
        ["10.0.0.1", "127.0.0.1"],
        ["127.0.0.1", "::ffff:10.0.0.1"],
        ["127.0.0.1", "fe80::1%1"],
        ["169.254.169.254"],
        ["64:ff9b::a9fe:a9fe"],
    ],
)
def test_one_forbidden_address_refuses_the_name(addresses, serve, resolve, make_transport):
    server = serve()
    resolve(addresses)
    with pytest.raises(DestinationRefused, match="the host name leads to an address that") as seen:
        post(make_transport(), server)
    assert not seen.value.was_sent
    assert server.visits == []


def test_nothing_is_looked_up_for_a_uri_that_is_refused(serve, resolve, make_transport):
    server = serve()
    asked = resolve(["127.0.0.1"])
    resolve(["127.0.0.1"], name="evil.example")
    for host, scheme in (("evil.example", "https"), (HOST, "http"), (f"x@{HOST}", "https")):
        with pytest.raises(DestinationRefused, match="callbackUri"):
            post(make_transport(), server, host, scheme)
    assert asked == []
    assert server.visits == []


def test_a_loopback_host_that_leads_elsewhere(serve, resolve, make_transport):
    server = serve()
    transport = make_transport(["localhost"], ["10.0.0.0/8"])
    resolve(["127.0.0.1"], ["10.0.0.1"], name="localhost")
    assert post(transport, server, "localhost", "http").status == 200
    with pytest.raises(DestinationRefused, match=r"10\.0\.0\.1 \(not loopback\)"):
        post(transport, server, "localhost", "http")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_needs_no_allowed_network(host, serve, make_transport):
    server = serve()
    transport = make_transport([host], [])
    assert post(transport, server, host, "http").status == 200


def test_the_addresses_are_tried_in_order(authority, serve, resolve, make_transport):
    server = serve(authority.issue_cert(HOST))
    resolve(["::1", "127.0.0.3", "127.0.0.1", "127.0.0.2"])
    transport = make_transport(networks=[*LOOPBACK, "::1/128"])
    assert post(transport, server).status == 200
    assert len(server.visits) == 1


def test_an_address_that_is_silent_leaves_time_for_the_next(
    authority, serve, resolve, make_transport
):
    server = serve(authority.issue_cert(HOST))
    with socket.socket() as silent, socket.socket() as first, socket.socket() as second:
        silent.bind(("127.0.0.3", server.port))
        silent.listen(0)
        for each in (first, second):  # they fill its queue: the next one gets no answer at all
            each.setblocking(False)
            each.connect_ex(("127.0.0.3", server.port))
        resolve(["127.0.0.3", "127.0.0.1"])
        assert post(make_transport(seconds=8), server).status == 200


def test_where_nobody_answers(serve, resolve, make_transport):
    server = serve()
    resolve(["127.0.0.2", "127.0.0.3"])
    with pytest.raises(TransportError, match=r"^no connection$") as seen:
        post(make_transport(), server)
    assert not isinstance(seen.value, DestinationRefused)
    assert not seen.value.was_sent


def test_a_name_that_nobody_knows_may_be_known_later(serve, resolve, make_transport):
    server = serve()
    resolve(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    with pytest.raises(TransportError, match="the host name is not known") as seen:
        post(make_transport(), server)
    assert not isinstance(seen.value, DestinationRefused)


def test_a_redirect_is_an_answer_like_any_other(authority, serve, resolve, make_transport):
    elsewhere = serve()
    server = serve(authority.issue_cert(HOST))
    resolve(["127.0.0.1"])
    for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
        location = f"Location: http://127.0.0.1:{elsewhere.port}/".encode()
        server.answers(b"", location, status=status)
        assert post(make_transport(), server).status == int(status[:3])
    assert elsewhere.visits == []


def test_proxy_variables_are_not_for_us(authority, serve, resolve, make_transport, monkeypatch):
    proxy = serve()
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        for each in (name, name.upper()):
            monkeypatch.setenv(each, f"http://127.0.0.1:{proxy.port}")
    server = serve(authority.issue_cert(HOST))
    resolve(["127.0.0.1"])
    assert post(make_transport(), server).status == 200
    plain = serve()
    assert post(make_transport(["127.0.0.1"]), plain, "127.0.0.1", "http").status == 200
    assert proxy.visits == []


# --- how much of an answer is read


@pytest.fixture
def plain(serve, make_transport):
    """A server and a way to post to it, for what is the same with and without TLS."""
    server = serve()
    transport = make_transport(["127.0.0.1"], seconds=2)
    return server, lambda: post(transport, server, "127.0.0.1", "http")


def test_a_long_answer_is_cut(plain):
    server, send = plain
    server.answers(b"x" * (LARGEST_REPLY - 1))
    assert len(send().body) == LARGEST_REPLY - 1
    server.answers(b"x" * 10_000_000)
    assert len(send().body) == LARGEST_REPLY


def test_an_endless_answer_is_cut(plain):
    server, send = plain

    def endless(wfile):
        wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not server.ended.is_set():
            wfile.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")

    server.answer = endless
    assert len(send().body) == LARGEST_REPLY


def test_an_answer_that_comes_drop_by_drop_is_given_up(plain):
    server, send = plain

    def drip(wfile):
        wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not server.ended.wait(0.02):
            wfile.write(b"x")

    server.answer = drip
    with pytest.raises(TransportError, match="did not end in time"):
        send()


def test_an_answer_that_ends_early_is_none(plain):
    server, send = plain
    server.answer = lambda wfile: wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"SUCC')
    with pytest.raises(TransportError, match="broke"):
        send()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"gzip", gzip.compress(b'"SUCCESS"')),
        (b"deflate", zlib.compress(b'"SUCCESS"')),
        (b"identity", b'"SUCCESS"'),
    ],
    ids=["gzip", "deflate", "identity"],  # what is packed is another each time
)
def test_a_packed_answer_is_read_although_none_was_asked_for(plain, encoding, packed):
    server, send = plain
    server.answers(packed, b"Content-Encoding: " + encoding)
    assert send().body == b'"SUCCESS"'
    ((_, headers, _),) = server.requests
    assert headers["Accept-Encoding"] == "identity"


def bomb(pack, rounds=1):
    content = b"x" * 30_000_000
    for _ in range(rounds):
        content = pack(content)
    return content


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"gzip", bomb(gzip.compress)),
        (b"deflate", bomb(zlib.compress)),
        (b"gzip, gzip", bomb(gzip.compress, 2)),
    ],
    ids=["gzip", "deflate", "gzip in gzip"],
)
def test_a_bomb_is_not_unpacked(plain, encoding, packed):
    server, send = plain
    server.answers(packed, b"Content-Encoding: " + encoding)
    tracemalloc.start()
    try:
        answer = send()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(answer.body) <= LARGEST_REPLY
    assert peak < 2_000_000
