"""The shapes of the overview's picture: pure functions, drawn by a template as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from atom.history import Minute
from atom.records import State

WIDTH: Final = 960.0
HEIGHT: Final = 160.0
# From the bottom of a bar to its top: the good at the ground, what is bad above it.
STACKED: Final = (
    *(State.COMPLETED, State.FAULTED, State.CANCELLED),
    *(State.TIMED_OUT, State.FAILED),
)
_GAP: Final = 2.0


@dataclass(frozen=True, slots=True)
class Segment:
    """How many ended in one state in one minute, as a part of its bar."""

    state: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Executions by the minute in which they ended, and a line of those accepted."""

    segments: Sequence[Segment]
    accepted: str  # the points of the line
    highest: int  # what the top of the picture stands for
    begins: datetime
    ends: datetime
    totals: dict[str, int]  # of the whole time: `accepted`, and each state that there was


def chart(minutes: Sequence[Minute]) -> Chart:
    """Draw at least one minute, oldest first."""
    ended = [sum(each.counts.get(state, 0) for state in STACKED) for each in minutes]
    accepted = [each.counts.get("accepted", 0) for each in minutes]
    highest = _round_up(max(*ended, *accepted, 1))
    slot = WIDTH / len(minutes)
    segments = []
    for number, minute in enumerate(minutes):
        top = HEIGHT
        for state in STACKED:
            count = minute.counts.get(state, 0)
            if count:
                height = count / highest * HEIGHT
                top -= height
                x, width = number * slot + _GAP / 2, slot - _GAP
                segments.append(
                    Segment(state, count, *(round(each, 1) for each in (x, top, width, height)))
                )
    points = [
        f"{(number + 0.5) * slot:.1f},{HEIGHT - count / highest * HEIGHT:.1f}"
        for number, count in enumerate(accepted)
    ]
    names = ("accepted", *STACKED)
    totals = {name: sum(each.counts.get(name, 0) for each in minutes) for name in names}
    return Chart(
        segments,
        " ".join(points),
        highest,
        minutes[0].at,
        minutes[-1].at,
        {str(name): count for name, count in totals.items() if count},
    )


def _round_up(count: int) -> int:
    """The next number that people read easily: 1, 2 or 5 and zeros."""
    size = 1
    while True:
        for digit in (1, 2, 5):
            if count <= digit * size:
                return digit * size
        size *= 10
