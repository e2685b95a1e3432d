"""Signals as callers outside send them: what is taken reaches the process, and all else is told."""

import gzip
import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from atom.execution.recorded_values import encode
from atom.execution.steps import event_of, step_of_signal
from atom.records import State
from atom.suspension import Wait, WaitKind
from tests.contract.test_ending_and_restarting import running
from tests.support.dying import Parts
from tests.support.executions import an_attempt

MOST = 1_000


@pytest.fixture
def client(settings, raw):
    parts = Parts(replace(settings, max_step_bytes=MOST))
    yield parts.app.test_client()
    parts.bare_store.close()


@pytest.fixture
def waiting(store):
    """An execution that waits for an approval, and where that is given."""
    claim = running(store)
    token = store.signal_token(claim, "approval")
    store.suspend(claim, Wait(name="approval", kind=WaitKind.SIGNAL, until=None))
    return claim, f"/signals/{claim.id}/approval?token={token}"


@pytest.mark.parametrize("content", ['"' * 400, "é" * 600, "\\" * 300])
def test_an_event_that_is_taken_can_be_recorded(client, store, waiting, content):
    claim, url = waiting
    status = client.post(url, json=content).status_code
    event = store.signal_event(claim, "approval")
    if status == 413:
        assert event is None
    else:
        assert len(encode(event.event).encode()) <= MOST


def test_an_event_may_be_as_large_as_a_step(client, waiting):
    assert client.post(waiting[1], json="x" * (MOST - 10)).status_code == 202


def test_an_event_that_nests_too_deeply(client, store, waiting):
    claim, url = waiting
    deep = b"[" * 400 + b"]" * 400
    answer = client.post(url, data=deep, content_type="application/json")
    assert answer.status_code == 400
    assert "nests deeper than" in answer.json["message"]
    assert store.signal_event(claim, "approval") is None


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300])
def test_an_event_keeps_the_digits_of_its_integers(client, store, waiting, number):
    claim, url = waiting
    assert client.post(url, json={"iban": number}).status_code == 202
    event = store.signal_event(claim, "approval")
    assert event_of("approval", step_of_signal("approval", event.event)) == {"iban": number}


@pytest.mark.parametrize("body", [b"NaN", b"[-Infinity]", b"1e400", b"9" * 400])
def test_an_event_with_a_number_beyond_json_is_refused(client, store, waiting, body):
    claim, url = waiting
    answer = client.post(url, data=body, content_type="application/json")
    assert answer.status_code == 400
    assert "not valid JSON" in answer.json["message"]
    assert store.signal_event(claim, "approval") is None


def test_an_event_without_a_content_type_is_not_dropped(client, store, waiting):
    claim, url = waiting
    assert client.post(url, data=b'{"by": "Ada"}').status_code == 415
    assert store.signal_event(claim, "approval") is None
    assert client.post(url).status_code == 202
    assert store.signal_event(claim, "approval").event == "null"


URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XX"


def form_data(*fields):
    """A form as a browser sends it with enctype="multipart/form-data"."""
    parts = [
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields
    ]
    return ("".join(parts) + "--XX--\r\n").encode()


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ([("decision", "yes")], {"decision": "yes"}),
        ([("decision", "yes"), ("by", "Ada Ä & Co")], {"decision": "yes", "by": "Ada Ä & Co"}),
        ([("line", "1"), ("line", ""), ("line", "3")], {"line": ["1", "", "3"]}),
        ([("", "x")], {"": "x"}),
        ([("text", "a\r\nb")], {"text": "a\r\nb"}),
    ],
)
@pytest.mark.parametrize("kind", [URLENCODED, f"{URLENCODED}; charset=UTF-8", MULTIPART])
def test_a_form_is_an_event(client, store, waiting, fields, event, kind):
    claim, url = waiting
    body = urlencode(fields).encode() if kind.startswith(URLENCODED) else form_data(*fields)
    reply = client.post(url, data=body, content_type=kind)
    assert reply.status_code == 202, reply.json
    assert json.loads(store.signal_event(claim, "approval").event) == event
    # A second click on the button is the same event.
    assert client.post(url, data=body, content_type=kind).status_code == 202


def test_a_form_without_fields_is_an_event(client, store, waiting):
    claim, url = waiting
    assert client.post(url, data=b"", content_type=URLENCODED).status_code == 202
    assert store.signal_event(claim, "approval").event == "null"


def test_a_form_may_be_compressed(client, store, waiting):
    claim, url = waiting
    body = gzip.compress(b"decision=yes")
    headers = {"Content-Encoding": "gzip"}
    reply = client.post(url, data=body, content_type=URLENCODED, headers=headers)
    assert reply.status_code == 202
    assert json.loads(store.signal_event(claim, "approval").event) == {"decision": "yes"}


FILE_FORM = form_data(("a", "b")).replace(b'name="a"', b'name="a"; filename="a.txt"')


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        (FILE_FORM, MULTIPART, 415, "cannot have a file"),
        (FILE_FORM.replace(b"a.txt", b""), MULTIPART, 415, "cannot have a file"),
        (b"a=b", "multipart/form-data", 400, "multipart/form-data"),
        (form_data(("a", "b"))[:-9], MULTIPART, 400, "multipart/form-data"),
        (b"a=%FF", URLENCODED, 400, "in UTF-8"),
        (b"a=\xff", URLENCODED, 400, "in UTF-8"),
        (b"a=b", f"{URLENCODED}; charset=iso-8859-1", 415, "iso-8859-1"),
        (b"&".join(b"%d=" % number for number in range(1_001)), URLENCODED, 400, "1000 fields"),
        (form_data(*[(str(n), "") for n in range(1_001)]), MULTIPART, 413, "1000 fields"),
        (b"a=" + b"x" * 1_000, URLENCODED, 413, "ATOM_MAX_STEP_BYTES"),
        (b"a: b", "text/yaml", 415, "application/json"),
    ],
    ids=range(11),
)
def test_a_form_that_is_no_event(client, store, waiting, body, kind, status, says):
    claim, url = waiting
    reply = client.post(url, data=body, content_type=kind)
    assert reply.status_code == status
    assert says in reply.json["message"]
    assert store.signal_event(claim, "approval") is None


@examples(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)),
    kind=st.sampled_from([URLENCODED, MULTIPART, "application/json", "text/plain", ""]),
)
def test_whatever_is_sent_is_taken_or_refused(client, waiting, body, kind):
    status = client.post(waiting[1], data=body, content_type=kind).status_code
    assert status in (202, 400, 409, 413, 415)


@pytest.mark.parametrize("kind", ["application/json", URLENCODED])
def test_given_again_after_the_end_it_is_told_so(client, store, waiting, kind):
    claim, url = waiting
    body = b"1" if kind == "application/json" else b"decision=yes"
    assert client.post(url, data=body, content_type=kind).status_code == 202
    claim = store.claim(claim.id, "w", "1")
    for has_heard in (False, True):
        if has_heard:
            store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
        else:
            store.finish(claim, State.COMPLETED, b"{}", "")
        reply = client.post(url, data=body, content_type=kind)
        assert (reply.status_code, "has ended" in reply.json["message"]) == (409, True)
        wrong = client.post(url[:-1], data=body, content_type=kind)
        unknown = client.post(url.replace(claim.id, "unknown"), data=body, content_type=kind)
        assert (wrong.status_code, wrong.json["message"]) == (
            unknown.status_code,
            unknown.json["message"],
        )
        assert wrong.status_code == 403
