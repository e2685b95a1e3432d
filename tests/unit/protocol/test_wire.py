"""Reading request bodies: each malformed shape is refused in one short sentence."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atom.errors import InvalidRequest, MalformedRequest, RequestRefused
from atom.protocol.message_actions import ServiceRequest
from atom.protocol.wire import MAX_JSON_DEPTH, parse_json, problems, sentence

NEEDED = {"token": "t-1", "tenantId": "tenant-1", "callbackUri": "https://flow.example/back"}


def value(content: Any = "x", kind: Any = "ContentString", **more: Any) -> dict[str, Any]:
    return {"developerName": "Name", "contentType": kind, "contentValue": content, **more}


def read(**changes: Any) -> ServiceRequest:
    return ServiceRequest.read({**NEEDED, **changes})


def refusal(body: bytes) -> str:
    with pytest.raises(RequestRefused) as caught:
        ServiceRequest.read(parse_json(body))
    assert caught.value.status == 400
    message = str(caught.value)
    assert 0 < len(message) <= 500
    assert "\n" not in message
    return message


def nested(levels: int) -> dict[str, Any]:
    """A value with so many objects inside each other."""
    inner = value()
    for _ in range(levels):
        inner = value(None, "ContentObject", objectData=[{"properties": [inner]}])
    return inner


def test_a_whole_request():
    values = [value("Ada")]
    outcome = {"id": "o-1", "developerName": "Done", "order": 0}
    request = read(
        stateId="state-1",
        executionMode="DEBUG",
        culture={"language": "EN"},
        inputs=values,
        configurationValues=values,
        outcomes=[outcome],
    )
    assert request.token == "t-1"
    assert request.tenant_id == "tenant-1"
    assert request.callback_uri == "https://flow.example/back"
    assert request.state_id == "state-1"
    assert request.execution_mode == "DEBUG"
    assert request.culture == {"language": "EN"}
    assert request.inputs == values
    assert request.configuration_values == values
    assert request.outcomes == [{"id": "o-1", "developer_name": "Done"}]


NULLABLE = ["stateId", "executionMode", "culture", "inputs", "outcomes", "configurationValues"]


@pytest.mark.parametrize("name", NULLABLE)
def test_null_stands_for_absent(name):
    assert read(**{name: None}) == read()


def test_an_absent_list_is_empty():
    request = read()
    assert (request.inputs, request.outcomes, request.configuration_values) == ([], [], [])


def test_unknown_properties_are_ignored_wherever_they_are():
    deep: Any = 7
    for _ in range(50):
        deep = {"x": [deep]}
    sent = value(None, "ContentObject", later=deep, objectData=[{"later": 1, "properties": None}])
    assert read(later=deep, annotations=7, inputs=[sent]).inputs == [sent]


@pytest.mark.parametrize("kind", ["contentstring", "CONTENTSTRING", "ContentString", None])
def test_a_content_type_in_any_case_or_none(kind):
    assert read(inputs=[value("x", kind)]).inputs == [value("x", kind)]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no body"),
        (b" \r\n\t", "no body"),
        (b"{", "not valid JSON"),
        (b"token=t-1&tenantId=1", "not valid JSON"),
        (b"<xml/>", "not valid JSON"),
        (b"\xff\xfe{\x00}\x00", "not valid JSON"),
        (b'{"token": NaN}', "not valid JSON"),
        (b'{"token": "\\ud800"}', "not valid JSON"),
        (b"{} {}", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "not valid JSON"),
    ],
    ids=lambda each: repr(each)[:24],
)
def test_what_is_no_json_document_is_malformed(body, says):
    assert says in refusal(body)
    with pytest.raises(MalformedRequest):
        ServiceRequest.read(parse_json(body))


@pytest.mark.parametrize("document", [[], [NEEDED], "text", 7, None, True])
def test_what_is_no_json_object_is_invalid(document):
    with pytest.raises(InvalidRequest, match="The ServiceRequest must be a JSON object"):
        ServiceRequest.read(document)


@pytest.mark.parametrize("name", list(NEEDED))
@pytest.mark.parametrize("wrong", [None, "", 7, True, ["x"], {"x": "y"}])
def test_what_a_request_cannot_do_without_is_named(name, wrong):
    assert f"{name}: " in refusal(orjson.dumps({**NEEDED, name: wrong}))


def test_everything_that_is_missing_is_named_at_once():
    message = refusal(b"{}")
    assert all(f"{name}: " in message for name in NEEDED)


@pytest.mark.parametrize(
    "tenant", ["a\nb", "a\r\nEvil: 1", "a\n", "\0", "tenant 1", "ä", "x" * 101]
)
def test_a_tenant_that_no_header_can_carry(tenant):
    assert "tenantId: " in refusal(orjson.dumps({**NEEDED, "tenantId": tenant}))


@pytest.mark.parametrize("name", ["inputs", "configurationValues"])
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ("x", "must be a list"),
        ({}, "must be a list"),
        (7, "must be a list"),
        (False, "must be a list"),
        ([7], "[0] must be an object"),
        ([None], "[0] must be an object"),
        ([value(), "x"], "[1] must be an object"),
        ([[value()]], "[0] must be an object"),
        ([{}], "[0] developerName"),
        ([{"developerName": 7}], "[0] developerName"),
        ([{"developerName": ""}], "[0] developerName"),
        ([value(7)], "[0] (Name) contentValue"),
        ([value(True)], "[0] (Name) contentValue"),
        ([value(["x"])], "[0] (Name) contentValue"),
        ([value("x", "ContentBlob")], "[0] (Name) contentType"),
        ([value("x", "")], "[0] (Name) contentType"),
        ([value("x", 7)], "[0] (Name) contentType"),
        ([value(None, "ContentList", objectData={})], "(Name) objectData must be a list"),
        ([value(None, "ContentList", objectData="x")], "(Name) objectData must be a list"),
        ([value(None, "ContentList", objectData=[7])], "(Name) objectData[0] must be an object"),
        ([value(None, "ContentList", objectData=[None])], "objectData[0] must be an object"),
        (
            [value(None, "ContentList", objectData=[{}, {"properties": "x"}])],
            "objectData[1] properties must be a list",
        ),
        (
            [value(None, "ContentList", objectData=[{"properties": [value(7)]}])],
            "objectData[0] properties[0] (Name) contentValue",
        ),
    ],
    ids=lambda each: repr(each)[:40],
)
def test_a_value_of_the_wrong_shape_is_named(name, values, says):
    message = refusal(orjson.dumps({**NEEDED, name: values}))
    assert f"{name}: " in message
    assert says in message


@pytest.mark.parametrize("outcomes", ["x", 7, {}, [7], [None], [{"id": 7}], [{"developerName": 7}]])
def test_an_outcome_of_the_wrong_shape_is_named(outcomes):
    assert "outcomes" in refusal(orjson.dumps({**NEEDED, "outcomes": outcomes}))


@pytest.mark.parametrize("levels", [0, 1, 19, 20])
def test_objects_nest_20_levels(levels):
    assert read(inputs=[nested(levels)]).inputs == [nested(levels)]


@pytest.mark.parametrize("levels", [21, 22, 40, 50])
def test_objects_that_nest_deeper_are_refused(levels):
    body = orjson.dumps({**NEEDED, "inputs": [nested(levels)]})
    assert "deeper than 20 levels" in refusal(body)


@pytest.mark.parametrize("levels", [240, 330, 1000, 100_000])
def test_any_depth_of_values_is_refused_and_not_run_out_of_stack(levels):
    opening = b'{"developerName":"Name","objectData":[{"properties":['
    inputs = b"[" + opening * levels + b"]}]}" * levels + b"]"
    needed = orjson.dumps(NEEDED)[:-1]
    refusal(needed + b',"inputs":' + inputs + b"}")


@pytest.mark.parametrize("name", ["inputs", "configurationValues", "culture", "outcomes", "token"])
@pytest.mark.parametrize("levels", [223, 224, 254, 1000, 1500])
def test_any_depth_of_json_is_read_or_refused(name, levels):
    body = orjson.dumps(NEEDED)[:-1] + b',"%s":' % name.encode()
    body += b"[" * levels + b"]" * levels + b"}"
    if name == "culture" and levels < MAX_JSON_DEPTH:
        assert ServiceRequest.read(parse_json(body)).token == "t-1"
    else:
        refusal(body)


LONG = "x\n" * 500_000


@pytest.mark.parametrize(
    "changes",
    [
        {"token": LONG},
        {"tenantId": LONG},
        {"stateId": LONG},
        {"callbackUri": LONG},
        {"inputs": LONG},
        {"inputs": [LONG]},
        {"inputs": [value(7, LONG)]},
        {"inputs": [{"developerName": LONG, "contentValue": 7}]},
        {"inputs": [value()] * 50_000 + [7]},
        {"outcomes": [7] * 50_000},
        {"outcomes": [{"id": 7, "developerName": 8}] * 10_000},
    ],
    ids=lambda changes: repr(changes)[:40],
)
@pytest.mark.timeout(60)
def test_the_sentence_stays_short_however_long_the_value(changes):
    message = refusal(orjson.dumps({**NEEDED, **changes}))
    assert next(iter(changes)) in message


def test_a_sentence_is_one_line_of_500_characters():
    assert sentence("  one\r\n\ttwo\0three  ") == "one two three"
    assert sentence("x" * 500) == "x" * 500
    assert sentence("x" * 501) == "x" * 499 + "…"


def test_problems_name_the_path_of_each():
    messages = {"a": {0: {"b": ["Bad.", "Worse."]}}, "c": "Ugly", "_schema": ["All wrong."]}
    assert list(problems(messages)) == ["a[0].b: bad", "a[0].b: worse", "c: ugly", "all wrong"]


# Any JSON document at all, and documents that are nearly right.

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    scalars | numbers,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4)
    ),
    max_leaves=30,
)
texts = st.none() | st.text(max_size=10) | documents
content_types = st.sampled_from(["ContentString", "contentLIST", "ContentObject", "Other", None])


def objects_of(values):
    return st.fixed_dictionaries({}, optional={"properties": st.lists(values, max_size=3)})


near_values = st.recursive(
    st.fixed_dictionaries(
        {"developerName": texts}, optional={"contentType": content_types, "contentValue": texts}
    ),
    lambda inner: st.fixed_dictionaries(
        {"developerName": st.text(min_size=1, max_size=5)},
        optional={
            "contentType": content_types,
            "objectData": st.none() | st.lists(objects_of(inner), max_size=3) | documents,
        },
    ),
    max_leaves=10,
)
near_requests = st.fixed_dictionaries(
    {name: st.just(right) | texts for name, right in NEEDED.items()},
    optional={
        "inputs": st.lists(near_values, max_size=3) | documents,
        "configurationValues": st.lists(near_values, max_size=3) | documents,
        "outcomes": st.lists(documents, max_size=3) | documents,
        "stateId": texts,
        "executionMode": texts,
        "culture": documents,
        "authorization": documents,
    },
)


def read_or_refused(body: bytes) -> None:
    try:
        request = ServiceRequest.read(parse_json(body))
    except RequestRefused as error:
        refused = error
    else:
        assert isinstance(request.token, str)
        assert isinstance(request.state_id, str)
        assert isinstance(request.inputs, list)
        return
    assert refused.status == 400
    assert 0 < len(str(refused)) <= 500


@given(documents)
@settings(deadline=None)
def test_any_json_document_is_read_or_refused(document):
    read_or_refused(orjson.dumps(document))


@given(near_requests)
@settings(deadline=None)
def test_any_request_is_read_or_refused(document):
    read_or_refused(orjson.dumps(document))


@given(st.binary(max_size=100))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused(body):
    read_or_refused(body)
