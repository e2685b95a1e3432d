"""Content codings and encodings of request bodies."""

import contextlib
import gzip
import io
import json
import tracemalloc
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.errors import MalformedRequest, UnsupportedCoding, UnsupportedMedia
from atom.protocol.bodies import DecodedStream, check_charset, content_coding
from atom.protocol.wire import parse_json

CONTENT = b'{"text": "\xc3\xa9"}' * 50


class TooLarge(Exception):
    """The decoded bytes exceed the limit."""


def raw_deflate(content):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


PACKERS = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "two gzip members": (
        "gzip",
        lambda content: gzip.compress(content[:7]) + gzip.compress(content[7:]),
    ),
    "zlib": ("deflate", zlib.compress),
    "deflate": ("deflate", raw_deflate),
    "stored": ("deflate", lambda content: zlib.compress(content, 0)),
}


def in_pieces(data, size):
    """Return a read function that never returns more than `size` bytes."""
    stream = io.BytesIO(data)
    return lambda wanted: stream.read(min(wanted, size))


def decode(data, coding, limit=10_000_000, piece=65_536):
    return DecodedStream(in_pieces(data, piece), coding, limit, TooLarge())


@given(
    content=st.one_of(
        st.binary(max_size=2000), st.binary(max_size=20).map(lambda part: part * 999)
    ),
    packer=st.sampled_from(sorted(PACKERS)),
    piece=st.integers(1, 5000),
    sizes=st.lists(st.integers(1, 5000), min_size=1),
)
def test_a_coding_is_undone_whatever_the_pieces_are(content, packer, piece, sizes):
    coding, pack = PACKERS[packer]
    stream = decode(pack(content), coding, len(content), piece)
    decoded, number = b"", 0
    while part := stream.read(sizes[number % len(sizes)]):
        assert len(part) <= sizes[number % len(sizes)]
        decoded, number = decoded + part, number + 1
    assert decoded == content
    assert decode(pack(content), coding, piece=piece).read() == content


@given(packer=st.sampled_from(sorted(PACKERS)), cut=st.integers(1, 200), piece=st.integers(1, 5000))
def test_a_body_that_is_cut_off_is_malformed(packer, cut, piece):
    coding, pack = PACKERS[packer]
    packed = pack(CONTENT)
    with pytest.raises(MalformedRequest, match=r"is not valid .*: it is cut off\."):
        decode(packed[: -min(cut, len(packed) - 1)], coding, piece=piece).read()


@given(data=st.binary(min_size=1, max_size=500), coding=st.sampled_from(["gzip", "deflate"]))
def test_bytes_in_no_coding_are_malformed_or_decoded(data, coding):
    with contextlib.suppress(MalformedRequest):
        decode(data, coding).read()


@pytest.mark.parametrize(
    ("data", "coding", "says"),
    [
        (CONTENT, "gzip", "it does not decode"),
        (zlib.compress(CONTENT), "gzip", "it does not decode"),
        (gzip.compress(CONTENT) + b"more", "gzip", "it does not decode"),
        (zlib.compress(CONTENT) + b"more", "deflate", "more follows its end"),
        (gzip.compress(CONTENT)[:-8] + b"\0" * 8, "gzip", "it does not decode"),
    ],
    ids=["plain", "zlib", "more", "more after zlib", "checksum"],
)
def test_what_is_malformed_is_reported(data, coding, says):
    with pytest.raises(MalformedRequest, match=says):
        decode(data, coding).read()


def test_an_empty_body_has_no_content():
    assert decode(b"", "gzip").read() == b""


@pytest.mark.parametrize("packer", ["gzip", "zlib", "deflate", "two gzip members"])
def test_the_limit_is_that_of_the_decoded_bytes(packer):
    coding, pack = PACKERS[packer]
    content = b"x" * 100_000
    assert decode(pack(content), coding, len(content)).read() == content
    with pytest.raises(TooLarge):
        decode(pack(content), coding, len(content) - 1).read()


def test_a_bomb_is_not_unpacked():
    bomb = gzip.compress(b"\0" * 200_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decode(bomb, "gzip", 1_000_000).read()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        (" GZIP ", "gzip"),
        ("deflate", "deflate"),
        ("identity, gzip", "gzip"),
        ("x-gzip", "x-gzip"),
    ],
)
def test_a_coding_is_known_by_its_name(header, coding):
    assert content_coding(header) == coding


@pytest.mark.parametrize("header", ["br", "zstd", "gzip, gzip", "gzip, deflate", "compress", "*"])
def test_another_coding_is_refused_by_its_name(header):
    with pytest.raises(UnsupportedCoding, match="gzip, deflate, identity") as caught:
        content_coding(header)
    assert header in str(caught.value)


@pytest.mark.parametrize("charset", [None, "", "utf-8", "UTF8", "us-ascii", "ascii"])
def test_utf_8_is_read(charset):
    check_charset(charset)


@pytest.mark.parametrize(
    "charset", ["utf-16", "iso-8859-1", "windows-1252", "klingon", "hex", "\0"]
)
def test_another_charset_is_refused_by_its_name(charset):
    with pytest.raises(UnsupportedMedia, match="must be encoded as UTF-8") as caught:
        check_charset(charset)
    assert charset in str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_a_byte_order_mark_is_skipped(document):
    text = orjson.dumps(document)
    assert parse_json(b"\xef\xbb\xbf" + text) == parse_json(text) == document


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_unicode_encodings_are_refused_by_their_names(encoding):
    body = json.dumps({"text": "é"}, ensure_ascii=False).encode(encoding)
    with pytest.raises(MalformedRequest, match=rf"not valid JSON: .*{encoding[:6].upper()}"):
        parse_json(body)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp437"])
def test_bytes_that_are_not_utf_8_are_named(encoding):
    body = '{"text": "é"}'.encode(encoding)
    with pytest.raises(MalformedRequest, match="offset 10 is not UTF-8") as caught:
        parse_json(body)
    assert f"0x{body[10]:02X}" in str(caught.value)
    assert "surrogate" not in str(caught.value)
