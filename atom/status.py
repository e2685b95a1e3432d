"""How it stands with a whole Atom, and what is wrong with it: in sentences, with what helps.

`take_stock` asks store and broker; `judge` is a function of what they said, and asks nobody.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from atom.durations import duration
from atom.errors import PublishFailed, StoreUnavailable
from atom.history import HistoryFacts
from atom.names import CALLBACKS, LISTENER, PROCESSES, RECOVERY
from atom.overview import Overview, QueueState
from atom.records import Presence, ServerFacts
from atom.store import ExecutionStore

# What waits no longer than this is on its way: an outage of seconds is nobody's business.
_LATE: Final = timedelta(seconds=60)
_ALMOST: Final = 0.9
# For how long a change of the store's clock is reported.
_CLOCK_NEWS: Final = timedelta(hours=1)
# Fewer cut-off clients are everyday life on a network.
_MANY_CUT_OFF: Final = 10
_LONG_THREAD_WAIT: Final = 1.0  # seconds


class Severity(StrEnum):
    """What a finding asks of a person."""

    ERROR = "error"  # something is not done, or may be lost
    WARNING = "warning"  # it goes on, but somebody should look
    NOTE = "note"  # it is as somebody wanted it

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to do something."""
        return self is not Severity.NOTE


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, in a sentence, and the command that helps ("": there is none)."""

    severity: Severity
    sentence: str
    command: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} → {self.command}" if self.command else self.sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What store and broker say at one moment."""

    overview: Overview
    presences: Sequence[Presence]
    queues: Sequence[str]  # that processes are declared for; empty where no service is known
    facts: ServerFacts | None = None  # None: unknown, the Redis user may not run INFO
    history: HistoryFacts | None = None  # None: there is no history database
    messages: Mapping[str, int] | None = None  # by queue; None: the broker does not say
    broker_problem: str = ""
    store_problem: str = ""  # why it takes no writes

    def workers(self, queue: str) -> Sequence[Presence]:
        """Return the live workers of a queue, or the instances of another role."""
        return [each for each in self.presences if each.role == queue]

    def places(self, queue: str) -> tuple[int, int]:
        """How many executions the workers of a queue run now, and how many they could."""
        details = [each.details for each in self.workers(queue)]
        return (
            sum(int(each.get("busy", 0)) for each in details),
            sum(int(each.get("concurrency", 0)) for each in details),
        )

    def served(self) -> Sequence[str]:
        """The queues of processes: those declared, served or waited in."""
        of_workers = {each.role for each in self.presences if "concurrency" in each.details}
        known = {*self.declared, *of_workers, *self.overview.queues}
        return sorted(known - {CALLBACKS})

    @property
    def declared(self) -> Sequence[str]:
        """The queues that need a worker, whether something waits there or not."""
        return self.queues or (PROCESSES,)

    def waiting(self, queue: str) -> QueueState:
        """What waits in a queue."""
        return self.overview.queues.get(queue, QueueState(0, None))

    def age(self, presence: Presence) -> float:
        """For how many seconds nothing was seen of a role."""
        return max(0.0, (self.overview.at - presence.seen_at).total_seconds())


def take_stock(
    store: ExecutionStore, waiting: Callable[[str], int], queues: Iterable[str]
) -> Situation:
    """Ask everything there is to ask.

    Args:
        store: where the executions are.
        waiting: how many messages the broker has in a queue; raises PublishFailed.
        queues: those that processes are declared for.

    Raises:
        StoreUnavailable: then nothing is known.
    """
    situation = Situation(
        overview=store.overview(),
        presences=store.presences(),
        queues=sorted(queues),
        facts=store.facts(),
        history=store.history_facts(),
    )
    messages, problem = ask_broker(waiting, [*situation.served(), CALLBACKS])
    return Situation(
        overview=situation.overview,
        presences=situation.presences,
        queues=situation.queues,
        facts=situation.facts,
        history=situation.history,
        messages=messages,
        broker_problem=problem,
        store_problem=_write_problem(store),
    )


def _write_problem(store: ExecutionStore) -> str:
    try:
        store.check_writable()
    except StoreUnavailable as error:
        return str(error)
    return ""


def ask_broker(
    waiting: Callable[[str], int], queues: Iterable[str]
) -> tuple[Mapping[str, int] | None, str]:
    """The messages in each queue, or None and why it does not say."""
    try:
        return {queue: waiting(queue) for queue in queues}, ""
    except PublishFailed as error:
        return None, str(error)


def judge(situation: Situation) -> Sequence[Finding]:
    """Everything that is wrong, the worst first."""
    found = [
        *judge_roles(situation),
        *_judge_queues(situation),
        *_judge_executions(situation.overview),
        *_judge_callbacks(situation.overview),
        *_judge_servers(situation.presences),
        *_judge_versions(situation.presences),
        *_judge_clock(situation.overview),
        *(_judge_server(situation.facts) if situation.facts else _judge_unknown_server()),
        *(_judge_history(situation.history) if situation.history else ()),
        *_judge_paused(situation.overview),
    ]
    return sorted(found, key=lambda each: list(Severity).index(each.severity))


def judge_roles(situation: Situation) -> Iterator[Finding]:
    """Who is missing: what is accepted is kept, and not done."""
    if situation.store_problem:
        yield Finding(
            Severity.ERROR,
            f"{situation.store_problem.rstrip('.')}. No request is accepted, and what runs waits.",
        )
    if situation.broker_problem:
        yield Finding(
            Severity.ERROR,
            f"{situation.broker_problem.rstrip('.')}. What is accepted is published when it does.",
        )
    if not situation.workers(LISTENER):
        yield Finding(
            Severity.ERROR, "No listener is seen: no flow can ask for anything.", "atom listener"
        )
    for queue in situation.served():
        state = situation.waiting(queue)
        if not situation.workers(queue) and (queue in situation.declared or state.waiting):
            yield _unserved(queue, state, is_declared=queue in situation.declared)
    if not situation.workers(CALLBACKS):
        yield Finding(
            Severity.ERROR,
            f"Nobody delivers callbacks ({situation.overview.callbacks_due} are due): no flow is "
            "resumed.",
            f"atom worker --queues {CALLBACKS}",
        )
    if not situation.workers(RECOVERY):
        yield Finding(
            Severity.ERROR,
            "Recovery is not seen: nothing takes over from lost workers, ends what is overdue or "
            "tries a callback again.",
            "atom recovery",
        )


def _unserved(queue: str, state: QueueState, *, is_declared: bool) -> Finding:
    where = ""
    if state.waiting:
        many = "1 execution waits" if state.waiting == 1 else f"{state.waiting} executions wait"
        where = f", where {many} since {_clock(state.oldest_at)}"
    if not is_declared:
        where += "; no service that is declared here uses it"
    return Finding(
        Severity.ERROR if state.waiting else Severity.WARNING,
        f"No worker serves the queue “{queue}”{where}.",
        f"atom worker --queues {queue}",
    )


def _judge_queues(situation: Situation) -> Iterator[Finding]:
    for queue in situation.served():
        state, workers = situation.waiting(queue), situation.workers(queue)
        if workers and state.waiting and _is_late(situation.overview, state.oldest_at):
            yield _behind(situation, queue, state, len(workers))
    for process, count in situation.overview.held_back.items():
        yield Finding(
            Severity.NOTE,
            f"As many of {process} run as may (max_concurrency); {count} more wait for that.",
            "atom executions list --state accepted",
        )


def _behind(situation: Situation, queue: str, state: QueueState, workers: int) -> Finding:
    busy, places = situation.places(queue)
    since = (
        f"{state.waiting} wait in the queue “{queue}”, the first since {_clock(state.oldest_at)}"
    )
    if busy >= places:
        return Finding(
            Severity.WARNING,
            f"{since}: all {places} places of its {workers} worker(s) are taken.",
            f"atom worker --queues {queue}",
        )
    if situation.overview.held_back:
        return Finding(
            Severity.WARNING,
            f"{since}: it may be for the max_concurrency of its process.",
            "atom executions list --state accepted",
        )
    return Finding(
        Severity.ERROR,
        f"{since}, although only {busy} of {places} places of its {workers} worker(s) are "
        "taken: look at their logs, and whether recovery publishes again.",
        "atom executions list --state accepted",
    )


def _judge_executions(overview: Overview) -> Iterator[Finding]:
    if overview.failed:
        many = "1 execution" if overview.failed == 1 else f"{overview.failed} executions"
        yield Finding(
            Severity.WARNING,
            f"{many} failed or timed out and {'is' if overview.failed == 1 else 'are'} not "
            "acknowledged: `atom executions show ID` names what can be done.",
            "atom executions list --inbox",
        )
    if overview.held:
        many = "1 execution is" if overview.held == 1 else f"{overview.held} executions are"
        yield Finding(
            Severity.WARNING,
            f"{many} held: their journal does not fit the code of the workers. Deploy a mended "
            "version, or roll back; they resume by themselves.",
            "atom executions list --held",
        )
    if overview.lost:
        yield Finding(
            Severity.WARNING,
            f"{_some(overview.lost, 'execution')} without the worker that ran it, and no other has "
            "taken over yet.",
            "atom executions list --state running",
        )
    if overview.overdue_deadlines:
        yield Finding(
            Severity.WARNING,
            f"{_some(overview.overdue_deadlines, 'execution')} past the deadline and not ended "
            "yet, which recovery does.",
        )


def _judge_callbacks(overview: Overview) -> Iterator[Finding]:
    if _is_late(overview, overview.callbacks_late_since):
        yield Finding(
            Severity.ERROR,
            f"Callbacks are late: the first was due at {_clock(overview.callbacks_late_since)}.",
            f"atom worker --queues {CALLBACKS}",
        )
    if overview.parked:
        yield Finding(
            Severity.WARNING,
            f"{_some(overview.parked, 'callback')} parked: no further try is made until somebody "
            "asks for it.",
            "atom callbacks list",
        )
    for host, until in sorted(overview.open_circuits.items()):
        yield Finding(
            Severity.WARNING,
            f"Nothing is sent to {host} before {until:%H:%M:%S} UTC: it answered badly, or not at "
            "all, five times in a row. Its callbacks are kept.",
        )


def _judge_servers(presences: Iterable[Presence]) -> Iterator[Finding]:
    """Report servers that cut off clients or have no free thread."""
    for presence in presences:
        server, details = f"The {presence.role} {presence.instance}", presence.details
        cut_off = int(details.get("cut_off_per_minute", 0))
        if cut_off >= _MANY_CUT_OFF:
            yield Finding(
                Severity.WARNING,
                f"{server} closed {cut_off} connections of slow clients in the last minute: check "
                "who connects (its metric atom_connections_closed_total has the reasons).",
            )
        waited = float(details.get("thread_wait_seconds", 0))
        if waited >= _LONG_THREAD_WAIT:
            threads = details.get("threads", "?")
            is_listener = presence.role == LISTENER
            advice = "raise ATOM_LISTENER_THREADS, or " if is_listener else ""
            yield Finding(
                Severity.WARNING,
                f"{server} answers as many requests at once as it has threads ({threads}), and "
                f"another one has waited for {duration(round(waited))}: {advice}check what they "
                "wait for.",
            )


def _judge_versions(presences: Iterable[Presence]) -> Iterator[Finding]:
    """Roles of different versions: for a while, while they are replaced."""
    versions: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for each in presences:
        versions["flow-atom"][each.details["version"]].add(each.role)
        for service in filter(None, each.details["services"].split(", ")):
            name, _, version = service.rpartition(" ")
            versions[f"the service “{name}”"][version].add(each.role)
    for what, roles in versions.items():
        known = {version: names for version, names in roles.items() if version}
        if len(known) > 1:
            told = "; ".join(f"{each}: {', '.join(sorted(known[each]))}" for each in sorted(known))
            yield Finding(
                Severity.WARNING,
                f"Roles have different versions of {what} ({told}): restart those with the old "
                "one.",
            )


def _judge_clock(overview: Overview) -> Iterator[Finding]:
    change = overview.clock_change
    if change is None or overview.at - change.at > _CLOCK_NEWS:
        return
    seconds = f"{abs(change.seconds):.0f} s at {change.at:%H:%M} UTC"
    if change.seconds < 0:
        sentence = f"set back by {seconds}. Due times were recomputed."
    else:
        sentence = f"set forward by {seconds}. Waits, retries and timeouts ended early by that."
    yield Finding(
        Severity.WARNING,
        f"The clock of Redis was {sentence} Synchronize the clock of its host.",
    )


def _judge_unknown_server() -> Iterator[Finding]:
    yield Finding(
        Severity.NOTE,
        "Memory, eviction policy, replication and persistence of Redis are not checked: its user "
        "may not run INFO. Permit it (+info), or make sure of maxmemory-policy noeviction and "
        "appendonly yes.",
    )


def _judge_server(facts: ServerFacts) -> Iterator[Finding]:
    if facts.is_replica:
        yield Finding(
            Severity.ERROR, "This Redis is a replica: name the primary one in ATOM_REDIS_URL."
        )
    if facts.max_bytes and facts.policy not in ("noeviction", ""):
        yield Finding(
            Severity.ERROR,
            f"Redis evicts keys when it is full (maxmemory-policy {facts.policy}; "
            f"{facts.evicted} so far): executions are lost.",
            "redis-cli config set maxmemory-policy noeviction",
        )
    if facts.max_bytes and facts.used_bytes >= _ALMOST * facts.max_bytes:
        yield Finding(
            Severity.ERROR,
            f"Redis is almost full: {megabytes(facts.used_bytes)} of "
            f"{megabytes(facts.max_bytes)}; then no request is accepted. Raise maxmemory, or lower "
            "ATOM_RETENTION_DAYS.",
        )
    if facts.max_clients and facts.clients >= _ALMOST * facts.max_clients:
        yield Finding(
            Severity.WARNING,
            f"Redis has {facts.clients} of at most {facts.max_clients} clients: raise maxclients.",
        )
    if facts.failed:
        yield Finding(
            Severity.ERROR,
            f"Redis cannot write to disk ({', '.join(facts.failed)}): look at its log and at the "
            "room on its disk.",
        )
    if not facts.is_append_only:
        yield Finding(
            Severity.WARNING,
            "Redis writes no append-only file: what it accepted last is lost when it dies.",
            "redis-cli config set appendonly yes",
        )


def _judge_history(history: HistoryFacts) -> Iterator[Finding]:
    if history.problem:
        yield Finding(
            Severity.WARNING,
            f"{history.problem} What has finished stays in Redis until it does, and what was moved "
            "there is not shown.",
        )


def _judge_paused(overview: Overview) -> Iterator[Finding]:
    for target, since in sorted(overview.paused.items()):
        everything = target == "*"
        yield Finding(
            Severity.NOTE,
            f"{'Every service' if everything else f'“{target}”'} takes no new requests since "
            f"{_clock(since)}.",
            "atom listeners resume" if everything else f"atom listeners resume {target}",
        )


def megabytes(count: int) -> str:
    """Bytes as people read them."""
    return f"{count / 1_048_576:,.1f} MB"


def _is_late(overview: Overview, since: datetime | None) -> bool:
    return since is not None and overview.at - since > _LATE


def _clock(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "?"


def _some(count: int, noun: str) -> str:
    return f"1 {noun} is" if count == 1 else f"{count} {noun}s are"
