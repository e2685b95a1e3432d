"""What is drawn of an execution, from what is known of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from atom.console.timeline import WIDTH, timeline
from atom.records import (
    PROGRESS,
    Attempt,
    CallbackState,
    Ending,
    Execution,
    LogLine,
    RecordedStep,
    Run,
    RunEnd,
    State,
    StepKind,
)

START = datetime(2026, 1, 31, 8, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


EXECUTION = Execution(
    id="an-id",
    service="CRM",
    action="Retrieve",
    tenant_id="t",
    flow_state_id="s",
    state=State.COMPLETED,
    attempts=2,
    losses=1,
    tries=0,
    worker="b:2",
    version="1",
    queue="processes",
    trace=None,
    accepted_at=START,
    latest_start_at=None,
    started_at=at(1),
    finished_at=at(8),
    deadline=at(60),
    progress=None,
    error=None,
    callback_uri="https://flow.boomi.com/x",
    callback_state=CallbackState.DELIVERED,
    callback_due_at=None,
    delivered_at=at(9),
    runs=(Run(at(1), at(3), "a:1", RunEnd.LOST), Run(at(4), at(8), "b:2", RunEnd.COMPLETED)),
    steps=(
        RecordedStep("ask", StepKind.RESULT, at(2), 1000),
        RecordedStep("tell", StepKind.FAULT, at(6), 1500),
    ),
    callback_attempts=(
        Attempt(at=at(9), kind="outcome", status=200, answer="SUCCESS", milliseconds=500),
    ),
)
LOG = [LogLine(at(5), PROGRESS, "half of it", 2), LogLine(at(5), "INFO", "a line", 2)]


def places(drawn, label):
    (row,) = [row for row in drawn.rows if row.label == label]
    return [(round(bar.x / WIDTH * 9, 2), round(bar.width / WIDTH * 9, 2)) for bar in row.bars]


def test_everything_has_its_row_and_its_place():
    drawn = timeline(EXECUTION, LOG, at(100))
    assert [row.label for row in drawn.rows] == [
        *("waited", "attempts", "ask", "tell", "progress", "callbacks")
    ]
    # The whole of it is 9 s long.
    assert places(drawn, "waited") == [(0, 1)]
    assert places(drawn, "attempts") == [(1, 2), (4, 4)]
    assert places(drawn, "ask") == [(1, 1)]
    assert places(drawn, "tell") == [(4.5, 1.5)]
    assert places(drawn, "progress") == [(5, 0.03)]
    assert places(drawn, "callbacks") == [(8.5, 0.5)]
    assert [mark.label for mark in drawn.marks] == ["0", "2.2 s", "4.5 s", "6.8 s", "9 s"]


def test_the_list_says_the_same_in_the_order_of_time():
    listed = [
        (each.name, each.verdict, each.took)
        for each in timeline(EXECUTION, LOG, at(100)).happenings
    ]
    assert listed == [
        ("Accepted", "", "1 s"),
        ("ask", "", "1 s"),
        ("Attempt 1", "lost", "2 s"),
        ("Attempt 2", "completed", "4 s"),
        ("tell", "fault", "1.5 s"),
        ("half of it", "", ""),
        ("Callback (outcome)", "answered", "500 ms"),
    ]


def test_what_still_goes_on_grows():
    running = replace(
        EXECUTION, finished_at=None, runs=(Run(at(1), None, "a:1", None),), attempts=1
    )
    short, long = (timeline(running, [], at(now)).happenings for now in (10, 20))
    assert [each.took for each in short if each.kind == "run"] == ["9 s"]
    assert [each.took for each in long if each.kind == "run"] == ["19 s"]
    waiting = replace(running, started_at=None, runs=(), steps=(), callback_attempts=(), attempts=0)
    (only,) = timeline(waiting, [], at(30)).happenings
    assert (only.name, only.took) == ("Accepted", "30 s")


@pytest.mark.parametrize("seconds", [0, 0.01, 864_000])
def test_nothing_leaves_the_picture_however_long_it_is(seconds):
    length = EXECUTION.runs[1].started_at + timedelta(seconds=seconds)
    drawn = timeline(replace(EXECUTION, runs=(Run(at(1), length, "a:1", None),)), LOG, at(100))
    for row in drawn.rows:
        for bar in row.bars:
            assert bar.x >= 0
            assert 0 < bar.width <= WIDTH
            assert bar.x + bar.width <= WIDTH + 3


def test_days_of_waiting_are_cut_short():
    later = Attempt(at=at(300_000), kind="outcome", status=200, answer="SUCCESS", milliseconds=500)
    drawn = timeline(replace(EXECUTION, callback_attempts=(later,)), LOG, at(400_000))
    (cut,) = [mark for mark in drawn.marks if mark.is_cut]
    assert cut.label == "3 d 11 h"
    (attempts,) = [row for row in drawn.rows if row.label == "attempts"]
    assert attempts.bars[1].width > WIDTH / 3
    assert attempts.bars[1].x + attempts.bars[1].width < cut.x < WIDTH


def test_a_thousand_steps_are_in_the_list_alone():
    steps = tuple(RecordedStep(f"step {n}", StepKind.RESULT, at(2), 1) for n in range(1000))
    drawn = timeline(replace(EXECUTION, steps=steps), [], at(100))
    assert len(drawn.rows) == 33
    assert drawn.left_out == 970
    assert len([each for each in drawn.happenings if each.kind == "step"]) == 1000


def test_long_names_are_cut_in_the_picture():
    steps = (RecordedStep("x" * 100, StepKind.RESULT, at(2), 1),)
    drawn = timeline(replace(EXECUTION, steps=steps), [], at(100))
    assert drawn.rows[2].label == "x" * 27 + "…"
    assert "x" * 100 in drawn.rows[2].bars[0].what.described


def test_step_without_an_end_is_not_drawn():
    steps = (RecordedStep("old", StepKind.RESULT),)
    drawn = timeline(replace(EXECUTION, steps=steps), [], at(100))
    assert [row.label for row in drawn.rows] == ["waited", "attempts", "callbacks"]


def test_cleanups_have_a_row_with_links():
    ending = Ending(execution_id="an-id", state=State.COMPLETED)
    failed = replace(
        EXECUTION,
        id="cleanup",
        ending=ending,
        state=State.FAILED,
        error="ValueError: x",
        started_at=at(10),
        finished_at=at(12),
    )
    waiting = replace(
        failed,
        id="later",
        state=State.ACCEPTED,
        accepted_at=at(15),
        started_at=None,
        finished_at=None,
    )
    drawn = timeline(EXECUTION, LOG, at(20), [failed, waiting])
    (row,) = [row for row in drawn.rows if row.label == "cleanup"]
    assert [bar.what.execution_id for bar in row.bars] == ["cleanup", "later"]
    assert row.bars[0].what.described.endswith("Cleanup, ValueError: x, failed, 2 s")
    assert (row.bars[1].what.begins, row.bars[1].what.ends) == (at(15), at(20))


def step_of(name, result):
    return RecordedStep(name, StepKind.RESULT, at(2), 1000, result=f'"{result}"')


def test_outcome_that_is_cut_has_the_whole_beside_it():
    texts = ["x" * 298, "y" * 299, "z" * 30_000]
    steps = tuple(step_of(f"step {number}", text) for number, text in enumerate(texts))
    drawn = timeline(replace(EXECUTION, steps=steps), [], at(100))
    fits, cut, long = [each for each in drawn.happenings if each.kind == "step"]
    assert (fits.detail, fits.whole) == (f'"{texts[0]}"', "")
    assert cut.detail.endswith("y…")
    assert cut.whole == f'"{texts[1]}"'
    begin, hint = long.whole.split("\n")
    assert (len(begin), hint) == (20_000, "… (`atom executions show ID --json` shows all of it)")


def test_whole_outcomes_of_a_page_are_bounded():
    steps = tuple(step_of(f"step {number}", "x" * 30_000) for number in range(100))
    drawn = timeline(replace(EXECUTION, steps=steps), [], at(100))
    wholes = [each.whole for each in drawn.happenings if each.kind == "step"]
    assert sum(map(len, wholes)) < 210_000
    assert all("`atom executions show ID --json`" in whole for whole in wholes)
