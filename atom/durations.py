"""Durations in text."""

from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def duration(seconds: float) -> str:
    """Return a duration in at most two units, such as `250 ms`, `2.5 s`, `1 min 30 s` or `14 d`.

    A negative one, which clocks that differ can produce, is shown as `0 s`.
    """
    if seconds <= 0:
        return "0 s"
    if (milliseconds := round(seconds * 1000)) < 1000:
        return f"{milliseconds} ms"
    if (tenths := round(seconds, 1)) < _MINUTE:
        return f"{tenths:g} s"
    if (whole := round(seconds)) < _HOUR:
        return _of_two_units(whole, "min", "s")
    if (minutes := round(seconds / _MINUTE)) < _DAY // _MINUTE:
        return _of_two_units(minutes, "h", "min")
    return _of_two_units(round(seconds / _HOUR), "d", "h", 24)


def _of_two_units(count: int, larger: str, smaller: str, ratio: int = 60) -> str:
    """Return a count of the smaller unit; without it if nothing is left over."""
    many, rest = divmod(count, ratio)
    return f"{many} {larger} {rest} {smaller}" if rest else f"{many} {larger}"
