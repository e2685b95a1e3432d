"""What the overview draws, and what it offers against what is wrong; jobs over many executions."""

import threading
from datetime import UTC, datetime, timedelta

from atom.console.charts import HEIGHT, WIDTH, chart
from atom.console.jobs import Jobs
from atom.errors import StoreUnavailable
from atom.execution.operating import Done
from atom.history import Minute
from tests.support.waiting import until

START = datetime(2026, 1, 31, 8, tzinfo=UTC)


def minutes(*counts):
    return [Minute(START + timedelta(minutes=n), each) for n, each in enumerate(counts)]


def test_bars_stand_on_each_other_and_the_line_is_what_was_accepted():
    drawn = chart(minutes({"completed": 3, "failed": 1, "accepted": 5}, {}))
    assert drawn.highest == 5
    good, bad = drawn.segments
    assert (good.state, good.y, good.height) == ("completed", HEIGHT * 2 / 5, HEIGHT * 3 / 5)
    assert (bad.state, bad.y, bad.height) == ("failed", HEIGHT * 1 / 5, HEIGHT / 5)
    assert drawn.accepted == f"{WIDTH / 4:.1f},0.0 {WIDTH * 3 / 4:.1f},{HEIGHT:.1f}"
    assert drawn.totals == {"accepted": 5, "completed": 3, "failed": 1}


def test_an_hour_of_nothing_is_a_flat_line():
    drawn = chart(minutes(*[{}] * 60))
    assert (drawn.segments, drawn.highest, drawn.totals) == ([], 1, {})
    assert drawn.accepted.count(",") == 60


def test_the_scale_ends_at_a_number_that_is_easily_read():
    for count, highest in ((1, 1), (3, 5), (7, 10), (11, 20), (420, 500), (501, 1000)):
        assert chart(minutes({"accepted": count})).highest == highest


def ended(jobs):
    return until(lambda: jobs.latest if jobs.latest.ended_at else None, "its end")


def test_a_job_counts_what_was_done_and_why_not():
    jobs = Jobs()
    assert jobs.latest is None
    assert jobs.start("Doing", list("abc"), lambda each: Done(each, each != "b", f"no: {each}"))
    job = ended(jobs)
    assert (job.total, job.done, job.looked_at) == (3, 2, 3)
    assert job.reasons() == [("no: b", 1)]
    assert not job.problem


def test_one_at_a_time_and_it_can_be_stopped():
    jobs, go_on, seen = Jobs(), threading.Event(), []

    def do(each):
        seen.append(each)
        go_on.wait(60)
        return Done(each, True, "")

    assert jobs.start("First", list("abc"), do)
    until(lambda: seen, "the first")
    assert not jobs.start("Second", ["x"], do)
    jobs.stop()
    go_on.set()
    job = ended(jobs)
    assert (job.name, job.is_stopped, job.done, seen) == ("First", True, 1, ["a"])
    assert jobs.start("Second", ["x"], do)
    assert ended(jobs).name == "Second"


def test_a_store_that_goes_away_ends_it_and_a_bug_is_logged(caplog):
    def fail(error):
        def do(each):
            if each == "b":
                raise error
            return Done(each, True, "")

        return do

    jobs = Jobs()
    jobs.start("Doing", list("abc"), fail(StoreUnavailable("away")))
    job = ended(jobs)
    assert (job.done, job.problem) == (
        1,
        "The store does not answer; what is left waits as before.",
    )
    jobs.start("Doing", list("abc"), fail(KeyError("a bug")))
    assert ended(jobs).problem == "It failed; the console's log says why."
    assert "KeyError" in caplog.text
