"""What a process that was stalled at a bad moment still takes for true."""

from datetime import UTC, datetime, timedelta

import pytest

from atom.errors import ClaimLost
from atom.execution import lease
from atom.execution.journal import StoreJournal
from atom.execution.lease import Lease
from atom.records import Claim

LEASE_SECONDS = 2.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


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


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(lease.time, "monotonic", clock.monotonic)
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
        request=b"{}",
        accepted_at=NOW,
        deadline=NOW + timedelta(days=36_500),
    )


@pytest.fixture
def journal(clock, claim):
    store = StallingStore(clock)
    held = Lease(claim, store, LEASE_SECONDS, clock.now)
    return StoreJournal(claim, held, store, None, 1000)


def test_after_a_stall_within_a_record_no_other_step_begins(journal):
    journal.step("one", lambda: 1)
    with pytest.raises(ClaimLost):
        journal.step("two", lambda: pytest.fail("somebody else may be doing it"))


def test_after_a_stall_within_progress_no_step_begins(journal):
    journal.progress("half way", None)
    with pytest.raises(ClaimLost):
        journal.step("one", lambda: pytest.fail("somebody else may be doing it"))


def test_after_a_stall_within_the_claim_no_step_begins(clock, claim):
    store = StallingStore(clock)
    asked_at = clock.now
    store.record_step(claim, 0, None)
    held = Lease(claim, store, LEASE_SECONDS, asked_at)
    with pytest.raises(ClaimLost):
        held.check()
