"""What a process that was stalled at a bad moment still takes for true."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from atom.catalog import Catalog
from atom.entries import Entry, EntryKind
from atom.errors import ClaimLost, StoreForbidden, StoreRefused, StoreUnavailable, ValueTooLarge
from atom.execution import lease
from atom.execution.journal import StoreJournal
from atom.execution.lease import Lease
from atom.execution.own_log import OwnLog
from atom.execution.replay import Means
from atom.records import Claim

LEASE_SECONDS = 2.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROCESS = SimpleNamespace(secret_names=frozenset())


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class StallingStore:
    """Writes, and the process is stalled before it reads that it has; then somebody took over."""

    def __init__(self, clock):
        self._clock, self._is_held = clock, True

    def _stall(self):
        self._clock.now += 2 * LEASE_SECONDS
        self._is_held = False

    def record_step(self, claim, position, step):
        self._stall()

    def progress(self, claim, message, fraction):
        self._stall()
        return False

    def holds(self, hold):
        return self._is_held


ONE, TWO = (Entry(kind=EntryKind.STEP, name=name) for name in ("one", "two"))


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(lease.time, "monotonic", clock.monotonic)
    monkeypatch.setattr(lease.time, "sleep", clock.sleep)
    return clock


@pytest.fixture
def claim():
    return Claim(
        id="e",
        fence=1,
        attempt=1,
        losses=0,
        tries=0,
        service="S",
        action="A",
        tenant_id="t",
        state_id="s",
        token="",
        authorization=None,
        queue="processes",
        trace="",
        request=b"{}",
        accepted_at=NOW,
        claimed_at=NOW,
        deadline=NOW + timedelta(days=36_500),
        wait=None,
    )


def journal_over(claim, held, store):
    """A journal over a store that does next to nothing."""
    means = Means(store, publisher=None, catalog=Catalog([]), max_step_bytes=1000)
    return StoreJournal(
        claim, held, OwnLog(claim, held.now, store, 100), process=PROCESS, means=means
    )


@pytest.fixture
def journal(clock, claim):
    store = StallingStore(clock)
    held = Lease(claim, store, LEASE_SECONDS, clock.now)
    return journal_over(claim, held, store)


def test_after_a_stall_within_a_record_no_other_step_begins(journal):
    journal.step(ONE, lambda: 1)
    with pytest.raises(ClaimLost):
        journal.step(TWO, lambda: pytest.fail("somebody else may be doing it"))


def test_after_a_stall_within_progress_no_step_begins(journal):
    journal.progress("half way", None)
    with pytest.raises(ClaimLost):
        journal.step(ONE, lambda: pytest.fail("somebody else may be doing it"))


def test_after_a_stall_within_the_claim_no_step_begins(clock, claim):
    store = StallingStore(clock)
    asked_at = clock.now
    store.record_step(claim, 0, None)
    held = Lease(claim, store, LEASE_SECONDS, asked_at)
    with pytest.raises(ClaimLost):
        held.check()


class StoreBehindACut:
    """Answers again after so many refusals; somebody took over meanwhile, or nobody did."""

    def __init__(self, refusals, is_held):
        self._refusals, self._is_held = refusals, is_held

    def holds(self, hold):
        if self._refusals:
            self._refusals -= 1
            raise StoreUnavailable("cut off")
        return self._is_held


@pytest.mark.parametrize("is_held", [True, False])
def test_cut_off_no_step_begins_before_the_store_answers(clock, claim, is_held):
    store = StoreBehindACut(3, is_held)
    held = Lease(claim, store, LEASE_SECONDS, clock.now - LEASE_SECONDS)
    steps = []
    journal = journal_over(claim, held, store)
    store.record_step = lambda claim, position, step: None
    began = clock.now
    if is_held:
        journal.step(ONE, lambda: steps.append(clock.now))
        (at,) = steps
        assert at > began
    else:
        with pytest.raises(ClaimLost):
            journal.step(ONE, lambda: pytest.fail("somebody else may be doing it"))


def test_cut_off_a_process_is_not_told_that_it_lost(clock, claim):
    store = StoreBehindACut(1, is_held=False)
    held = Lease(claim, store, LEASE_SECONDS, clock.now - LEASE_SECONDS)
    assert not held.lost
    assert held.lost


@pytest.mark.parametrize("error", [StoreRefused("no"), ValueTooLarge(10**9)])
def test_a_write_that_the_store_refuses_is_not_repeated(clock, claim, error):
    """It would be refused again, and a slot be held until the deadline."""
    held, calls = Lease(claim, StallingStore(clock), LEASE_SECONDS, clock.now), []

    def write():
        calls.append(clock.now)
        raise error

    with pytest.raises(type(error)):
        held.patiently(write)
    assert len(calls) == 1


def test_a_permission_that_is_missing_is_waited_for_a_minute(clock, claim):
    held, began = Lease(claim, StallingStore(clock), LEASE_SECONDS, clock.now), clock.now

    def write():
        raise StoreForbidden("may not")

    with pytest.raises(StoreForbidden):
        held.patiently(write)
    assert 60 <= clock.now - began < 62


def test_a_permission_that_is_given_again_goes_unnoticed(clock, claim):
    held, began = Lease(claim, StallingStore(clock), LEASE_SECONDS, clock.now), clock.now

    def write():
        if clock.now < began + 30:
            raise StoreForbidden("may not")
        return "written"

    assert held.patiently(write) == "written"
