"""A place in the history, as whoever pages hands it back."""

import pytest

from atom.history import Place


@pytest.mark.parametrize("text", ["0-x", "1700000000000-0b0e-11", "99999999999999-x\ny"])
def test_what_was_written_is_read(text):
    place = Place.read(text)
    assert str(place) == text
    assert place.moment.year >= 1970


@pytest.mark.parametrize(
    "text", ["", "x", "-x", "12", "12-", "1.5-x", "-1-x", "\u0661-x", "9" * 5000 + "-x"]
)
def test_anything_else_is_as_if_nothing_was_said(text):
    assert Place.read(text) is None
