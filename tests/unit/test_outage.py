"""Outages in the log: a line at the start, reminders, and a line at the end."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom import outage as module
from atom.errors import StoreUnavailable
from atom.execution.keeper import LeaseKeeper
from atom.outage import Outage, ongoing
from atom.records import Hold
from tests.support.waiting import until

log = logging.getLogger("tests.outage")


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when a test says so."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def outage():
    one = Outage(log, "It fails", "It works again")
    yield one
    one.end()


def lines(caplog):
    return [record.getMessage() for record in caplog.records]


def test_outage_is_logged_at_its_start_each_minute_and_at_its_end(clock, outage, caplog):
    caplog.set_level(logging.INFO, "tests.outage")
    outage.end()
    for _ in range(150):
        outage.note("no answer")
        clock[0] += 1
    assert ongoing() == "It fails: no answer"
    outage.end()
    outage.end()
    assert ongoing() == ""
    assert lines(caplog) == [
        "It fails: no answer",
        "It fails: no answer (for 1 min now)",
        "It fails: no answer (for 2 min now)",
        "It works again, after 2 min 30 s",
    ]


def test_another_cause_is_logged_within_seconds(clock, outage, caplog):
    for cause in ("no answer", "LOADING", "LOADING", "LOADING"):
        outage.note(cause)
        clock[0] += 1
    assert lines(caplog) == ["It fails: no answer", "It fails: LOADING (for 2 s now)"]
    assert ongoing() == "It fails: LOADING"


def test_lease_keeper_that_stops_leaves_no_outage_behind():
    def unavailable():
        raise StoreUnavailable("Redis does not answer")

    class Store:
        def __getattr__(self, name):
            return lambda *_, **__: unavailable()

    keeper = LeaseKeeper(Store, 1.0, 1.0)
    keeper.start()
    with keeper.keep(Hold(id="one", fence=1)):
        until(lambda: ongoing() == "Leases cannot be renewed: Redis does not answer", "an outage")
    keeper.hand_back()
    assert ongoing() == ""


class Lines(logging.Handler):
    """The records of one logger."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)

    def of(self, level):
        return [each for each in self.records if each.levelno == level]


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=400))
def test_an_outage_is_logged_at_most_every_two_seconds_and_its_last_cause_is_known(causes):
    handler, now = Lines(), [0.0]
    logger = logging.getLogger("tests.outage.generated")
    logger.handlers, logger.propagate, logger.level = [handler], False, logging.INFO
    outage = Outage(logger, "It fails", "It works again")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.time, "monotonic", lambda: now[0])
        for cause in causes:
            outage.end() if cause is None else outage.note(cause)
            now[0] += 0.5
        last = causes[-1] if causes else None
        assert ongoing() == ("" if last is None else f"It fails: {last}")
        ends = len(handler.of(logging.INFO))
        assert len(handler.of(logging.WARNING)) <= len(causes) * 0.5 / 2 + ends + 1
        outage.end()
