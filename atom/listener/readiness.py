"""Whether this listener can accept work, and whether somebody is there to do it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from atom.catalog import Catalog
from atom.durations import duration
from atom.errors import StoreError
from atom.look import Look, both
from atom.names import CALLBACKS, PROCESSES, RECOVERY
from atom.overview import Overview
from atom.records import Presence
from atom.status import Situation, ask_broker, judge_roles
from atom.store import ExecutionStore

# Balancers and kubelets ask every few seconds, each for itself.
_FRESH_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one look."""

    problem: str  # why no work can be accepted; "" where it can
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether work can be accepted."""
        return not self.problem


class Readiness:
    """Looks at store and broker, at most once a second however many ask.

    A store that takes no write makes the listener unready: no request could be accepted. A broker
    that is away does not, nor do missing workers: what is accepted is durable and is done when
    they are back, which is better than to refuse it. The document says so.
    """

    def __init__(
        self, store: ExecutionStore, waiting: Callable[[str], int], catalog: Catalog
    ) -> None:
        """Make one.

        Args:
            store: where executions are accepted.
            waiting: how many messages the broker has in a queue; raises PublishFailed.
            catalog: says which queues need a worker.
        """
        self._store, self._waiting = store, waiting
        self._queues = sorted(catalog.queues())
        self._store_look = Look(self._ask_store)
        self._broker_look = Look(lambda: ask_broker(waiting, [PROCESSES]))
        self._last: Verdict | None = None
        self._looked_at = 0.0

    def look(self) -> Verdict:
        """Answer within seconds, whatever hangs."""
        last = self._last
        if last is not None and time.monotonic() < self._looked_at + _FRESH_SECONDS:
            return last
        stands, broker = both(self._store_look, self._broker_look, _PATIENCE_SECONDS)
        problem = (
            broker[1] if broker else f"The broker does not answer in {duration(_PATIENCE_SECONDS)}."
        )
        if stands is None:
            stands = f"The store does not answer in {duration(_PATIENCE_SECONDS)}."
        self._last, self._looked_at = self._judge(stands, problem), time.monotonic()
        return self._last

    def _ask_store(self) -> tuple[Overview, Sequence[Presence]] | str:
        try:
            self._store.check_writable()
            return self._store.overview(), self._store.presences()
        except StoreError as error:
            return str(error)

    def _judge(
        self, stands: tuple[Overview, Sequence[Presence]] | str, broker_problem: str
    ) -> Verdict:
        broker = {"ok": not broker_problem, "problem": broker_problem}
        if isinstance(stands, str):
            store = {"ok": False, "problem": stands}
            document = {"status": "unready", "store": store, "broker": broker}
            return Verdict(stands, {**document, "problems": [stands]})
        overview, presences = stands
        situation = Situation(
            overview=overview,
            presences=presences,
            queues=self._queues,
            broker_problem=broker_problem,
        )
        problems = [each.sentence for each in judge_roles(situation)]
        return Verdict(
            "",
            {
                "status": "degraded" if problems else "ready",
                "store": {"ok": True, "problem": ""},
                "broker": broker,
                "workers": {queue: _seen(situation, queue) for queue in situation.declared},
                "callbacks": _seen(situation, CALLBACKS),
                "recovery": _seen(situation, RECOVERY),
                "problems": problems,
            },
        )


def _seen(situation: Situation, queue: str) -> dict[str, Any]:
    """How many consume a queue, and the age of what was seen of the one that was seen last."""
    ages = [situation.age(each) for each in situation.workers(queue)]
    return {"count": len(ages), "seen_seconds_ago": round(min(ages), 1) if ages else None}
