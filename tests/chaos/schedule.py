"""Which fault happens when: the same for the same seed."""

from dataclasses import dataclass
from random import Random
from typing import Final

WORKERS: Final = ("worker-1", "worker-2")
RECOVERIES: Final = ("recovery-1", "recovery-2")
LISTENER, CALLBACKS, REDIS = "listener", "callbacks", "redis"
RABBITMQ: Final = "rabbitmq"

KILL, KILL_MAIN, KILL_CHILD, PAUSE, RESTART, DEPLOY, CUT = (
    "kill -9",
    "kill -9 main process",
    "kill -9 a child",
    "pause",
    "restart",
    "deploy changed code",
    "cut all connections",
)

# What can happen to whom, and how often the one is struck beside the others.
_TARGETS: Final = (
    (WORKERS, 9, (KILL, KILL_MAIN, KILL_CHILD, PAUSE, RESTART, DEPLOY)),
    ((LISTENER,), 2, (KILL, KILL_CHILD, RESTART)),
    ((CALLBACKS,), 2, (KILL, PAUSE, RESTART)),
    (RECOVERIES, 3, (KILL, PAUSE, RESTART)),
    ((REDIS,), 2, (KILL, PAUSE, RESTART)),
)
# … where it is the broker.
_RABBITMQ: Final = ((RABBITMQ,), 2, (KILL, PAUSE, RESTART, CUT))
_LONGEST_DOWN_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: when, since the beginning, and for how long the target is down or stopped."""

    at: float
    target: str
    kind: str
    seconds: float

    @property
    def described(self) -> str:
        """The role and what happens to it, for the counts."""
        return f"{self.target.partition('-')[0]}: {self.kind}"


def schedule(
    seed: int, duration: float, interval: float, lease_seconds: float, broker: str = REDIS
) -> list[Fault]:
    """Faults about as far apart as the interval; every kind comes once before any comes again."""
    random = Random(f"{seed}:faults")
    possible = (*_TARGETS, _RABBITMQ) if broker == RABBITMQ else _TARGETS
    first = [(targets, kind) for targets, _, kinds in possible for kind in kinds]
    random.shuffle(first)
    faults = []
    at = min(1.0, interval)
    while at < duration:
        if first:
            targets, kind = first.pop()
        else:
            weights = [weight for _, weight, _ in possible]
            targets, _, kinds = random.choices(possible, weights)[0]
            kind = random.choice(kinds)
        seconds = random.uniform(0, _LONGEST_DOWN_SECONDS)
        if kind == PAUSE:
            is_store = targets in ((REDIS,), (RABBITMQ,))
            bounds = (1, 8) if is_store else (1.5 * lease_seconds, 3 * lease_seconds)
            seconds = random.uniform(*bounds)
        faults.append(Fault(round(at, 2), random.choice(targets), kind, round(seconds, 2)))
        at += random.uniform(0.5, 1.5) * interval
    return faults
