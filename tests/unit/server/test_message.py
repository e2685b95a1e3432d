"""When a request is complete, judged from its bytes alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.server.limits import MAX_HEAD_BYTES
from atom.server.message import Message, Missing

HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\n"
COMPLETE = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    HEAD + b"Content-Length: 0\r\n\r\n",
    HEAD + b"content-length:  5 \r\n\r\nhello",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhel\r\n\r\n1\r\n0\r\n0;x\r\nA: b\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\n0\r\n\r\n0\r\n\r\n",
]
# The parser refuses these; to wait for more bytes would not help.
MALFORMED = [
    b"\r\n\r\n",
    b"GET / HTTP/1.1\n",
    b"GET / HTTP/1.1\r\nHost: x\n",
    HEAD + b"Content-Length: -1\r\n\r\n",
    HEAD + b"Content-Length: +5\r\n\r\n",
    HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 9_000,
]


@pytest.mark.parametrize("request_bytes", COMPLETE)
def test_request_is_complete_with_its_last_byte(request_bytes):
    message = Message()
    for at in range(len(request_bytes)):
        assert not message.is_complete, request_bytes[:at]
        message.buffer.append(request_bytes[at])
    assert message.is_complete


@pytest.mark.parametrize("request_bytes", MALFORMED, ids=lambda sent: repr(sent[-20:]))
def test_malformed_request_counts_as_complete(request_bytes):
    assert Message(request_bytes).is_complete


@given(st.sampled_from(COMPLETE), st.lists(st.integers(0, 200)), st.binary(max_size=20))
def test_any_split_gives_the_same_result(request_bytes, cuts, behind):
    message = Message()
    cuts = sorted({min(cut, len(request_bytes)) for cut in cuts} | {len(request_bytes)})
    for start, end in zip([0, *cuts], cuts, strict=False):
        message.buffer += request_bytes[start:end]
        assert message.is_complete == (end == len(request_bytes))
    message.buffer += behind
    assert message.is_complete


def test_missing_part_is_named():
    message = Message(HEAD)
    assert message.missing() is Missing.HEAD
    message.buffer += b"Content-Length: 2\r\n\r\n{"
    assert message.missing() is Missing.BODY
    message.buffer += b"}"
    assert message.missing() is Missing.NOTHING


@pytest.mark.parametrize(
    ("size", "is_too_long"), [(MAX_HEAD_BYTES, False), (MAX_HEAD_BYTES + 1, True)]
)
def test_head_has_a_limit(size, is_too_long):
    message = Message(b"GET /" + b"x" * (size - 5))
    assert message.missing() is Missing.HEAD
    assert message.is_head_too_long is is_too_long


def test_target_has_no_query():
    assert Message(b"GET /signals/a/b?token=secret HTTP/1.1\r\n\r\n").target == "/signals/a/b"
    assert Message(b"\x16\x03\x01 HTTP/").target == ""


@given(st.binary(max_size=400))
def test_any_bytes_can_be_judged(data):
    message = Message(data)
    assert message.missing() in Missing
    assert isinstance(message.target, str)
