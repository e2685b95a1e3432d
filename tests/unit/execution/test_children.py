"""The digest of requested children: the same for equal input, another one for any other input."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom import FlowService
from atom.catalog import Catalog
from atom.execution.children import call_of, items_digest
from atom.records import Claim
from tests.support.structures import Tree
from tests.unit.execution.test_recorded_values import documents as json_values

nest = FlowService("Nest", summary="Processes with structures", version="1")


@nest.message_action("Echo", request=Tree, response=Tree)
def echo(request, execution):
    return request


CATALOG = Catalog([nest])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
numbers = st.integers(-(2**70), 2**70) | st.decimals(-1000, 1000, places=3)
leaves = {
    "text": texts,
    "number": numbers,
    "is_set": st.booleans(),
    "time": st.datetimes(timezones=st.just(UTC)),
    "password": texts,
    "content": texts,
    "encrypted": texts,
}


def structures(**optional):
    return st.fixed_dictionaries({}, optional={**leaves, **optional})


branches = structures(leaf=structures(), leaves=st.lists(structures(), max_size=3))
trees = structures(branch=branches, branches=st.lists(branches, max_size=3))


def claim_with(**changes):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    values = {
        "id": "00000000-0000-4000-8000-000000000000",
        "fence": 1,
        "attempt": 1,
        "losses": 0,
        "tries": 0,
        "service": "Nest",
        "action": "Echo",
        "tenant_id": "tenant",
        "state_id": "state",
        "token": "",
        "authorization": None,
        "queue": "processes",
        "trace": "",
        "request": b'{"token":"t","inputs":[],"tenantId":"tenant","callbackUri":"https://flow"}',
        "accepted_at": now,
        "claimed_at": now,
        "deadline": now,
        "wait": None,
    }
    return Claim(**{**values, **changes})


def call_digest(document):
    return call_of(CATALOG.process_of(echo), document, claim_with()).digest


map_digest = items_digest


def reversed_keys(value):
    """Return an equal value whose dicts have the opposite order."""
    if isinstance(value, dict):
        return {key: reversed_keys(part) for key, part in reversed(value.items())}
    return [reversed_keys(part) for part in value] if isinstance(value, list) else value


def ordered_repr(value):
    """Return a text that shows types, and is equal for dicts of another order."""
    if isinstance(value, dict):
        return repr([(key, ordered_repr(value[key])) for key in sorted(value)])
    return repr([ordered_repr(part) for part in value]) if isinstance(value, list) else repr(value)


def as_received(document):
    """Return a document as the child receives it, as text that shows types."""
    process = CATALOG.process_of(echo)
    return repr(process.load(process.write_inputs(document)))


@given(trees)
def test_call_digest_equal_documents_have_one_digest(document):
    assert call_digest(document) == call_digest(reversed_keys(document))


@given(trees, trees)
def test_call_digest_differs_if_the_child_receives_something_else(one, another):
    # repr masks what is secret: two documents that differ there alone have a test of their own.
    if as_received(one) != as_received(another):
        assert call_digest(one) != call_digest(another)


@given(trees, st.sampled_from(["password", "encrypted"]), texts)
def test_call_digest_differs_by_secret(document, name, secret):
    changed = {**document, "branches": [{"leaf": {name: secret}}]}
    longer = {**document, "branches": [{"leaf": {name: secret + "x"}}]}
    assert call_digest(changed) != call_digest(longer)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ({"text": "a"}, {"text": "b"}),
        ({"text": "a"}, {"content": "a"}),
        ({"branch": {"leaf": {"text": "a"}}}, {"branch": {"leaves": [{"text": "a"}]}}),
        (
            {"branches": [{"text": "a"}, {"text": "b"}]},
            {"branches": [{"text": "b"}, {"text": "a"}]},
        ),
        ({"branches": [{"text": "a"}]}, {"branches": [{"text": "a"}, {}]}),
        ({"branch": {"leaf": {"number": 2**64}}}, {"branch": {"leaf": {"number": 2**64 + 1}}}),
        ({"branch": {}}, {}),
    ],
)
def test_call_digest_tells_similar_documents_apart(one, another):
    assert call_digest(one) != call_digest(another)


@given(st.lists(json_values, max_size=4))
def test_map_digest_equal_items_have_one_digest(items):
    assert map_digest(items) == map_digest(reversed_keys(items))


@given(st.lists(json_values, max_size=4), st.lists(json_values, max_size=4))
def test_map_digest_differs_by_items(one, another):
    if ordered_repr(one) != ordered_repr(another):
        assert map_digest(one) != map_digest(another)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ([1, 2], [2, 1]),
        ([[1], [2]], [[1, 2]]),
        ([1], ["1"]),
        ([True], [1]),
        ([None], []),
        ([Decimal("1.5")], [1.5]),
        ([datetime(2026, 1, 1, tzinfo=UTC)], ["2026-01-01T00:00:00+00:00"]),
        ([{"a": {"b": {"c": 1}}}], [{"a": {"b": {"c": 2}}}]),
    ],
)
def test_map_digest_tells_similar_items_apart(one, another):
    assert map_digest(one) != map_digest(another)


PROGRAM = """
import orjson, sys
from tests.unit.execution.test_children import call_digest, map_digest
words = set("alpha beta gamma delta epsilon zeta".split())
leaf = {"text": "x", "number": 7, "password": "p", "time": None}
document = {"branches": [{"leaves": [leaf, leaf], "leaf": leaf}], "text": "t"}
items = [{word: {word: len(word) for word in words} for word in words}]
sys.stdout.buffer.write(orjson.dumps([call_digest(document), map_digest(items)]))
"""


def test_digests_are_the_same_in_another_process():
    """Sets are iterated in another order there, as after a restart of a worker."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (output,) = digests
    assert len(set(orjson.loads(output))) == 2
