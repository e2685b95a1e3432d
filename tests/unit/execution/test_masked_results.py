"""Results of entries as people see them: no known secret is in any of them."""

from collections.abc import Mapping
from dataclasses import replace

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from atom.entries import EntryKind
from atom.execution import entry_view
from atom.execution.masked_results import masked_encoding, masked_result
from atom.execution.recorded_values import encode
from atom.records import RecordedStep, Step, StepKind
from atom.redaction import MASK, Secret, hiding

# Letters and digits, and what JSON and Python write in another way.
SECRETS = st.text('ab12"\\/\n\té€😀', min_size=4, max_size=12)


def values_with(secret):
    """Return values of a process in which the secret stands in many places."""
    texts = st.sampled_from([secret, f"is {secret}", f"{secret}{secret}"]) | st.text(max_size=5)
    leaves = st.none() | st.booleans() | st.integers() | texts | texts.map(Secret)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    )


def leaves_of(value):
    """Yield the texts of a JSON value: its keys, its texts and its numbers."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from leaves_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves_of(inner)
    else:
        yield str(value)


def shown(step, names=()):
    """Return a step as the history shows it, recorded by the attempt that knows the secrets."""
    masked = masked_result(step, names)
    result = step.result if masked is None else masked
    return RecordedStep(step.name, step.kind, entry=step.entry, result=result, giver=step.giver)


def step_of(entry, value):
    step = Step("s", encode(value), entry=entry, masked_result=masked_encoding(value))
    if entry is EntryKind.SIGNAL:
        return replace(step, result=encode(encode(value)), masked_result=None)
    if entry in (EntryKind.MAP, EntryKind.CALL):
        result = encode([[StepKind.RESULT.value, encode(value)]])
        return replace(step, result=result, masked_result=None)
    return step


@given(SECRETS.flatmap(lambda secret: st.tuples(st.just(secret), values_with(secret))))
@example(("1234", [1234, {"1234": "1234"}]))
@example(('a"b\n', {"x": 'a"b\n'}))
def test_no_secret_is_in_a_shown_document(secret_and_value):
    secret, value = secret_and_value
    for entry in (EntryKind.STEP, EntryKind.SIGNAL, EntryKind.MAP, EntryKind.CALL):
        with hiding([secret]):
            recorded = shown(step_of(entry, value))
        document = entry_view.document(recorded)
        assert not [leaf for leaf in leaves_of(document["result"]) if secret in leaf]
        assert secret not in entry_view.text(recorded)


@given(values_with("x"))
def test_result_without_secrets_is_shown_as_it_is(value):
    step = Step("s", encode(value), masked_result=masked_encoding(value))
    if step.masked_result is None and "token" not in step.result:
        assert masked_result(step, ()) is None


def test_secret_text_of_a_profile_is_masked_although_nobody_knows_it():
    step = step_of(EntryKind.STEP, {"key": Secret("canary"), "more": [Secret("canary"), 1]})
    assert entry_view.outcome(shown(step)) == {"key": MASK, "more": [MASK, 1]}


def test_secret_entries_are_masked_by_name_and_type():
    typed = {"developerName": "X", "contentType": "ContentPassword", "contentValue": "canary"}
    value = {"Pin": "canary", "token": "canary", "typed": [typed], "n": 1}
    result = entry_view.outcome(shown(step_of(EntryKind.STEP, value), {"Pin"}))
    assert "canary" not in str(result)
    assert result["n"] == 1


def test_failures_keep_their_reason():
    content = orjson.dumps({"kinds": ["builtins.ValueError"], "reason": "no"}).decode()
    step = Step("s", content, StepKind.FAILURE, entry=EntryKind.MAP)
    assert entry_view.text(shown(step)) == "ValueError: no"
