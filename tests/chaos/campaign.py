"""One run of the chaos suite: start, break, settle, collect, judge."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from redis import Redis, RedisError

from atom.errors import StoreError
from atom.sandbox import Platform
from tests.chaos import lines
from tests.chaos.checker import check
from tests.chaos.evidence import (
    Evidence,
    KeyEvidence,
    executions_in,
    flow_evidence,
    keys_in,
    logs_in,
)
from tests.chaos.misbehaviour import Misbehaviour
from tests.chaos.operator import Operator
from tests.chaos.schedule import RABBITMQ, REDIS, WORKERS, schedule
from tests.chaos.supervisor import Supervisor
from tests.chaos.traffic import Traffic
from tests.chaos.violations import Violation
from tests.support.rabbitmq import RabbitMQ
from tests.support.roles import TestAtom
from tests.support.waiting import until

LEASE_SECONDS = 2
CALLBACK_TIMEOUT_SECONDS = 2.5
# So many that no execution is given up: that would be right, but no flow's expected end.
MAX_ATTEMPTS = 25

_IDLE_KEYS = ("accepted", "scheduled", "suspended", "leases", "deadlines", "callbacks")
_QUEUES = ("processes", "callbacks")
_PROGRESS_SECONDS = 10.0
_LAST_EXECUTIONS = 24
_UP_SECONDS = 90


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run does; the same for the same values, as far as the machine lets it."""

    seed: int
    duration: float = 60.0
    flows: int = 45  # in flight
    readers: int = 2  # that send data requests, one after the other
    settle_seconds: float = 180.0
    broker: str = REDIS

    @property
    def interval(self) -> float:
        """Between two faults, about; a short run is to see every kind of them as well."""
        return min(2.8, self.duration / 22)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it."""

    plan: Plan
    evidence: Evidence
    violations: Sequence[Violation]
    faults: Counter[str]
    misbehaviour: Counter[str]
    remarks: Counter[str]
    deliberate_duplicates: int
    retries: int  # by the operator
    settled_seconds: float | None
    orphans: int  # processes of killed roles that were still there in the end
    logs: Path


def run(plan: Plan, directory: Path, say: Callable[[str], None]) -> Outcome:
    """Do everything; what was started is ended, whatever happens."""
    written = directory / "lines"
    written.mkdir(parents=True)
    with contextlib.ExitStack() as started:
        broker = None
        if plan.broker == RABBITMQ:
            broker = started.enter_context(RabbitMQ(directory / "rabbitmq"))
        atom = _atom(directory, written, broker)
        started.callback(atom.close)
        return _Campaign(plan, atom, say).run()


def _atom(directory: Path, written: Path, broker: RabbitMQ | None) -> TestAtom:
    return TestAtom(
        directory,
        "tests.chaos.services",
        Platform(kept_flows=1_000_000),
        broker,
        ATOM_LEASE_SECONDS=str(LEASE_SECONDS),
        ATOM_MAX_ATTEMPTS=str(MAX_ATTEMPTS),
        ATOM_REPUBLISH_SECONDS="3",
        ATOM_CALLBACK_TIMEOUT_SECONDS=str(CALLBACK_TIMEOUT_SECONDS),
        ATOM_PROGRESS_SECONDS="0.5",
        ATOM_SYNC_SECONDS="10",
        ATOM_SHUTDOWN_SECONDS="5",
        **{lines.DIRECTORY: str(written)},
    )


class _Campaign:
    def __init__(self, plan: Plan, atom: TestAtom, say: Callable[[str], None]) -> None:
        self._plan, self._atom, self._say = plan, atom, say
        self._misbehaviour = Misbehaviour(plan.seed, CALLBACK_TIMEOUT_SECONDS)
        self._random = Random(f"{plan.seed}:last")

    def run(self) -> Outcome:
        plan, atom = self._plan, self._atom
        supervisor = Supervisor(atom, plan.seed)
        atom.wait_for_listener(atom.url)
        for queue in (*_QUEUES, "recovery"):
            until(lambda queue=queue: self._present(queue), f"a worker for {queue}", _UP_SECONDS)
        atom.platform.misbehave(self._misbehaviour)
        traffic = Traffic(atom.platform, atom.url, plan.seed, plan.flows, plan.readers)
        ended = threading.Event()
        operator = self._operator = Operator(atom.store, str(self._lines))
        telling = threading.Thread(target=self._tell, args=(traffic, supervisor, ended))
        telling.start()
        try:
            faults = schedule(plan.seed, plan.duration, plan.interval, LEASE_SECONDS, plan.broker)
            supervisor.begin(faults)
            time.sleep(plan.duration)
            supervisor.end()
            traffic.stop()
            self._misbehaviour.stop()
            settled = self._settle(traffic)
            self._wait_for_workers(supervisor)
            supervisor.close()
            idle_workers = self._last_round(traffic, supervisor)
        finally:
            operator.close()
            ended.set()
            telling.join()
            traffic.close()
        return self._judge(traffic, supervisor, settled, idle_workers)

    def _tell(self, traffic: Traffic, supervisor: Supervisor, ended: threading.Event) -> None:
        began = time.monotonic()
        while not ended.wait(_PROGRESS_SECONDS):
            self._say(
                f"{time.monotonic() - began:5.0f} s  {len(traffic.sent)} flows sent, "
                f"{len(traffic.in_flight())} in flight, {len(traffic.synchronous)} data requests, "
                f"{supervisor.counts.total()} faults"
            )

    def _settle(self, traffic: Traffic) -> float | None:
        """Until every flow is over and nothing is left to do; how long that took."""
        began = time.monotonic()
        end = began + self._plan.settle_seconds
        while time.monotonic() < end:
            if not traffic.in_flight() and self._is_idle() and not self._operator_has_work():
                return time.monotonic() - began
            time.sleep(0.1)
        return None

    def _operator_has_work(self) -> bool:
        try:
            return self._operator.has_work()
        except StoreError:
            return True

    def _is_idle(self) -> bool:
        with Redis.from_url(self._atom.redis.url) as client:
            try:
                if any(client.zcard(f"atom:{key}") for key in _IDLE_KEYS):
                    return False
                return not any(each.members for each in self._queues(client))
            except RedisError:
                return False

    def _queues(self, client: "Redis[Any]") -> list[KeyEvidence]:
        """The broker's queues with their messages, those that a worker holds too."""
        broker = self._atom.broker
        counts = broker.messages() if broker else {queue: client.llen(queue) for queue in _QUEUES}
        return [
            KeyEvidence(name=queue, type="queue", has_expiry=True, members=counts.get(queue, 0))
            for queue in _QUEUES
        ]

    def _present(self, queue: str, pid: str = "") -> bool:
        match = f"atom:presence:{queue}:*{pid}*"
        with Redis.from_url(self._atom.redis.url) as client:
            return bool(list(client.scan_iter(match=match, count=1000)))

    def _wait_for_workers(self, supervisor: Supervisor) -> None:
        """Until all are up: one whose child was killed while it started first ends by itself."""
        for name in WORKERS:
            until(
                lambda name=name: self._present(_QUEUES[0], f"-{supervisor.groups().get(name)}-"),
                name,
                _UP_SECONDS,
            )

    def _last_round(self, traffic: Traffic, supervisor: Supervisor) -> list[str]:
        """Who of the workers is up and takes nothing: executions enough for all at once."""
        groups = supervisor.groups()
        began = time.monotonic()
        threads = [
            threading.Thread(target=traffic.send, args=(Random(self._random.random()), "Slow"))
            for _ in range(_LAST_EXECUTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._settle(traffic)
        seen = {each.group for each in lines.read(self._lines) if each.at > began}
        return [name for name in WORKERS if groups[name] not in seen]

    @property
    def _lines(self) -> Path:
        return self._atom.directory / "lines"

    def _judge(
        self,
        traffic: Traffic,
        supervisor: Supervisor,
        settled: float | None,
        idle_workers: Sequence[str],
    ) -> Outcome:
        atom = self._atom
        with Redis.from_url(atom.redis.url) as client:
            evidence = Evidence(
                flows=flow_evidence(traffic.sent),
                executions=executions_in(client),
                lines=list(lines.read(self._lines)),
                keys=[*keys_in(client), *self._queues(client)],
                synchronous=traffic.synchronous,
                logs=logs_in(atom.directory),
                lost_writes=supervisor.lost_writes,
                idle_workers=idle_workers,
                max_attempts=MAX_ATTEMPTS,
            )
        return Outcome(
            plan=self._plan,
            evidence=evidence,
            violations=check(evidence),
            faults=supervisor.counts,
            misbehaviour=self._misbehaviour.counts,
            remarks=supervisor.remarks,
            deliberate_duplicates=traffic.deliberate_duplicates,
            retries=self._operator.retries,
            settled_seconds=settled,
            orphans=len(atom.orphans()),
            logs=atom.directory,
        )
