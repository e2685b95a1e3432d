"""One trace from the flow's request to the callback, through real roles and a collector."""

import http.client
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.callback_server import CallbackServer
from tests.support.collector import Collector
from tests.support.roles import TestAtom
from tests.support.waiting import until

PIN = "canary-pin/1+2"
TOKEN = "canary-token"
KINDS = Span.SpanKind


def traceparent():
    return f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"


@pytest.fixture(scope="module")
def collector():
    collector = Collector()
    yield collector
    collector.close()


@pytest.fixture(scope="module")
def flow():
    server = CallbackServer()
    yield server
    server.close()


@pytest.fixture(scope="module", params=["prefork", "threads"])
def traced(request, tmp_path_factory, collector, flow):
    """An Atom that sends spans when its processes end, and not before."""
    atom = TestAtom(
        tmp_path_factory.mktemp(request.param),
        "tests.support.talkative",
        ATOM_CALLBACK_HOSTS="127.0.0.1",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="600000",
    )
    try:
        atom.start_all([f"--pool={request.param}", "--concurrency=2"])
        yield atom
    finally:
        atom.close()


def ask(atom, flow, action, header, inputs=()):
    """What the flow's server was sent as callbacks, once the last of them has come."""
    document = {
        "token": f"{TOKEN}-{uuid4()}",
        "tenantId": str(uuid4()),
        "stateId": str(uuid4()),
        "callbackUri": flow.url,
        "inputs": list(inputs),
    }
    connection = http.client.HTTPConnection(urlsplit(atom.url).netloc, timeout=30)
    headers = {"Content-Type": "application/json", **({"traceparent": header} if header else {})}
    path = f"/fs/Talkative/actions/{action}".replace(" ", "%20")
    connection.request("POST", path, orjson.dumps(document), headers)
    assert connection.getresponse().status == 200
    connection.close()

    def mine():
        return [each for each in list(flow.requests) if document["token"].encode() in each[2]]

    ((_, headers, _),) = until(mine, "the callback", 60)
    return {name.lower(): value for name, value in headers.items()}


def test_a_trace_goes_from_the_request_to_the_callback(traced, flow, collector):
    pin = {"developerName": "Pin", "contentType": "ContentPassword", "contentValue": PIN}
    callers = [traceparent() for _ in range(3)]
    called = [
        ask(traced, flow, "Step by step", callers[0]),
        ask(traced, flow, "Break", callers[1], [pin]),
        ask(traced, flow, "Refuse", callers[2]),
    ]
    own = ask(traced, flow, "Step by step", "")["traceparent"].split("-")[1]
    until(
        lambda: all(each.delivered_at for each in traced.store.find(10).executions),
        "the records",
        60,
    )
    for name in list(traced.processes):
        assert traced.end(name) == 0, traced.log(name).decode()

    well, broken, refused = (collector.named(each.split("-")[1]) for each in callers)
    name = "Talkative.Step by step"
    way = [f"accept {name}", f"run {name}", f"callback {name}"]
    assert well.keys() == {*way, "step one", "step two"}
    (accept,), (run,), (callback,) = (well[each] for each in way)
    assert accept.parent_span_id.hex() == callers[0].split("-")[2]
    assert run.parent_span_id == callback.parent_span_id == accept.span_id
    assert {well[each][0].parent_span_id for each in ("step one", "step two")} == {run.span_id}
    assert called[0]["traceparent"] == f"00-{accept.trace_id.hex()}-{callback.span_id.hex()}-01"
    kinds = [accept.kind, run.kind, well["step one"][0].kind, callback.kind]
    assert kinds == [
        KINDS.SPAN_KIND_SERVER,
        KINDS.SPAN_KIND_CONSUMER,
        KINDS.SPAN_KIND_INTERNAL,
        KINDS.SPAN_KIND_CLIENT,
    ]
    (execution,) = [
        each for each in traced.store.find(10).executions if callers[0].split("-")[1] in each.trace
    ]
    assert execution.trace == f"00-{accept.trace_id.hex()}-{accept.span_id.hex()}-01"
    for span in (accept, run, callback):
        said = {each.key: each.value.string_value for each in span.attributes}
        assert said["atom.execution_id"] == execution.id
        assert said["atom.flow_state_id"] == execution.flow_state_id

    # A try is a span of its own, and marked where it failed; a fault is no error.
    first, second = broken["run Talkative.Break"]
    assert first.parent_span_id == second.parent_span_id
    assert {first.status.code, second.status.code} == {Status.STATUS_CODE_ERROR}
    assert refused["run Talkative.Refuse"][0].status.code == Status.STATUS_CODE_UNSET
    # Who brings no trace begins one.
    assert not collector.named(own)[f"accept {name}"][0].parent_span_id
    assert {path for path, _ in collector.received} == {"/v1/traces"}
    sent = b"".join(body for _, body in collector.received)
    assert b"flow-atom" in sent
    assert PIN.encode() not in sent
    assert TOKEN.encode() not in sent


@pytest.fixture(scope="module")
def untraced(tmp_path_factory):
    """One that was told of no collector."""
    atom = TestAtom(
        tmp_path_factory.mktemp("untraced"),
        "tests.support.talkative",
        ATOM_CALLBACK_HOSTS="127.0.0.1",
    )
    try:
        atom.start_all(["--concurrency=1"])
        yield atom
    finally:
        atom.close()


def test_without_a_collector_a_trace_is_passed_on_as_it_came(untraced, flow):
    header = traceparent()
    assert ask(untraced, flow, "Step by step", header)["traceparent"] == header
    assert untraced.store.find(1).executions[0].trace == header


@pytest.mark.parametrize("header", ["", "garbage", "00-" + "0" * 32 + "-" + "1" * 16 + "-01"])
def test_what_is_no_trace_is_not_passed_on(untraced, flow, header):
    assert "traceparent" not in ask(untraced, flow, "Step by step", header)
