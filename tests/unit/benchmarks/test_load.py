"""What the load generator sends, and what it takes for an answer and for a callback."""

import json
import socket

import pytest

from benchmarks.empty.app import app
from benchmarks.errors import BenchmarkError
from benchmarks.flow_requests import EXPECTED_OUTPUTS, flow_requests
from benchmarks.http_messages import Message
from benchmarks.load import check_answer
from benchmarks.sink import CallbackSink


def document(request):
    return json.loads(request.content.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("more", [9 * 1024, 99 * 1024, 1023 * 1024])
def test_a_larger_request_has_about_the_size_asked_for(more):
    (plain,), (larger,) = flow_requests(1, 1, 2), flow_requests(1, 1, 2, "Digest", more)
    added = len(larger.content) - len(plain.content)
    assert 0.9 * more < added < 1.1 * more
    lines, note = document(larger)["inputs"][-2:]
    assert lines["objectData"][:2] == document(plain)["inputs"][-1]["objectData"]
    assert len(note["contentValue"]) == more // 2


def test_the_empty_route_answers_as_a_listener_does():
    (request,) = flow_requests(1, 1, 2)
    body = request.content.partition(b"\r\n\r\n")[2]
    answer = app.test_client().post("/fs/Bench/actions/Echo", data=body)
    check_answer(request, Message(b"http/1.1 200 ok", answer.data))


def test_another_token_is_no_answer():
    one, other = flow_requests(2, 1, 2)
    answer = json.dumps({"invokeType": "WAIT", "token": other.token}).encode()
    with pytest.raises(BenchmarkError, match="token"):
        check_answer(one, Message(b"http/1.1 200 ok", answer))


def callback(outputs):
    values = [
        {"developerName": name, "contentValue": text}
        if isinstance(text, str)
        else {
            "developerName": name,
            "objectData": [
                {"properties": [{"developerName": k, "contentValue": v} for k, v in line.items()]}
                for line in text
            ],
        }
        for name, text in outputs.items()
    ]
    return json.dumps({"token": "t", "invokeType": "FORWARD", "outputs": values}).encode()


def test_the_sink_knows_when_a_process_began_that_says_it():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        sink = CallbackSink(bound)
        sink.expect(["t"])
        body = callback({**EXPECTED_OUTPUTS, "Started": "12.5"})
        sink.take(body)
    assert sink.problems == []
    assert sink.started == {"t": 12.5}
    assert sink.received_bytes == len(body)


def test_the_sink_notices_other_outputs():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        sink = CallbackSink(bound)
        sink.expect(["t"])
        sink.take(callback({**EXPECTED_OUTPUTS, "Pieces": "6"}))
    assert sink.problems == ["A callback came with other outputs than expected."]
