"""What happened to one execution and when, as a picture and as a list: pure functions.

The picture is a row for each kind of thing, over a scale that is linear while something happens. A
long time in which nothing does (it waited for a person, or for its next try) is cut short, or else
one second of work before three days of waiting would be no more than a line.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from atom.console.showing import clock, cut, span
from atom.entries import EntryKey
from atom.execution import entry_view
from atom.records import (
    PROGRESS,
    Execution,
    LogLine,
    RecordedStep,
    Run,
    RunEnd,
    State,
    StepKind,
)

WIDTH: Final = 1000.0  # of the scale, in units of the picture
_THINNEST: Final = 3.0
_GAP_WIDTH: Final = 60.0
# A pause is cut short where it is longer than all of the rest together, so many times over.
_CUT_ABOVE: Final = 3.0
_MOST_STEPS: Final = 30
_MOST_MARKS: Final = 200
_LONGEST_LABEL: Final = 28
# Characters of the outcomes that a page has beside the short ones: of one, and of all.
_LONGEST_WHOLE: Final = 20_000
_MOST_WHOLE: Final = 200_000


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, from one moment to another, which may be the same."""

    kind: str  # waited, run, step, progress, callback, cleanup
    name: str
    begins: datetime
    ends: datetime
    verdict: str = ""  # how it ended; the name of a state, or of its kind
    detail: str = ""
    execution_id: str = ""  # of another execution, which has a page of its own
    key: EntryKey | None = None  # of a recorded entry
    whole: str = ""  # the outcome of a recorded entry whose detail is cut

    @property
    def took(self) -> str:
        """How long it took; empty for what takes no time."""
        return span(self.ends - self.begins) if self.ends > self.begins else ""

    @property
    def described(self) -> str:
        """All of it in one line."""
        parts = (self.name, self.detail, self.verdict.replace("_", " "), self.took)
        return f"{clock(self.begins)} {', '.join(filter(None, parts))}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing as it is drawn."""

    x: float
    width: float
    what: Happening


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the picture."""

    label: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the scale: how long after the beginning, or a pause that was cut short."""

    x: float
    label: str
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture, and everything in it as a list."""

    rows: Sequence[Row]
    marks: Sequence[Mark]
    happenings: Sequence[Happening]  # in the order of time
    left_out: int  # steps that are in the list only


def timeline(
    execution: Execution,
    log: Iterable[LogLine],
    now: datetime,
    cleanups: Sequence[Execution] = (),
) -> Timeline:
    """Draw an execution up to now.

    Args:
        execution: with its attempts, steps and callback tries.
        log: its own log, for the progress that it told.
        now: where what still goes on is drawn to.
        cleanups: the cleanups of its ends.
    """
    happenings = [*_happenings(execution, log, now), *_cleanups(cleanups, now)]
    scale = _Scale(happenings)
    steps = [each for each in happenings if each.kind == "step"]
    lines = [
        ("waited", [each for each in happenings if each.kind == "waited"]),
        ("attempts", [each for each in happenings if each.kind == "run"]),
        *((_short(each.name), [each]) for each in steps[:_MOST_STEPS]),
        ("progress", [each for each in happenings if each.kind == "progress"][:_MOST_MARKS]),
        ("callbacks", [each for each in happenings if each.kind == "callback"][:_MOST_MARKS]),
        ("cleanup", [each for each in happenings if each.kind == "cleanup"][:_MOST_MARKS]),
    ]
    return Timeline(
        rows=[Row(label, [scale.bar(each) for each in bars]) for label, bars in lines if bars],
        marks=scale.marks(),
        happenings=sorted(happenings, key=lambda each: (each.begins, each.ends)),
        left_out=max(len(steps) - _MOST_STEPS, 0),
    )


def _happenings(execution: Execution, log: Iterable[LogLine], now: datetime) -> Iterator[Happening]:
    waited_until = execution.started_at or execution.finished_at or now
    yield Happening("waited", "Accepted", execution.accepted_at, waited_until, detail="waited")
    for number, run in _numbered(execution):
        name, how = f"Attempt {number}", run.end or State.RUNNING
        yield Happening("run", name, run.started_at, run.ended_at or now, how, run.worker)
    yield from _steps(execution.steps)
    for line in log:
        if line.level == PROGRESS:
            yield Happening("progress", line.message, line.at, line.at)
    for attempt in execution.callback_attempts:
        began_at = attempt.at - timedelta(milliseconds=attempt.milliseconds)
        name = f"Callback ({attempt.kind})"
        is_taken = attempt.status is not None and attempt.status < 300
        verdict = "answered" if is_taken else "refused"
        yield Happening("callback", name, began_at, attempt.at, verdict, attempt.summary)


def _steps(steps: Iterable[RecordedStep]) -> Iterator[Happening]:
    """Yield the recorded entries; their whole outcomes share the characters of a page."""
    left = _MOST_WHOLE
    for step in steps:
        if step.ended_at is None:
            continue
        began_at = step.ended_at - timedelta(milliseconds=step.milliseconds or 0)
        verdict = "" if step.kind is StepKind.RESULT else step.kind.value
        name, detail, whole = entry_view.label(step), entry_view.text(step), ""
        if len(detail) >= entry_view.LONGEST_TEXT:
            text = entry_view.text(step, longest=None)
            if text != detail:
                whole = cut(text, min(left, _LONGEST_WHOLE))
                left = max(0, left - len(whole))
        key = EntryKey(step.name, step.occurrence)
        ends = step.ended_at
        yield Happening("step", name, began_at, ends, verdict, detail, key=key, whole=whole)


def _cleanups(cleanups: Sequence[Execution], now: datetime) -> Iterator[Happening]:
    """Yield what happened to the cleanups; their steps are on pages of their own."""
    for cleanup in cleanups:
        begins = cleanup.started_at or cleanup.accepted_at
        ends = cleanup.finished_at or now
        detail = cleanup.error or ""
        yield Happening("cleanup", "Cleanup", begins, ends, cleanup.state, detail, cleanup.id)


def _numbered(execution: Execution) -> Sequence[tuple[int, Run]]:
    """Its runs with the numbers of their attempts: what follows a suspension is no new one."""
    numbered: list[tuple[int, Run]] = []
    number = execution.attempts + 1
    for run in reversed(execution.runs):
        if not numbered or run.end is not RunEnd.SUSPENDED:
            number -= 1
        numbered.append((number, run))
    return numbered[::-1]


class _Scale:
    """From moments to places: piecewise linear, with the long pauses cut short."""

    def __init__(self, happenings: Sequence[Happening]) -> None:
        self._busy = list(_merged(happenings))
        total = sum(((end - begin) for begin, end in self._busy), timedelta())
        longest = max(total.total_seconds() * _CUT_ABOVE, 1.0)
        self._cuts = [
            (end, begin)
            for (_, end), (begin, _) in pairwise(self._busy)
            if (begin - end).total_seconds() > longest
        ]
        self._begins, self._ends = self._busy[0][0], self._busy[-1][1]
        shown = self._shown_seconds(self._ends)
        self._per_second = (WIDTH - _GAP_WIDTH * len(self._cuts)) / (shown or 1.0)

    def x(self, moment: datetime) -> float:
        """Where a moment is."""
        past = [cut for cut in self._cuts if cut[1] <= moment]
        return self._shown_seconds(moment) * self._per_second + _GAP_WIDTH * len(past)

    def bar(self, what: Happening) -> Bar:
        """Where something is, wide enough to be seen."""
        x = self.x(what.begins)
        width = max(self.x(what.ends) - x, _THINNEST)
        return Bar(round(min(x, WIDTH - _THINNEST), 1), round(width, 1), what)

    def marks(self) -> Sequence[Mark]:
        """The beginning, the end, three between them, and what was cut short."""
        cut = [
            Mark(round(self.x(end) + _GAP_WIDTH / 2, 1), span(begin - end), is_cut=True)
            for end, begin in self._cuts
        ]
        if cut:
            whole = span(self._ends - self._begins)
            return [Mark(0.0, "0"), *cut, Mark(WIDTH, whole)]
        length = self._ends - self._begins
        later = [Mark(WIDTH * part / 4, span(length * part / 4)) for part in range(1, 5)]
        return [Mark(0.0, "0"), *later]

    def _shown_seconds(self, moment: datetime) -> float:
        cut = sum(
            (min(begin, moment) - end for end, begin in self._cuts if end < moment), timedelta()
        )
        return (moment - self._begins - cut).total_seconds()


def _merged(happenings: Sequence[Happening]) -> Iterator[tuple[datetime, datetime]]:
    """When anything happened at all."""
    moments = sorted((each.begins, each.ends) for each in happenings)
    begin, end = moments[0]
    for begins, ends in moments[1:]:
        if begins > end:
            yield begin, end
            begin = begins
        end = max(end, ends)
    yield begin, end


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
