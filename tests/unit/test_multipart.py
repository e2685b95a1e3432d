"""Uploads whose parts come in any order, size of piece, content type and with any file name."""

import codecs
import gzip
import zlib

import orjson
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from atom.errors import InvalidRequest, RequestRefused, RequestTooLarge, UnsupportedMedia
from atom.listener.multipart import Uploads

DOCUMENT = {"resourcePath": "/file", "text": "é"}
REQUEST = orjson.dumps(DOCUMENT)
LIMIT = 2_000
FILE_LIMIT = 5_000
JSON = "application/json"


class Writer:
    """A file in memory."""

    def __init__(self, files, file_id):
        self._files, self.id = files, file_id
        self._content = b""

    @property
    def size(self):
        return len(self._content)

    def write(self, data):
        self._content += data
        return len(data)

    def finish(self):
        self._files.kept[self.id] = self._content

    def discard(self):
        self._files.kept.pop(self.id, None)


class Files:
    """A file store in memory."""

    def __init__(self):
        self.kept, self._count = {}, 0

    def create(self):
        self._count += 1
        return Writer(self, str(self._count))


def part(content, kind=None, name=None, field="part", **more):
    disposition = f'form-data; name="{field}"'
    if name is not None:
        disposition += f'; filename="{name}"'
    headers = {"Content-Disposition": disposition, **({"Content-Type": kind} if kind else {})}
    head = "".join(f"{key.replace('_', '-')}: {text}\r\n" for key, text in (headers | more).items())
    return b"--XX\r\n" + head.encode() + b"\r\n" + content + b"\r\n"


def form(*parts):
    return b"".join(parts) + b"--XX--\r\n"


def upload(body, **headers):
    """Return the request and the upload (name, content type, content)."""
    files = Files()
    app = Flask("test")
    app.config["MAX_CONTENT_LENGTH"] = LIMIT
    headers = {key.replace("_", "-"): text for key, text in headers.items()}
    with app.test_request_context(
        "/",
        method="POST",
        data=body,
        headers=headers,
        content_type="multipart/form-data; boundary=XX",
    ):
        try:
            with Uploads(files, FILE_LIMIT, LIMIT).read() as (document, stored):
                assert list(files.kept) == [stored.id], "nothing else is kept"
                content = files.kept[stored.id]
                return document, (stored.name, stored.content_type, content)
        except RequestRefused:
            assert files.kept == {}
            raise


request_parts = st.builds(
    part,
    st.sampled_from([REQUEST, codecs.BOM_UTF8 + REQUEST, b"\r\n " + REQUEST]),
    kind=st.sampled_from([JSON, "Application/JSON; charset=UTF-8"]),
    name=st.sampled_from([None, "", "blob", "request.json"]),
    field=st.sampled_from(["request", "file", ""]),
)
contents = st.one_of(st.binary(max_size=300), st.just(REQUEST), st.just(b"\r\n--XY\r\n"))
kinds = st.sampled_from(
    ["text/plain", "application/octet-stream", "image/png", "application/x+json"]
)
names = st.sampled_from([None, "", "a.txt", "data.json"])
plain_fields = st.lists(st.just(part(b"x", field="request")), max_size=2)


@given(request_parts, contents, kinds, names, plain_fields, st.randoms())
def test_the_parts_are_told_apart_by_their_content_types(
    request_part, content, kind, name, plain, random
):
    parts = [request_part, part(content, kind, name), *plain]
    random.shuffle(parts)
    document, (stored_name, stored_kind, stored) = upload(form(*parts))
    assert document == DOCUMENT
    assert (stored_name, stored_kind, stored) == (name or "file", kind, content)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    ("request_part", "file_part"),
    [
        (part(REQUEST, JSON), part(b'{"a": 1}', JSON, "a.json")),
        (part(REQUEST, JSON), part(b"{" + b" " * 3_000, JSON, "a.json")),
        (part(REQUEST), part(b'{"a": 1}', JSON, "a.json")),
        (part(REQUEST), part(b"{}", "text/plain", "a.json")),
        (part(REQUEST, JSON), part(b"{}", None, "a.json")),
    ],
    ids=["JSON file", "long JSON file", "plain request", "plain request and text", "no type"],
)
def test_a_json_file_is_a_file_beside_a_request_without_a_name(request_part, file_part, is_first):
    parts = [request_part, file_part] if is_first else [file_part, request_part]
    document, (name, _, content) = upload(form(*parts))
    assert document == DOCUMENT
    assert name == "a.json"
    assert content.startswith(b"{")


def test_of_two_json_parts_with_names_the_first_is_the_request():
    body = form(part(REQUEST, JSON, "blob"), part(b"[1]", JSON, "a.json"))
    assert upload(body) == (DOCUMENT, ("a.json", JSON, b"[1]"))


@pytest.mark.parametrize("is_first", [True, False])
def test_a_text_without_a_name_is_no_second_file(is_first):
    parts = [part(b"comment", "text/plain"), part(b"hello", "text/plain", "a.txt")]
    body = form(*(parts if is_first else parts[::-1]), part(REQUEST, JSON))
    assert upload(body)[1] == ("a.txt", "text/plain", b"hello")


@pytest.mark.parametrize(
    ("parts", "error", "says"),
    [
        ((part(REQUEST, JSON),), InvalidRequest, "part with the file"),
        ((part(b"x", "text/plain", "a"),), InvalidRequest, "part application/json"),
        ((part(b"x"),), InvalidRequest, "part application/json"),
        ((part(REQUEST, JSON), *[part(b"x", "a/b", "a")] * 2), InvalidRequest, "a second one"),
        ((part(REQUEST, JSON), *[part(b"x", "a/b")] * 2), InvalidRequest, "a second one"),
        ((part(REQUEST, JSON), *[part(b"{}", JSON, "a")] * 2), InvalidRequest, "a second one"),
        ((part(REQUEST, JSON), *[part(b"x")] * 20), InvalidRequest, "at most 20 parts"),
        ((part(b"x" * 2_001, JSON), part(b"x", "a/b")), RequestTooLarge, "MAX_REQUEST_BYTES"),
        ((part(REQUEST, JSON), part(b"x" * 5_001, "a/b")), RequestTooLarge, "MAX_FILE_BYTES"),
        (
            (part(REQUEST, f"{JSON}; charset=utf-16"), part(b"x", "a/b")),
            UnsupportedMedia,
            "utf-16",
        ),
        (
            (part(REQUEST, JSON), part(b"eA==", "a/b", Content_Transfer_Encoding="base64")),
            UnsupportedMedia,
            "base64",
        ),
    ],
    ids=range(11),
)
def test_what_cannot_be_told_apart_is_refused(parts, error, says):
    with pytest.raises(error, match=says):
        upload(form(*parts))


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_an_upload_may_be_compressed(coding, pack):
    body = form(part(REQUEST, JSON), part(b"x" * 5_000, "text/plain", "a.txt"))
    document, (_, _, content) = upload(pack(body), Content_Encoding=coding)
    assert (document, len(content)) == (DOCUMENT, 5_000)
    with pytest.raises(RequestTooLarge, match="ATOM_MAX_FILE_BYTES"):
        upload(pack(form(part(b"x" * 10_000_000, "a/b", "a"))), Content_Encoding=coding)


def test_headers_of_a_part_without_end_are_refused():
    app = Flask("test")
    app.config["MAX_CONTENT_LENGTH"] = LIMIT
    body = form(part(b"x", "a/b", "a", X_More="y" * 200_000))
    with (
        app.test_request_context(
            "/", method="POST", data=body, content_type="multipart/form-data; boundary=XX"
        ),
        pytest.raises(RequestTooLarge, match="headers of more than"),
        Uploads(Files(), 1_000_000, LIMIT).read(),
    ):
        pass
