"""The state of a whole Atom at one moment, as the store knows it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

# The names of counters in the scripts of the store; the others are counted by recovery.
_FINISHED: Final = "finished:"
_TAKEN_OVER: Final = "lease_lost"


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits for a worker: accepted, handed back or to be tried again, and due by now."""

    waiting: int
    oldest_at: datetime | None  # since when the first of them waits


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A change of the store's clock that is not the passing of time."""

    at: datetime  # by the clock as it was set
    seconds: float  # negative: it was set back


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """The store's clock, compared with the latest time that was seen of it."""

    seconds: float  # since 1970
    set_back_seconds: float  # 0: it was not
    has_wrong_due_times: bool  # they were set before it was set back, and have to be recomputed
    can_judge_leases: bool  # for the length of a lease, there was a time to renew each


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How it stands with everything at one moment.

    What is late is counted among the few hundred that are looked at next, so that the cost does
    not grow with the trouble: a count that high means “at least”.
    """

    at: datetime  # of the store's clock, as every time here
    queues: Mapping[str, QueueState]  # every queue that was ever used
    scheduled: int  # wait for their time: handed back, or to be tried again
    suspended: int  # wait for a time or an event
    running: int  # are held, the lost ones among them
    lost: int  # are held with a lease that ran out
    overdue_deadlines: int
    callbacks_due: int  # are to be sent, now or at a later time, or on their way
    callbacks_late_since: datetime | None  # the oldest due time that has passed
    parked: int
    failed: int  # failed or timed out, and nobody has seen to it
    held: int = 0  # suspended, since no worker had code that fits their journal
    open_circuits: Mapping[str, datetime]  # host → until when nothing is sent to it
    paused: Mapping[str, datetime]  # target → since when
    counters: Mapping[str, int]  # see `ExecutionStore.counters`
    stored: int  # executions in Redis, whether they have ended or not
    held_back: Mapping[str, int]  # process at its max_concurrency → how many of those that wait
    clock_change: ClockChange | None = None  # the latest one

    @property
    def ends(self) -> Mapping[tuple[str, str, str], int]:
        """Return how many executions ever ended, by service, action and final state.

        Children are not counted.
        """
        ends = {}
        for name, count in self.counters.items():
            if name.startswith(_FINISHED):
                state, _, process = name.removeprefix(_FINISHED).partition(":")
                service, _, action = process.partition(".")
                ends[service, action, state] = count
        return ends

    @property
    def finished(self) -> Mapping[str, int]:
        """Return how many executions ever ended in each final state that occurred."""
        finished: Counter[str] = Counter()
        for (_, _, state), count in sorted(self.ends.items(), key=lambda end: end[0][2]):
            finished[state] += count
        return finished

    @property
    def taken_over(self) -> int:
        """How often a worker took an execution over from a lost one."""
        return self.counters.get(_TAKEN_OVER, 0)

    @property
    def recoveries(self) -> Mapping[str, int]:
        """What recovery did, and how often."""
        return {
            name: count
            for name, count in self.counters.items()
            if name != _TAKEN_OVER and not name.startswith(_FINISHED)
        }
