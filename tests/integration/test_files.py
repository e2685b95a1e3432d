"""File resources through a whole Atom: lists, uploads, and all that is refused."""

import hashlib
import http.client
import socket

import orjson
import pytest

from atom.sandbox import Connector, SandboxError
from atom.sandbox.connector import multipart
from tests.support.waiting import until

JSON_PART = (
    b'--b\r\nContent-Disposition: form-data; name="FileDataRequest"\r\n'
    b'Content-Type: application/json\r\n\r\n{"resourcePath": "/file"}\r\n'
)
FILE_PART = (
    b'--b\r\nContent-Disposition: form-data; name="FileData"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhello\r\n"
)
END = b"--b--\r\n"
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.fixture(scope="module")
def shop(atom):
    connector = Connector(atom.platform, f"{atom.url}/fs/Shop")
    yield connector
    connector.close()


def values(found):
    return {each["developerName"]: each["contentValue"] for each in found["properties"]}


def file_keys(atom):
    return atom.count_keys("file")


@pytest.fixture
def nothing_left(atom):
    """A refused upload leaves neither an execution nor content."""
    count = len(atom.store.find(10_000).executions)
    yield
    assert len(atom.store.find(10_000).executions) == count
    until(lambda: file_keys(atom) == 0, "no content left")


def test_files_are_listed_as_objects(shop):
    answer = shop.files("/file", {"limit": 2})
    assert [each["externalId"] for each in answer["objectData"]] == ["0", "1"]
    assert answer["hasMoreResults"] is True
    assert answer["objectData"][0]["developerName"] == "$File"
    assert list(values(answer["objectData"][0])) == [
        "Date Created",
        "Date Modified",
        "Description",
        "Download Uri",
        "Embed Uri",
        "Icon Uri",
        "Id",
        "Kind",
        "Mime Type",
        "Name",
    ]


@pytest.mark.parametrize("size", [0, 1, 524_287, 524_288, 524_289, 5_000_000])
def test_a_process_reads_what_was_uploaded(atom, shop, size):
    content = hashlib.shake_256(b"seed").digest(size)
    found = values(shop.upload("/file", "photo.png", content, "image/png"))
    assert found["Description"] == f"{size} {hashlib.sha256(content).hexdigest()}"
    assert (found["Name"], found["Mime Type"]) == ("photo.png", "image/png")
    assert found["Kind"] == "photo.png image/png"
    until(lambda: file_keys(atom) == 0, "the content is deleted at the end")


NAMED_JSON_PART = JSON_PART.replace(b'"\r\n', b'"; filename="blob"\r\n', 1)
EMPTY_NAME_JSON_PART = JSON_PART.replace(b'"\r\n', b'"; filename=""\r\n', 1)
UNNAMED_FILE_PART = FILE_PART.replace(b'; filename="a.txt"', b"")
JSON_FILE_PART = FILE_PART.replace(b"text/plain", b"application/json").replace(b"hello", b"[1,2]")


@pytest.mark.parametrize(
    "parts",
    [
        JSON_PART + FILE_PART,
        FILE_PART + JSON_PART,
        NAMED_JSON_PART + FILE_PART,
        FILE_PART + NAMED_JSON_PART,
        EMPTY_NAME_JSON_PART + FILE_PART,
        JSON_PART + UNNAMED_FILE_PART,
        UNNAMED_FILE_PART + NAMED_JSON_PART,
        JSON_PART + JSON_FILE_PART,
        JSON_FILE_PART + JSON_PART,
        JSON_PART.replace(b"{", b"\xef\xbb\xbf{") + FILE_PART,
    ],
    ids=range(10),
)
def test_the_parts_are_told_apart_in_either_order(shop, parts):
    reply = shop.send("POST", "file/content", parts + END, MULTIPART)
    assert reply.status == 200, reply.body
    assert values(orjson.loads(reply.body)["objectData"][0])["Description"].startswith("5 ")


@pytest.mark.parametrize(
    ("sent", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("..", "file"),
        ("", "file"),
        ("Ä\N{ROCKET}.txt", "Ä\N{ROCKET}.txt"),
    ],
)
def test_a_file_name_is_made_safe(shop, sent, safe):
    assert values(shop.upload("/file", sent, b"x"))["Name"] == safe


def test_a_long_file_name_keeps_its_ending(shop):
    name = values(shop.upload("/file", "n" * 4096 + ".txt", b"x"))["Name"]
    assert len(name) <= 255
    assert name.endswith(".txt")


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (JSON_PART + END, MULTIPART, 400, "needs a part with the file"),
        (FILE_PART + END, MULTIPART, 400, "needs a part application/json"),
        (END, MULTIPART, 400, "needs a part"),
        (b"", MULTIPART, 400, ""),
        (JSON_PART + FILE_PART[:-3], MULTIPART, 400, "cut off"),
        (JSON_PART + FILE_PART, MULTIPART, 400, "cut off"),
        (JSON_PART[:60], MULTIPART, 400, "cut off"),
        (JSON_PART + FILE_PART + FILE_PART + END, MULTIPART, 400, "a second one"),
        (JSON_PART.replace(b"}", b"") + FILE_PART + END, MULTIPART, 400, "not valid JSON"),
        (JSON_PART.replace(b"/file", b"/nix") + FILE_PART + END, MULTIPART, 404, "“/nix”"),
        (JSON_PART.replace(b"/file", b"/listed") + FILE_PART + END, MULTIPART, 404, "upload"),
        (JSON_PART.replace(b"/file", b"") + FILE_PART + END, MULTIPART, 400, "resourcePath"),
        (b"{}", {"Content-Type": "application/json"}, 415, "multipart/form-data"),
        (JSON_PART + FILE_PART + END, {"Content-Type": "multipart/form-data"}, 400, ""),
    ],
    ids=range(14),
)
@pytest.mark.usefixtures("nothing_left")
def test_an_upload_that_is_wrong(shop, body, headers, status, says):
    reply = shop.send("POST", "file/content", body, headers)
    problem = orjson.loads(reply.body)
    assert (reply.status, problem["statusCode"]) == (status, status), problem
    assert says in problem["message"]
    assert 0 < len(problem["message"]) <= 500


@pytest.mark.usefixtures("nothing_left")
def test_a_client_that_hangs_up_in_the_middle(atom):
    head = (
        "POST /fs/Shop/file/content HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", atom.port)) as connection:
        connection.sendall(head.encode() + JSON_PART + FILE_PART[:-2] + b"x" * 2_000_000)
        until(lambda: file_keys(atom) > 0, "the first part is stored")


def test_over_the_limit_it_is_413(atom):
    with atom.another_listener(ATOM_MAX_FILE_BYTES="100000") as url:
        connector = Connector(atom.platform, f"{url}/fs/Shop")
        connector.upload("/file", "a", b"x" * 100_000)
        for size in (100_001, 20_000_000):
            with pytest.raises(SandboxError, match="ATOM_MAX_FILE_BYTES") as caught:
                connector.upload("/file", "a", b"x" * size)
            assert caught.value.status == 413
        connector.close()
    until(lambda: file_keys(atom) == 0, "no content left")


def test_a_body_of_untold_length_is_read_to_its_end(atom, shop):
    body, header = multipart({"resourcePath": "/file"}, "a.txt", b"y" * 300_000, "text/plain")
    connection = http.client.HTTPConnection("127.0.0.1", atom.port, timeout=60)
    chunks = (body[at : at + 50_000] for at in range(0, len(body), 50_000))
    connection.request(
        "POST", "/fs/Shop/file/content", chunks, {"Content-Type": header}, encode_chunked=True
    )
    reply = connection.getresponse()
    assert reply.status == 200, reply.read()
    reply.read()
    connection.close()


@pytest.mark.parametrize(
    ("document", "status", "says"),
    [
        ({"resourcePath": "/nix"}, 404, "there are: /file, /listed"),
        ({}, 400, "resourcePath"),
        ({"resourcePath": 7}, 400, "resourcePath"),
        ({"resourcePath": "/file", "listFilter": {"limit": -1}}, 400, "limit"),
    ],
)
def test_a_list_request_that_is_wrong(shop, document, status, says):
    reply = shop.send("POST", "file", orjson.dumps(document), {"Content-Type": "application/json"})
    assert reply.status == status
    assert says in orjson.loads(reply.body)["message"]


def test_deleting_files_is_not_in_the_protocol(shop):
    reply = shop.send("POST", "file/delete", b"{}", {"Content-Type": "application/json"})
    problem = orjson.loads(reply.body)
    assert (reply.status, problem["statusCode"]) == (405, 405)
    assert "not supported" in problem["message"]


def test_files_of_a_service_that_has_none(atom):
    connector = Connector(atom.platform, f"{atom.url}/fs/Trial")
    reply = connector.send("POST", "file/content", JSON_PART + FILE_PART + END, MULTIPART)
    assert reply.status == 404
    connector.close()


def test_files_can_be_kept_elsewhere(atom, tmp_path):
    """A listener and a worker that share a folder instead of Redis."""
    folder = tmp_path / "uploads"
    with atom.another_listener(ATOM_FILE_STORE=f"file://{folder}") as url:
        connector = Connector(atom.platform, f"{url}/fs/Shop")
        with pytest.raises(SandboxError) as caught:
            connector.upload("/file", "a", b"the worker looks into Redis")
        connector.close()
    assert caught.value.status == 500
    assert file_keys(atom) == 0
    assert [each for each in folder.rglob("*") if each.is_file()]
