"""Requests that are refused: the documented status, one sentence, nothing stored."""

import codecs
import gzip
import http.client
import socket
import zlib
from typing import Any
from uuid import uuid4

import orjson
import pytest

from atom.history import ExecutionFilter
from atom.settings import Settings
from tests.support.operating import command
from tests.support.waiting import until

ECHO = "/fs/Trial/actions/Echo"
JSON = {"Content-Type": "application/json"}


def call(atom, method, path, body=b"", headers=JSON):
    connection = http.client.HTTPConnection("127.0.0.1", atom.port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


def value(name: str, content: Any, kind: str = "ContentString", **more: Any) -> dict[str, Any]:
    return {"developerName": name, "contentType": kind, "contentValue": content, **more}


def nested(levels: int) -> dict[str, Any]:
    inner = value("Deep", "x")
    for _ in range(levels):
        inner = value("Deep", None, "ContentObject", objectData=[{"properties": [inner]}])
    return inner


def request(atom, *, without: str = "", inputs: Any = None, **changes: Any) -> bytes:
    document = {
        "token": str(uuid4()),
        "tenantId": str(uuid4()),
        "stateId": str(uuid4()),
        "callbackUri": f"{atom.sandbox.url}/api/run/1/response",
        "inputs": [value("Text", "x")] if inputs is None else inputs,
        **changes,
    }
    document.pop(without, None)
    return orjson.dumps(document)


@pytest.fixture
def stored(atom):
    """How many executions and token keys there are; the test must not change it."""

    def count():
        found = atom.store.find(10_000).executions
        return len(found)

    before = count()
    yield
    assert count() == before, "a refused request left something behind"


def assert_problem(atom, answer, status, says, *, path=ECHO, action="Echo"):
    got, headers, body = answer
    problem = orjson.loads(body)
    assert (got, problem["statusCode"]) == (status, status), body
    assert headers["X-ManyWho-Service-Problem-Kind"] == "service"
    assert headers["Content-Type"] == "application/json"
    assert set(problem) == {
        "kind",
        "uri",
        "statusCode",
        "message",
        "action",
        "invokeType",
        "responseBody",
        "responseHeaders",
    }
    assert problem["kind"] == "service"
    assert problem["uri"] == path
    assert problem["action"] == action
    assert 0 < len(problem["message"]) <= 500
    assert "\n" not in problem["message"]
    assert "Traceback" not in problem["message"]
    assert says in problem["message"], problem["message"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no body"),
        (b"   ", "no body"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b'{"token": NaN}', "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not valid JSON"),
        (b'{"a":' * 225 + b"1" + b"}" * 225, "nests deeper than 224 levels"),
    ],
    ids=lambda each: repr(each)[:20],
)
@pytest.mark.usefixtures("stored")
def test_a_body_that_is_no_json_object(atom, body, says):
    assert_problem(atom, call(atom, "POST", ECHO, body), 400, says)


def raw_deflate(content):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
        ("identity", bytes),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_may_be_compressed_or_begin_with_a_byte_order_mark(atom, coding, pack, is_chunked):
    body = pack(codecs.BOM_UTF8 + request(atom, inputs=[value("Text", "é")]))
    headers = {**JSON, "Content-Encoding": coding}
    status, _, answer = call(atom, "POST", ECHO, iter([body]) if is_chunked else body, headers)
    assert (status, orjson.loads(answer)["invokeType"]) == (200, "WAIT")


BIG = b'{"token": "' + b"x" * 6_000_000 + b'"}'


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"{}", {"Content-Encoding": "br"}, 415, "Content-Encoding “br”"),
        (b"{}", {"Content-Encoding": "gzip, gzip"}, 415, "“gzip, gzip”"),
        (b"{}", {"Content-Encoding": "gzip"}, 400, "not valid gzip"),
        (gzip.compress(b"{}" * 99)[:-9], {"Content-Encoding": "gzip"}, 400, "cut off"),
        (gzip.compress(BIG), {"Content-Encoding": "gzip"}, 413, "ATOM_MAX_REQUEST_BYTES"),
        (zlib.compress(BIG), {"Content-Encoding": "deflate"}, 413, "ATOM_MAX_REQUEST_BYTES"),
        (b"{}", {"Content-Type": "application/json; charset=utf-16"}, 415, "“utf-16”"),
        (b"{}", {"Content-Type": "application/json; charset=iso-8859-1"}, 415, "“iso-8859-1”"),
        ("{}".encode("utf-16"), {}, 400, "encoded as UTF-16"),
        (b'{"token": "\xe9"}', {}, 400, "byte 0xE9 at offset 11 is not UTF-8"),
    ],
    ids=range(10),
)
@pytest.mark.usefixtures("stored")
def test_a_body_in_another_coding(atom, body, headers, status, says):
    answer = call(atom, "POST", ECHO, body, {**JSON, **headers})
    assert_problem(atom, answer, status, says)
    is_coding = status == 415 and "Content-Encoding" in headers
    assert answer[1].get("Accept-Encoding") == ("gzip, deflate, identity" if is_coding else None)


@pytest.mark.parametrize("name", ["token", "tenantId", "callbackUri"])
@pytest.mark.parametrize("wrong", ["missing", "null", "empty", "number"])
@pytest.mark.usefixtures("stored")
def test_what_a_request_cannot_do_without(atom, name, wrong):
    changes = {"missing": {}, "null": {name: None}, "empty": {name: ""}, "number": {name: 7}}[wrong]
    body = request(atom, without=name if wrong == "missing" else "", **changes)
    assert_problem(atom, call(atom, "POST", ECHO, body), 400, f"{name}: ")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tenantId": "a\r\nEvil: 1"}, "tenantId"),
        ({"tenantId": "x" * 10_000}, "tenantId"),
        ({"token": "x" * 10_000}, "token"),
        ({"callbackUri": "https://evil.example/api/run/1/response"}, "evil.example"),
        ({"callbackUri": "http://10.0.0.1/api/run/1/response"}, "https"),
        ({"callbackUri": "file:///etc/passwd"}, "https"),
        ({"callbackUri": "not a URL"}, "https"),
        ({"inputs": "x"}, "inputs: must be a list"),
        ({"inputs": [7]}, "inputs: [0] must be an object"),
        ({"inputs": [{}]}, "developerName"),
        ({"inputs": [value("Text", 7)]}, "[0] (Text) contentValue must be a text or null"),
        ({"inputs": [value("Text", "x", "ContentBlob")]}, "contentType is none"),
        ({"inputs": [value("Line", None, "ContentObject", objectData={})]}, "must be a list"),
        ({"inputs": [value("Line", None, "ContentObject", objectData=[7])]}, "objectData[0]"),
        ({"inputs": [nested(21)]}, "deeper than 20"),
        ({"inputs": [nested(50)]}, "deeper than 20"),
        ({"outcomes": "Done"}, "outcomes"),
        ({"inputs": []}, "Text: missing data for required field"),
        ({"inputs": [value("Text", None)]}, "Text: missing data for required field"),
        ({"inputs": [value("Number", "1_0")]}, "'1_0' is not a number"),
        ({"inputs": [value("Number", "1e999999999")]}, "a number of more than 1000 digits"),
        ({"inputs": [value("Number", "9" * 100_000)]}, "a number of more than 1000 digits"),
        ({"inputs": [value("Flag", "yes")]}, "neither true nor false"),
        ({"inputs": [value("Moment", "yesterday")]}, "not a date and time"),
        ({"inputs": [value("Moment", "2025-13-01T00:00:00Z")]}, "Moment: "),
        ({"inputs": [value("Moment", "0001-01-01T00:00:00+14:00")]}, "years 1 to 9999"),
        (
            {"inputs": [value("Line", None, "ContentObject", objectData=[{}, {}])]},
            "Line is a single object, but 2 were sent",
        ),
        (
            {
                "inputs": [
                    value("Text", "x"),
                    value(
                        "Lines",
                        None,
                        "ContentList",
                        objectData=[
                            {"properties": [value("Sku", "A"), value("Quantity", "1")]},
                            {"properties": [value("Sku", "B"), value("Quantity", "1.5")]},
                        ],
                    ),
                ]
            },
            "Lines[1].Quantity: '1.5' is not a whole number",
        ),
    ],
    ids=lambda each: repr(each)[:60],
)
@pytest.mark.usefixtures("stored")
def test_a_field_that_is_wrong_is_named(atom, changes, says):
    assert_problem(atom, call(atom, "POST", ECHO, request(atom, **changes)), 400, says)


@pytest.mark.parametrize("field", ["annotations", "surprise", "culture"])
@pytest.mark.parametrize("depth", [224, 240, 254, 255, 500, 1023, 1024, 20_000])
@pytest.mark.usefixtures("stored")
def test_deep_json_in_an_ignored_field_is_refused(atom, field, depth):
    nested_list = b"[" * depth + b"]" * depth
    body = request(atom)[:-1] + b', "%s": %s}' % (field.encode(), nested_list)
    says = "nests deeper than 224 levels" if depth < 1024 else "depth limit"
    assert_problem(atom, call(atom, "POST", ECHO, body), 400, says)


@pytest.mark.usefixtures("stored")
def test_every_wrong_field_is_named_at_once(atom):
    body = request(atom, inputs=[value("Number", "x"), value("Flag", "x")])
    _, _, answer = call(atom, "POST", ECHO, body)
    message = orjson.loads(answer)["message"]
    assert all(f"{name}: " in message for name in ("Text", "Number", "Flag"))


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Content-Type": "text/plain"}, "text/plain"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "x-www-form-urlencoded"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "multipart"),
        ({}, "without a content type"),
    ],
)
@pytest.mark.usefixtures("stored")
def test_a_content_type_that_is_not_json(atom, headers, says):
    assert_problem(atom, call(atom, "POST", ECHO, request(atom), headers), 415, says)


@pytest.mark.parametrize(
    ("method", "path", "status", "says", "action"),
    [
        ("POST", "/fs/Nix/actions/Echo", 404, "no service “Nix”", "Echo"),
        ("POST", "/fs/Trial/actions/Nix", 404, "no action “Nix”", "Nix"),
        ("POST", "/fs/Trial/actions/echo", 404, "no action “echo”", "echo"),
        ("POST", "/fs/Trial/actions/", 404, "nothing at", None),
        ("POST", "/fs/Nix/metadata", 404, "no service “Nix”", None),
        ("POST", "/", 404, "nothing at", None),
        ("GET", "/fs/Trial/actions/Echo", 405, "GET is not possible", None),
        ("DELETE", "/fs/Trial/metadata", 405, "DELETE is not possible", None),
        ("POST", "/fs/Trial/" + "x" * 3000, 404, "nothing at", None),
    ],
)
@pytest.mark.usefixtures("stored")
def test_a_path_or_method_that_is_not_there(atom, method, path, status, says, action):
    answer = call(atom, method, path, request(atom))
    if len(path) < 500:
        assert_problem(atom, answer, status, says, path=path, action=action)
    assert answer[0] == status
    if status == 405:
        assert "POST" in answer[1]["Allow"]


@pytest.mark.usefixtures("stored")
def test_a_body_over_the_limit(atom):
    limit = Settings().max_request_bytes
    answer = call(atom, "POST", ECHO, request(atom, annotations={"x": "y" * limit}))
    assert_problem(atom, answer, 413, "ATOM_MAX_REQUEST_BYTES")


@pytest.mark.usefixtures("stored")
def test_a_body_over_the_limit_that_does_not_tell_its_length(atom):
    chunk = b"x" * 1_000_000

    def chunks():
        yield request(atom)
        for _ in range(8):
            yield chunk

    connection = http.client.HTTPConnection("127.0.0.1", atom.port, timeout=30)
    connection.request("POST", ECHO, chunks(), JSON, encode_chunked=True)
    reply = connection.getresponse()
    assert reply.status == 413
    assert orjson.loads(reply.read())["statusCode"] == 413
    connection.close()


@pytest.mark.usefixtures("stored")
def test_a_client_that_hangs_up_in_the_middle(atom):
    body = request(atom)
    with socket.create_connection(("127.0.0.1", atom.port)) as connection:
        head = f"POST {ECHO} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:-20])
    assert call(atom, "GET", "/health")[0] == 200


def test_what_is_not_known_is_ignored_and_lists_may_be_null(atom):
    body = request(
        atom,
        outcomes=None,
        configurationValues=None,
        culture=None,
        surprise={"a": [1, {"b": None}]},
        executionMode="DEBUG",
        inputs=[
            value("Text", "x", "contentstring", surprise=1),
            value("Unknown", "y"),
            value("Number", ""),
            value("Flag", None),
            value("Moment", ""),
            value("Lines", None, "ContentList"),
            value("Line", None, "ContentObject", objectData=[]),
        ],
    )
    status, _, answer = call(atom, "POST", ECHO, body)
    assert (status, orjson.loads(answer)["invokeType"]) == (200, "WAIT")


def test_json_of_the_greatest_depth_can_be_read_and_shown(atom):
    depth = 223  # within the request's own level
    nested_list = b"[" * depth + b"]" * depth
    body = request(atom)[:-1] + b', "annotations": %s}' % nested_list
    status, _, _ = call(atom, "POST", ECHO, body)
    assert status == 200
    token = orjson.loads(body)["stateId"]
    (execution,) = atom.store.find(2, ExecutionFilter(text=token)).executions
    shown = command(atom, "executions", "show", execution.id, "--json")
    assert shown.count("[") > 100  # deeper levels are masked


def test_null_inputs_are_none(atom):
    body = orjson.dumps({**orjson.loads(request(atom)), "inputs": None})
    status, _, _ = call(atom, "POST", "/fs/Trial/actions/Nothing", body)
    assert status == 200


def test_json_may_be_declared_with_a_charset_or_as_a_dialect(atom):
    for kind in ("application/json; charset=utf-8", "application/vnd.x+json"):
        assert call(atom, "POST", ECHO, request(atom), {"Content-Type": kind})[0] == 200


@pytest.mark.parametrize("path", ["/fs/Trial/metadata", "/fs/Trial/metadata/install"])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"configurationValues": [], "x": 1}'])
def test_metadata_is_given_whatever_is_asked(atom, path, body):
    status, _, answer = call(atom, "POST", path, body, JSON if body else {})
    assert status == 200
    assert orjson.loads(answer)["providesLogic"] is True


@pytest.mark.parametrize(("body", "status"), [(b"[]", 400), (b"{", 400)])
def test_metadata_refuses_what_is_no_request(atom, body, status):
    answer = call(atom, "POST", "/fs/Trial/metadata", body)
    assert_problem(atom, answer, status, "JSON", path="/fs/Trial/metadata", action=None)


def test_no_traceback_was_ever_shown_and_none_was_needed(atom):
    """Last in this file: all of the above was somebody's mistake, none a bug."""
    assert b"Traceback" not in atom.log("listener")


def test_health(atom):
    assert call(atom, "GET", "/health")[0] == 200
    assert call(atom, "GET", "/fs/Trial/health")[0] == 200


def test_accepted_requests_reach_their_end(atom):
    until(
        lambda: not [e for e in atom.store.find(1000).executions if not e.state.is_final], "the end"
    )
