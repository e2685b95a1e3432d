"""The callback client against peers that do not keep to the protocol.

A callback that is taken for delivered by mistake is an outcome that nobody hears of.
"""

import contextlib
import itertools
import select
import socket
import threading

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atom.flow import transport as module
from atom.flow.addresses import CallbackPolicy
from atom.flow.transport import Transport, TransportError
from tests.support.hostile_peer import HostilePeer, Script

SECONDS = 5
LARGEST_REPLY = 16 * 1024


def make_transport(seconds=SECONDS):
    policy = CallbackPolicy.of(["127.0.0.1"], [])
    return Transport(connect_timeout=seconds, read_timeout=seconds, policy=policy)


@contextlib.contextmanager
def peer_with(script):
    peer = HostilePeer(script)
    try:
        yield peer
    finally:
        peer.close()


def http(status, body, *headers):
    lines = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


def chunked(body, ending=b"0\r\n\r\n"):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n" % len(body) + body + b"\r\n" + ending


def success(body):
    return http("200 OK", b'"SUCCESS ' + body + b'"')


INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 199 Later\r\nConnection: close\r\n\r\n",
]
# Each is made of the text that the peer wants to be read.
FRAMINGS = {
    "exact": lambda text: http("200 OK", text),
    "chunked": chunked,
    "to the end": lambda text: b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + text,
    "refusal": lambda text: http("500 Oops", text),
    "too short": lambda text: http("200 OK", text)[:-3],
    "too long": lambda text: http("200 OK", text) + text,
    "trailing garbage": lambda text: chunked(text, b"0\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\n"),
    "chunk too long": lambda text: chunked(text).replace(b"\r\n", b"\r\nf", 4),
    "two lengths": lambda text: http("200 OK", text, b"Content-Length: 3"),
    "nothing": lambda text: b"",
    "no HTTP": lambda text: text,
}


@st.composite
def scripts(draw):
    """Draw a function that makes the bytes for a request of the text that belongs to it."""
    interim = b"".join(draw(st.lists(st.sampled_from(INTERIM), max_size=3)))
    framing = draw(st.sampled_from(sorted(FRAMINGS)))
    repeats = draw(st.integers(0, 2))
    interim_again = b"".join(draw(st.lists(st.sampled_from(INTERIM), max_size=1)))
    cuts = draw(st.lists(st.integers(1, 300), max_size=4))
    resets = draw(st.booleans())
    is_kept = draw(st.booleans())

    def script(own):
        if own is None:
            return Script()
        text = b'"%s SUCCESS"' % own
        answer = interim + FRAMINGS[framing](text)
        again = (interim_again + FRAMINGS["exact"](text)) * repeats
        return Script(
            answer=split(answer + again, cuts),
            resets=resets,
            is_kept=is_kept and framing not in ("to the end", "too short", "nothing"),
        )

    return script


def split(data, cuts):
    places = [0, *sorted({each for each in cuts if each < len(data)}), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(places) if a < b]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(scripts(), min_size=3, max_size=3))
def test_a_reply_belongs_to_the_request_that_was_sent(drawn):
    def script(body, number):
        return drawn[number % len(drawn)](body)

    with peer_with(script) as peer:
        client = make_transport(0.3)
        for number in range(len(drawn)):
            own = b"request-%d" % number
            with contextlib.suppress(TransportError):
                reply = client.post_json(peer.url, own, {})
                assert reply.status >= 200
                assert reply.body.count(b"request-") == reply.body.count(own)


@pytest.mark.parametrize("interim", [*INTERIM, b"".join(INTERIM)], ids=lambda each: each[9:12])
@pytest.mark.parametrize("size", [1, 7, 10_000], ids="pieces of {}".format)
def test_interim_responses_before_the_answer_are_skipped(interim, size):
    def script(body, _number):
        data = interim + success(body or b"")
        return Script(answer=[data[at : at + size] for at in range(0, len(data), size)])

    with peer_with(script) as peer:
        client = make_transport()
        for own in (b"one", b"two"):
            reply = client.post_json(peer.url, own, {})
            assert (reply.status, reply.body) == (200, b'"SUCCESS ' + own + b'"')


def test_an_interim_response_alone_is_no_answer():
    with (
        peer_with(lambda *_: Script(answer=[INTERIM[2]], is_kept=False)) as peer,
        pytest.raises(TransportError, match="broke"),
    ):
        make_transport().post_json(peer.url, b"{}", {})


def test_interim_responses_without_end_are_given_up():
    with (
        peer_with(lambda *_: Script(answer=[INTERIM[0] * 20_000], is_kept=False)) as peer,
        pytest.raises(TransportError, match="too large"),
    ):
        make_transport().post_json(peer.url, b"{}", {})


@pytest.mark.parametrize("seconds_late", [0, 0.02, 0.1])
def test_a_repeated_answer_does_not_answer_the_next_request(seconds_late):
    """The peer repeats the first answer, at once or later, and never answers the second request."""
    repeated = threading.Event()
    requests = []

    def script(body, number):
        if body is None:
            return Script()
        requests.append(body)
        if number:
            repeated.wait(SECONDS)
            return Script(is_kept=False)
        answer = success(body)
        return Script(answer=[answer], late=[answer], pause=seconds_late, is_late_sent=repeated)

    with peer_with(script) as peer:
        client = make_transport()
        assert client.post_json(peer.url, b"first", {}).body == b'"SUCCESS first"'
        with pytest.raises(TransportError, match="broke"):
            client.post_json(peer.url, b"second", {})
        assert requests == [b"first", b"second"]


@pytest.mark.parametrize(
    "early", [success(b"early"), b"HTTP/1.1 2", b"\r\n"], ids=["whole", "begun", "line"]
)
def test_bytes_before_the_request_are_no_answer(early, monkeypatch):
    with peer_with(lambda *_: Script(early=early, answer=[success(b"")])) as peer:
        connect = module._Connection.connect

        def connect_and_wait(connection):
            connect(connection)
            poll = select.poll()
            poll.register(connection.sock, select.POLLIN)
            poll.poll(SECONDS * 1000)

        monkeypatch.setattr(module._Connection, "connect", connect_and_wait)
        with pytest.raises(TransportError, match="before the request was sent") as caught:
            make_transport().post_json(peer.url, b"{}", {})
        assert not caught.value.was_sent


@pytest.mark.parametrize(
    ("answer", "is_success"),
    [(success(b""), True), (http("413 Too Large", b'"too large"'), False)],
)
def test_an_answer_to_half_a_request_can_only_be_a_refusal(answer, is_success):
    """The peer answers and stops reading while the rest of a large request is under way."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                # Let the client fill the buffers before the connection breaks.
                threading.Event().wait(0.2)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/api"
        body = b"x" * 30_000_000
        try:
            reply = make_transport().post_json(url, body, {})
        except TransportError:
            return  # the kernel may drop an answer together with the broken connection
        assert not is_success
        assert reply.status == 413


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nnot a header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"a" * 65_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * 300_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 60_000,
        b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"a" * 60_000 + b"\r\n") * 5,
    ],
    ids=[
        "malformed header",
        "long header",
        "long chunk size",
        "many trailers",
        "many long headers",
    ],
)
def test_a_malformed_or_endless_head_is_no_answer(head):
    with (
        peer_with(lambda *_: Script(answer=[head, b"y" * 400_000], is_kept=False)) as peer,
        pytest.raises(TransportError),
    ):
        make_transport().post_json(peer.url, b"{}", {})


@pytest.mark.parametrize(
    "unfinished",
    [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nX: ", INTERIM[0], b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["status", "header", "interim", "body"],
)
def test_an_answer_that_comes_drop_by_drop_has_one_deadline(unfinished):
    """Each drop comes in time; all of them together do not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        is_over = threading.Event()

        def serve():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(unfinished)
                drop = unfinished if unfinished in INTERIM else b"2"
                while not is_over.wait(0.05):
                    connection.sendall(drop)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/api"
        with pytest.raises(TransportError, match="in time"):
            make_transport(0.5).post_json(url, b"{}", {})
        is_over.set()


def test_a_peer_that_stops_reading_does_not_hold_the_client():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.listen(1)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/api"
        with pytest.raises(TransportError, match="no answer in time"):
            make_transport(0.5).post_json(url, b"x" * 50_000_000, {})


def test_a_client_without_a_policy_skips_and_separates_answers_too():
    def script(body, _number):
        return Script(answer=[INTERIM[2] + success(body or b"") * 2])

    with peer_with(script) as peer:
        client = Transport(read_timeout=SECONDS)
        for own in (b"one", b"two", b"three"):
            assert (
                orjson.loads(client.post_json(peer.url, own, {}).body) == f"SUCCESS {own.decode()}"
            )
