"""What is masked in wire documents, whatever they hold."""

import json
import re
import subprocess
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.errors import Fault, Faults
from atom.execution.failures import described, plain_faults, reason_of
from atom.redaction import MASK, hiding, masked, redacted, secrets_in, secrets_of, without

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


# --- secrets of any length, in documents and in texts

SECRETS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=MASK), min_size=1, max_size=6
).filter(str.strip)
PINS = st.one_of(SECRETS, st.from_regex(r"[0-9]{1,6}", fullmatch=True))
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


def as_word(secret):
    """A pattern of a secret with neither a letter nor a digit beside it."""
    return re.compile(rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])")


def is_hidden(secret, text):
    return not as_word(secret).search(text) and (len(secret) < 4 or secret not in text)


@given(PINS, st.integers(0, 60), st.sampled_from(["ContentPassword", "contentencrypted"]))
def test_declared_secret_of_any_length_is_masked_by_its_place(secret, levels, kind):
    entry = {"developerName": "Pin", "contentType": kind, "contentValue": secret}
    hidden = {**entry, "contentValue": MASK}
    assert masked(nested(entry, levels)) == nested(hidden, levels)
    assert list(secrets_in(nested({"properties": [entry], "pin": 1}, levels))) == [secret]
    plain = {"developerName": "CVV", "contentType": "ContentString", "contentValue": secret}
    assert masked([plain], {"CVV"}) == [{**plain, "contentValue": MASK}]


@given(
    PINS, st.lists(WORDS, min_size=1, max_size=5), st.sampled_from([" ", "'", ", ", "\n", "=", "_"])
)
def test_secret_of_any_length_is_masked_as_a_word(secret, words, separator):
    text = separator.join(part for word in words for part in (word, secret, word))
    with hiding([secret]):
        assert is_hidden(secret, redacted(text))
        for written in (repr([text]), json.dumps([text]), json.dumps([secret, text])):
            assert is_hidden(secret, redacted(written)) or secret in repr(separator)
    assert redacted(text) == text


@given(PINS, WORDS)
def test_text_without_a_secret_stays_as_it_is(secret, text):
    with hiding([secret]):
        changed = redacted(text)
    forms = (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1])
    assert changed == text or any(form in text for form in forms)


@given(PINS, WORDS)
def test_secret_of_any_length_is_in_no_fault(secret, text):
    message = f"{text} {secret} is wrong"
    with hiding([secret]):
        faults = plain_faults(
            Faults(Fault(message, name=f"no-{secret}", entry=secret), Fault(repr({"pin": secret})))
        )
        texts = [reason_of(ValueError(message)), described(KeyError(secret))]
    for fault in faults:
        texts += [fault.message, fault.name, fault.entry or ""]
    for shown in texts:
        assert is_hidden(secret, shown), shown


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("12", "PIN 12, 123 and 312, 1.12", f"PIN {MASK}, 123 and 312, 1.{MASK}"),
        ("12", "pin_12 PIN\n12", f"pin_{MASK} PIN\n{MASK}"),
        ("12", r"'PIN\n12' \x12", rf"'PIN\n{MASK}' \x12"),
        ("a", "a cat and a hat", f"{MASK} cat and {MASK} hat"),
        ("é", "é été", f"{MASK} été"),
        (".", "end. a . b", f"end. a {MASK} b"),
        ("", "nothing is masked", "nothing is masked"),
        (" ", "nothing is masked", "nothing is masked"),
        ("••", "a •• b", "a •• b"),
        ("1234", "x1234x", f"x{MASK}x"),
    ],
)
def test_short_secrets_are_masked_as_words_and_long_ones_anywhere(secret, text, shown):
    with hiding([secret]):
        assert redacted(text) == shown
    assert without(text, [secret]) == shown


def test_secret_stays_hidden_until_the_last_attempt_that_has_it_ends():
    with hiding(["12", "canary"]):
        with hiding(["12", "canary"]):
            pass
        assert redacted("12 canary") == f"{MASK} {MASK}"
    assert redacted("12 canary") == "12 canary"


FORKING = """
import os, signal, threading, time
from atom import redaction

held = threading.Event()

def hold():
    with redaction._lock:
        held.set()
        time.sleep(0.2)

threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(60)
    with redaction.hiding(["secret"]):
        os._exit(redaction.redacted("a secret") != f"a {redaction.MASK}")
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_forked_process_masks_although_another_thread_was_masking():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING], check=True)
