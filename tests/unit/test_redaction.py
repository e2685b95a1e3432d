"""What is masked in wire documents, whatever they hold."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.redaction import MASK, masked, secrets_in, secrets_of

PASSWORD = {"developerName": "Pin", "contentType": "ContentPassword", "contentValue": "1234"}


def nested(document, levels):
    for _ in range(levels):
        document = [document]
    return document


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        ({"token": "t", "tenantId": "x"}, {"token": MASK, "tenantId": "x"}),
        ({"Authorization": "Bearer x"}, {"Authorization": MASK}),
        ({"authorization": {"users": []}}, {"authorization": {"users": []}}),
        (PASSWORD, {**PASSWORD, "contentValue": MASK}),
        ({**PASSWORD, "contentValue": None}, {**PASSWORD, "contentValue": None}),
        ({"columnName": "Key", "value": "x"}, {"columnName": "Key", "value": MASK}),
        ({"developerName": "Other", "contentValue": "x"},) * 2,
        ({"developerName": ["Key"], "contentValue": "x"},) * 2,
        ({"developerName": {}, "contentType": []},) * 2,
    ],
)
def test_what_is_masked(document, shown):
    assert masked([document], {"Key"}) == [shown]
    hidden = [each for each in document.values() if isinstance(each, str)]
    kept = [each for each in shown.values() if isinstance(each, str)]
    assert list(secrets_in([document], {"Key"})) == [each for each in hidden if each not in kept]


def test_an_object_in_the_deepest_place_a_request_may_have_it_is_masked():
    document = nested({"objectData": [{"properties": [PASSWORD]}]}, 80)
    assert "1234" not in str(masked(document))
    assert list(secrets_in(document)) == ["1234"]


def test_however_deep_a_document_is_it_is_copied():
    document = orjson.loads(b'{"culture":' + b"[" * 1000 + b"]" * 1000 + b"}")
    assert MASK in str(masked(document))
    assert list(secrets_in(document)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["developerName", "contentType", "contentValue", "token"]) | st.text(),
            inner,
        )
    ),
)


@given(JSON)
def test_any_json_can_be_masked(document):
    list(secrets_in(document, {"Key"}))
    assert type(masked(document, {"Key"})) is type(document)


_TOP = {"token": "top-token", "authorization": {"type": "PUBLIC"}, "inputs": []}


@pytest.mark.parametrize(
    "document",
    [
        {},
        _TOP,
        {"authorization": "a text"},
        {"inputs": [{"developerName": "token", "contentValue": "no secret"}]},
        {**_TOP, "inputs": [{"contentType": "CONTENTpassword", "contentValue": "its secret"}]},
        {**_TOP, "annotations": {"Token": "one more", "x": "token"}},
        {"annotations": {"token": "not on top"}},
        {"inputs": [{"developerName": "Pin", "contentValue": "named"}]},
    ],
    ids=str,
)
@pytest.mark.parametrize("names", [(), ("Pin",)])
def test_a_look_at_the_bytes_finds_what_a_walk_finds(document: Any, names: tuple[str, ...]):
    found = secrets_of(document, orjson.dumps(document), names)
    assert sorted(found) == sorted(secrets_in(document, names))
