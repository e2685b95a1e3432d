"""Text of any value: it always exists, and UTF-8 can always carry it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.text import encodable, full_name, simple_name, text_of

ANY_TEXT = st.text(st.characters(exclude_categories=()))


class Shown:
    """A value whose `__str__` does what it is given."""

    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text()


def odd(characters):
    """A text whose methods raise."""

    class Odd(str):
        __slots__ = ()

        def __str__(self):
            raise ValueError

        isascii = encode = __str__

    return Odd(characters)


def raises(error):
    def text():
        raise error

    return Shown(text)


@given(ANY_TEXT)
def test_encodable_text_can_be_encoded_and_keeps_what_could_be_before(text):
    shown = encodable(text)
    assert encodable(shown) == shown
    shown.encode()
    try:
        text.encode()
    except UnicodeEncodeError:
        assert "\\ud" in shown
    else:
        assert shown == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("caf\udce9.txt", r"caf\udce9.txt"),
        (b"caf\xe9", r"caf\xe9"),
        (bytearray(b"plain"), "plain"),
        (404, "404"),
        (None, "None"),
        (odd("ä\udce9"), r"ä\udce9"),
        (Shown(lambda: "a\udcff"), r"a\udcff"),
        (Shown(lambda: odd("a")), "a"),
        (Shown(lambda: 5), "(no text: TypeError)"),
        (raises(ValueError("no")), "(no text: ValueError)"),
        (raises(SystemExit(1)), "(no text: SystemExit)"),
        (raises(KeyboardInterrupt()), "(no text: KeyboardInterrupt)"),
    ],
    ids=lambda value: type(value).__name__,  # pytest would call the methods of a text
)
def test_any_value_has_a_text(value, text):
    shown = text_of(value)
    assert (shown, type(shown)) == (text, str)


def test_any_class_has_a_name():
    class Nameless(type):
        @property
        def __name__(cls):
            raise ValueError

    Named = Nameless("Named", (), {"__module__": 5, "__qualname__": "a.Named\udcff"})
    assert simple_name(Named) == "Named"
    assert full_name(Named) == r"5.a.Named\udcff"
    assert full_name(ValueError) == "builtins.ValueError"
