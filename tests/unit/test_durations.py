"""Durations in text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom.durations import duration

UNITS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (0.0123, "12 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (2.25, "2.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (90, "1 min 30 s"),
        (600, "10 min"),
        (3599.6, "1 h"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (86399, "1 d"),
        (1_209_600, "14 d"),
        (1_213_200, "14 d 1 h"),
        (31_536_000, "365 d"),
    ],
)
def test_a_duration_is_written_for_people(seconds, text):
    assert duration(seconds) == text


@given(st.floats(0.001, 1e10, allow_nan=False))
def test_a_duration_has_two_units_at_most_and_is_nearly_exact(seconds):
    text = duration(seconds)
    parts = re.findall(r"(\d+(?:\.\d)?) (ms|s|min|h|d)", text)
    assert " ".join(" ".join(part) for part in parts) == text
    assert len(parts) in (1, 2)
    read = sum(float(number) * UNITS[unit] for number, unit in parts)
    assert abs(read - seconds) <= 0.06 * seconds + 0.0006


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_a_longer_duration_is_never_written_as_a_shorter_one(one, other):
    def read(text):
        parts = re.findall(r"([\d.]+) (ms|s|min|h|d)", text)
        return sum(float(number) * UNITS[unit] for number, unit in parts)

    shorter, longer = sorted((one, other))
    assert read(duration(shorter)) <= read(duration(longer)) + 1e-9
