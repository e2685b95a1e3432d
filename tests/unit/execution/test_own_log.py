"""An execution's own log: written in batches, and never the reason why something fails."""

import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from atom.errors import StoreRefused, StoreUnavailable
from atom.execution import own_log as own_log_module
from atom.execution.own_log import FAILURE, OwnLog, failure_traceback
from atom.redaction import hiding

REFUSED = "what the store never takes"
NOW = datetime(2026, 1, 31, tzinfo=UTC)
CLAIM = SimpleNamespace(id="e-1", attempt=3)


class Store:
    """Keeps the lines, or is away."""

    def __init__(self):
        self.calls, self.is_away = [], False

    def add_log(self, execution_id, lines):
        assert execution_id == CLAIM.id
        if self.is_away:
            raise StoreUnavailable("away")
        if any(each.message == REFUSED for each in lines):
            raise StoreRefused("too large")
        self.calls.append(list(lines))

    @property
    def said(self):
        return [line.message for call in self.calls for line in call]


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(own_log_module.time, "monotonic", lambda: now.now)
    return now


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def own_log(store, clock):
    return OwnLog(CLAIM, lambda: NOW, store, 5)


def record(message, *arguments, exc_info=None):
    return logging.LogRecord("shop", logging.INFO, "x.py", 1, message, arguments, exc_info)


def test_the_first_line_is_written_at_once_and_those_of_a_second_together(own_log, store, clock):
    for number in range(3):
        own_log.take(record("line %d", number))
    assert store.said == ["line 0"]
    clock.now += 1
    own_log.take(record("line 3"))
    assert [len(call) for call in store.calls] == [1, 3]
    own_log.flush()
    assert len(store.calls) == 2
    (line,) = store.calls[0]
    assert (line.level, line.attempt, line.at.tzinfo) == ("INFO", 3, UTC)
    assert line.at <= datetime.now(UTC)


def test_a_store_that_is_away_is_left_alone_for_a_while_and_gets_the_latest(own_log, store, clock):
    store.is_away = True
    for number in range(9):
        own_log.take(record("line %d", number))
    own_log.flush()
    store.is_away = False
    own_log.take(record("line 9"))
    assert store.said == []
    clock.now += 5
    own_log.take(record("line 10"))
    assert store.said == ["line 6", "line 7", "line 8", "line 9", "line 10"]


def test_what_is_said_meanwhile_does_not_begin_it_again(own_log, store, clock):
    def add_log(execution_id, lines):
        own_log.take(record("said while it is written"))
        store.calls.append(list(lines))

    store.add_log = add_log
    own_log.take(record("first"))
    assert store.said == ["first"]
    own_log.flush()
    assert store.said == ["first", "said while it is written"]


def test_many_lines_go_in_parts(store, clock):
    own_log = OwnLog(CLAIM, lambda: NOW, store, 2000)
    clock.now, own_log._due_at = 0.0, 1.0
    for number in range(1200):
        own_log.take(record("line %d", number))
    own_log.flush()
    assert [len(call) for call in store.calls] == [500, 500, 200]
    assert store.said == [f"line {number}" for number in range(1200)]


def test_of_long_ones_the_beginning_stays_and_of_a_traceback_its_end(own_log, store):
    try:
        raise ValueError("x" * 10_000 + "end")
    except ValueError as error:
        own_log.take(record("m" * 9_000, exc_info=(type(error), error, error.__traceback__)))
    message, _, traceback = store.said[0].partition("\n")
    assert message == "m" * 2_000 + "…"
    assert traceback.startswith("…")
    assert traceback.endswith("xend")
    assert len(traceback) == 6_001


def test_a_secret_is_masked_before_anything_is_cut(own_log, store):
    with hiding(["canary-secret"]):
        own_log.take(record("%s", "m" * 1_995 + "canary-secret"))
    assert "canary" not in store.said[0]


@pytest.mark.parametrize("said", ["\x1b[2J", "\udcff", "a\rb", "\u202e"])
def test_controls_are_escaped(own_log, store, said):
    own_log.take(record(said))
    assert store.said[0].isprintable()


def test_arguments_that_do_not_fit_do_no_harm(own_log, store):
    own_log.take(record("%d of them", "no number"))
    assert store.said == ["%d of them"]


def test_lines_that_the_store_refuses_are_dropped_and_the_next_are_written(
    own_log, store, clock, caplog
):
    own_log.take(record(REFUSED))
    assert "Lines are missing in the log of the execution" in caplog.text
    clock.now += 1
    own_log.take(record("the next"))
    assert store.said == ["the next"]


def test_failure_traceback_is_that_of_the_latest_failure(own_log, store):
    assert failure_traceback([]) == ""
    for number in range(2):
        try:
            raise ValueError(f"attempt {number}")
        except ValueError as error:
            own_log.take(record(FAILURE, exc_info=(ValueError, error, error.__traceback__)))
            own_log.take(record("of the process itself", exc_info=(ValueError, error, None)))
    own_log.flush()
    lines = [line for call in store.calls for line in call]
    traceback = failure_traceback(lines)
    assert traceback.startswith("Traceback (most recent call last)")
    assert traceback.endswith("ValueError: attempt 1")
