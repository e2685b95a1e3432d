"""The loop of recovery: a tick each second, whatever a tick does."""

import logging
import threading

import pytest

from atom import heartbeat
from atom.errors import StoreUnavailable
from atom.recovery import loop as loops
from atom.recovery.loop import RecoveryLoop
from tests.support.waiting import until


class Ticks:
    """A recovery whose ticks raise what they are told to, one after the other."""

    def __init__(self, *errors):
        self.progress = 0
        self.errors = list(errors)
        self.hang = threading.Event()
        self.hang.set()

    def tick(self):
        self.hang.wait()
        self.progress += 1
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def run(monkeypatch):
    """Starts a loop over ticks without a pause between them; stops it at the end."""
    monkeypatch.setattr(loops, "TICK_SECONDS", 0.0)
    started = []

    def start(ticks, exit_process=None):
        loop = RecoveryLoop(ticks, exit_process)
        started.append((loop, ticks))
        loop.start()
        return loop

    yield start
    for loop, ticks in started:
        ticks.hang.set()
        loop.stop()
        until(lambda loop=loop: not loop.is_running, "the loop to end")


def messages(caplog):
    return [record.getMessage() for record in caplog.records]


def test_loop_goes_on_after_an_exception_and_logs_its_traceback(run, caplog):
    ticks = Ticks(ValueError("broken"), KeyError("broken"))
    loop = run(ticks)
    until(lambda: ticks.progress > 5, "further ticks")
    assert loop.is_running
    assert [record.exc_info[0] for record in caplog.records] == [ValueError, KeyError]


def test_loop_logs_the_start_and_the_end_of_an_outage(run, caplog):
    caplog.set_level(logging.INFO)
    ticks = Ticks(*[StoreUnavailable("Redis does not answer")] * 3)
    run(ticks)
    until(lambda: len(caplog.records) == 2, "the end of the outage")
    start, end = messages(caplog)
    assert start == "Recovery waits for the store: Redis does not answer"
    assert end.startswith("Recovery works again, after ")
    assert not [record for record in caplog.records if record.exc_info]


def test_loop_finishes_its_tick_and_starts_no_other(run):
    ticks = Ticks()
    ticks.hang.clear()
    loop = run(ticks)
    loop.stop()
    assert loop.is_running
    ticks.hang.set()
    until(lambda: not loop.is_running, "the loop to end")
    assert ticks.progress == 1


def test_tick_that_hangs_is_reported_until_it_ends(run):
    ticks, exits = Ticks(), []
    ticks.hang.clear()
    loop = run(ticks, exits.append)
    beats = round(loops.STUCK_SECONDS / heartbeat.BEAT_SECONDS)
    assert [loop.sign() for _ in range(beats - 1)] == [""] * (beats - 1)
    assert loop.sign() == "its tick has hung for 2 min"
    ticks.hang.set()
    until(lambda: ticks.progress, "the tick to end")
    assert loop.sign() == ""
    assert exits == []


def test_process_ends_if_its_tick_hangs_for_good(run, caplog):
    ticks, exits = Ticks(), []
    ticks.hang.clear()
    loop = run(ticks, exits.append)
    beats = round(loops.LONGEST_STUCK_SECONDS / heartbeat.BEAT_SECONDS)
    for _ in range(beats - 1):
        loop.sign()
    assert exits == []
    loop.sign()
    assert exits == [1]
    (said,) = messages(caplog)
    assert "has hung for 5 min: the process ends" in said
    assert "self.hang.wait()" in said  # the line that it hangs at
