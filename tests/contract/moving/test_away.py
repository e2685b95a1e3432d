"""The history database does not answer: nothing is lost, and who looks is told so."""

import logging
import os
import subprocess
import sys

import pytest
from sqlalchemy import create_engine, text

from atom import names
from atom.catalog import Catalog
from atom.errors import HistoryUnavailable, SettingsError
from atom.execution.ending import cancel
from atom.execution.recovery import Recovery
from atom.history import ExecutionFilter
from atom.records import State
from atom.settings import Settings
from atom.store import RedisStore, open_store
from atom.store.files import file_store
from atom.store.sql import database
from tests.contract.test_ending_and_restarting import running
from tests.support.children import begun
from tests.support.executions import an_attempt, new_execution
from tests.support.moving import RESPONSE, everything, move, move_these, settled
from tests.support.roles import ROOT
from tests.support.waiting import until

NOWHERE = "postgresql://atom:canary@127.0.0.1:1/history"


@pytest.fixture
def away(make_store):
    """A store whose database is not there."""
    return make_store(history_url=NOWHERE)


@pytest.fixture(autouse=True)
def asked_again_at_once(monkeypatch):
    monkeypatch.setattr(database, "_LEFT_ALONE_SECONDS", 0.0)


def test_nothing_is_moved_and_nothing_lost(away, store, raw):
    execution_id = settled(away)
    taken = away.take_settled(10)
    assert taken == [execution_id]
    with pytest.raises(
        HistoryUnavailable, match=r"postgresql://atom:[^@]+@127.0.0.1:1/history does"
    ):
        away.copy_settled(taken)
    with pytest.raises(HistoryUnavailable):
        away.trim(10)
    assert raw.exists(names.IN_BOTH) == 0
    assert away.get(execution_id).state is State.COMPLETED
    assert move(store) == 1


def test_what_redis_has_is_shown_and_that_the_rest_is_away(away, store):
    there, here = settled(store), settled(store)
    move_these(store, [there])
    page = away.find(10)
    assert [each.id for each in page.executions] == [here]
    assert "does not answer" in page.problem
    assert "canary" not in page.problem
    assert away.find(10, ExecutionFilter(text=here)).problem
    assert away.count_states()[State.COMPLETED] == 1
    assert away.known_processes() == ["CRM.Retrieve"]
    assert away.known_tenants() == ["tenant"]
    assert away.get(here).id == here
    assert len(away.log(here)) == 1
    facts = away.history_facts()
    assert (facts.executions, "canary" in repr(facts)) == (None, False)
    for ask in (away.get, away.log, lambda each: away.restart(each, from_start=True)):
        with pytest.raises(HistoryUnavailable):
            ask(there)
    assert store.find(10).problem == ""
    assert store.history_facts().executions == 1


def test_copies_in_redis_are_shown_without_the_database(away, store):
    origin = settled(store, state_id="state-1")
    copies = [settled(store, state_id="state-1", token="", origin=origin) for _ in range(2)]
    move_these(store, copies[:1])
    assert [each.id for each in away.copies(away.get(origin))] == copies[1:]


def test_redis_forgets_nothing_that_waits_for_the_database(make_store, raw):
    away = make_store(history_url=NOWHERE, retention_days=0.0000001)
    execution_id = settled(away)
    key = names.execution_key(execution_id)
    for part in ("", ":documents", ":steps", ":log"):
        raw.pexpire(f"{key}{part}", 60_000)
    until(lambda: away.take_settled(10), "its retention to be over", 5)
    for part in ("", ":documents", ":steps", ":log"):
        assert raw.pttl(f"{key}{part}") > 86_000_000


def test_children_that_are_here_are_cancelled_with_their_parent(away, store):
    claim = running(store)
    (moved,) = begun(store, claim)
    store.finish(store.claim(moved, "w", "1"), State.COMPLETED, b'{"result":1}', "")
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    assert move(store) == 2
    store.restart(claim.id, from_start=True)
    (here,) = begun(store, store.claim(claim.id, "w", "1"))
    assert cancel(Catalog([]), away, claim.id) is not None
    assert away.get(here).state is State.CANCELLED
    assert [each.id for each in away.children(claim.id)] == [here]
    assert [each.id for each in store.children(claim.id)] == [moved, here]


def test_nor_the_children_of_what_waits_for_the_database(make_store, raw):
    away = make_store(history_url=NOWHERE, retention_days=0.0000001)
    parent = new_execution()
    away.accept(parent)
    claim = away.claim(parent.id, "w", "1")
    (only,) = begun(away, claim)
    away.finish(away.claim(only, "w", "1"), State.COMPLETED, b'{"result":1}', "")
    away.finish(claim, State.COMPLETED, RESPONSE, "")
    away.record_delivery(away.claim_delivery(parent.id), "delivered", an_attempt())
    for each in (parent.id, only):
        raw.pexpire(names.execution_key(each), 40_000_000)
    until(lambda: away.take_settled(10), "its retention to be over", 5)
    for each in (parent.id, only):
        assert raw.pttl(names.execution_key(each)) > 86_000_000


@pytest.mark.parametrize("history_url", [""])
def test_a_database_that_comes_back_is_asked_again(postgres, make_store):
    store = make_store(history_url=postgres.url)
    first, second = settled(store), settled(store)
    before = everything(store, first)
    move_these(store, [first])
    postgres.stop()
    try:
        assert [each.id for each in store.find(10).executions] == [second]
        assert store.find(10).problem
        with pytest.raises(HistoryUnavailable):
            move(store)
    finally:
        postgres.start()
    assert move(store) == 1
    assert store.find(10).problem == ""
    assert everything(store, first) == before
    assert sum(store.count_states().values()) == 2


def test_what_does_not_answer_is_left_alone_for_a_while(away, store, monkeypatch):
    monkeypatch.setattr(database, "_LEFT_ALONE_SECONDS", 60.0)
    told = away.find(10).problem
    monkeypatch.setattr(database, "_connect", lambda url: pytest.fail("it is asked"))
    assert away.find(10).problem == told


def test_a_database_of_a_later_version_is_left_as_it_is(store, make_store, history_url):
    execution_id = settled(store)
    move(store)
    engine = create_engine(history_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("update atom_history set format = 2"))
    engine.dispose()
    older = make_store()
    here = settled(older)
    with pytest.raises(HistoryUnavailable, match="is of format 2"):
        move(older)
    page = older.find(10)
    assert [each.id for each in page.executions] == [here]
    assert "bring every role to the version" in page.problem
    with pytest.raises(HistoryUnavailable, match="format 2"):
        older.get(execution_id)


def test_recovery_says_so_in_a_line_and_does_the_rest(away, settings, caplog):
    settled(away)
    recovery = Recovery(Catalog({}), away, None, file_store(settings))
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            recovery.tick()
    (line,) = caplog.records
    assert line.levelno == logging.WARNING
    assert line.exc_info is None
    assert "What has finished stays in Redis" in line.getMessage()
    assert "canary" not in line.getMessage()


def test_recovery_moves_and_counts(store, settings, caplog):
    settled(store)
    recovery = Recovery(Catalog({}), store, None, file_store(settings))
    assert recovery.tick() == {"moved to the history database": 1}
    assert store.overview().recoveries == {"moved to the history database": 1}
    assert recovery.tick() == {}


def test_without_a_database_there_is_nothing_to_move(settings, raw):
    store = open_store(settings)
    assert type(store) is RedisStore
    settled(store)
    assert store.take_settled(10) == store.copy_settled(["any"]) == ()
    assert store.remove_copied([]) == 0
    assert store.history_facts() is None
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "mysql://host/history",
        "sqlite://",
        "sqlite://host/history",
        "postgresql://host",
        "history.db",
    ],
)
def test_a_url_of_something_else_is_refused(monkeypatch, url):
    monkeypatch.setenv("ATOM_HISTORY_URL", url)
    with pytest.raises(SettingsError, match="ATOM_HISTORY_URL must be"):
        Settings.from_env()


@pytest.mark.parametrize(
    "url", [NOWHERE, "sqlite:///history.db", "postgresql:///history?host=/run/postgresql"]
)
def test_a_url_of_a_database_is_taken(monkeypatch, url):
    monkeypatch.setenv("ATOM_HISTORY_URL", url)
    monkeypatch.setenv("ATOM_HISTORY_RETENTION_DAYS", "0")
    settings = Settings.from_env()
    assert settings.history_url == url
    assert "canary" not in repr(settings)


@pytest.mark.parametrize("url", ["", NOWHERE])
def test_who_does_not_look_there_imports_nothing_of_it(url):
    """Not even where there is one: most roles have the setting and no use for it."""
    code = (
        "import sys, workers, atom.cli; from atom.settings import Settings; "
        "from atom.store import open_store; open_store(Settings.from_env()).close(); "
        "print([name for name in ('sqlalchemy', 'psycopg') if name in sys.modules])"
    )
    services = {"ATOM_SERVICES": "tests.support.witness"}
    environment = {**os.environ, **services, "ATOM_HISTORY_URL": url}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
