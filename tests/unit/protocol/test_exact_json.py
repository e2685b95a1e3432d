"""JSON documents whose integers keep all their digits."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom import testing
from atom.errors import MalformedRequest
from atom.protocol.exact_json import normal_json, parse_exactly

LARGE = 123456789012345678901234567890
documents = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(min_value=-(10**300), max_value=10**300),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab$", max_size=3), inner),
)


@given(documents)
def test_document_is_read_back_as_it_was_sent(document):
    sent = json.dumps(document, indent=1).encode()
    read = parse_exactly(normal_json(sent))
    assert json.dumps(read) == json.dumps(document)


@pytest.mark.parametrize(
    "body", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"[1e999]", b"9" * 5000, b'{"a": ']
)
def test_document_without_an_exact_meaning_is_refused(body):
    with pytest.raises(MalformedRequest, match="not valid JSON"):
        normal_json(body)


@pytest.mark.parametrize("body", [b"[" * 400 + b"]" * 400, b"[" * 300 + b"9" * 30 + b"]" * 300])
def test_document_that_nests_too_deeply_is_refused(body):
    with pytest.raises(MalformedRequest, match="nests deeper than"):
        normal_json(body)


def event_of(value):
    journal = testing.MemoryJournal()
    journal.signals["approval"] = value
    return testing.execution(journal).signal("approval")


def test_event_of_a_signal_keeps_its_digits():
    assert event_of({"iban": LARGE}) == {"iban": LARGE}


def test_event_that_json_cannot_carry_is_refused_in_a_test():
    with pytest.raises(MalformedRequest):
        event_of(float("nan"))
