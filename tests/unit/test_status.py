"""What is said to be wrong, of situations made up here."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from atom.names import CALLBACKS, LISTENER, RECOVERY
from atom.overview import ClockChange, Overview, QueueState
from atom.records import Presence, ServerFacts
from atom.status import Severity, Situation, judge

NOW = datetime(2026, 1, 31, 14, 3, tzinfo=UTC)
LONG_AGO = NOW - timedelta(minutes=2)
JUST_NOW = NOW - timedelta(seconds=5)

QUIET = Overview(
    at=NOW,
    queues={},
    scheduled=0,
    suspended=0,
    running=0,
    lost=0,
    overdue_deadlines=0,
    callbacks_due=0,
    callbacks_late_since=None,
    parked=0,
    failed=0,
    open_circuits={},
    paused={},
    counters={},
    stored=0,
    held_back={},
)
HEALTHY = ServerFacts(
    version="7.2",
    used_bytes=50,
    max_bytes=100,
    policy="noeviction",
    evicted=0,
    clients=5,
    max_clients=100,
    is_append_only=True,
    is_replica=False,
    failed=(),
)


def seen(role, instance="a@host", **details):
    return Presence(role, instance, JUST_NOW, {"version": "1", "services": "", **details})


def worker(queue, busy=0, concurrency=2, instance="a@host", **details):
    places = {"busy": str(busy), "concurrency": str(concurrency)}
    return seen(queue, instance, **places, **details)


EVERYBODY = [seen(LISTENER), worker("slow"), worker(CALLBACKS), seen(RECOVERY)]


def situation(overview=QUIET, presences=EVERYBODY, facts=HEALTHY, **changes):
    return Situation(
        overview=overview, presences=presences, facts=facts, **{"queues": ["slow"], **changes}
    )


def judged(*arguments, **changes):
    return [(each.severity.value, str(each)) for each in judge(situation(*arguments, **changes))]


def overview(**changes):
    return replace(QUIET, **changes)


def waiting(count, since, queue="slow"):
    return overview(queues={queue: QueueState(count, since)})


def test_nothing_is_wrong():
    assert judged() == []
    assert judged(waiting(3, JUST_NOW)) == []
    assert judged(overview(callbacks_due=7, callbacks_late_since=JUST_NOW, scheduled=4)) == []
    # The queue that there is by default is of no interest where no process uses it.
    assert judged(overview(queues={"processes": QueueState(0, None)})) == []


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (LISTENER, "error: No listener is seen: no flow can ask for anything. → atom listener"),
        ("slow", "warning: No worker serves the queue “slow”. → atom worker --queues slow"),
        (
            CALLBACKS,
            "error: Nobody delivers callbacks (0 are due): no flow is resumed. → "
            "atom worker --queues callbacks",
        ),
        (
            RECOVERY,
            "error: Recovery is not seen: nothing takes over from lost workers, ends what is "
            "overdue or tries a callback again. → atom recovery",
        ),
    ],
)
def test_somebody_is_missing(missing, says):
    presences = [each for each in EVERYBODY if each.role != missing]
    assert [": ".join(each) for each in judged(presences=presences)] == [says]


def test_work_waits_and_nobody_does_it():
    presences = [each for each in EVERYBODY if each.role != "slow"]
    ((severity, said),) = judged(waiting(12, LONG_AGO), presences)
    assert severity == "error"
    assert said == (
        "No worker serves the queue “slow”, where 12 executions wait since 2026-01-31 14:01 UTC. → "
        "atom worker --queues slow"
    )
    ((_, said),) = judged(waiting(1, LONG_AGO, "old"))
    assert "“old”, where 1 execution waits since" in said
    assert "no service that is declared here uses it" in said


def test_without_services_the_queues_are_those_in_use():
    ((_, said),) = judged(queues=[])
    assert "No worker serves the queue “processes”" in said
    others = [*EVERYBODY, worker("processes")]
    assert judged(queues=[], presences=others) == []


def test_a_process_is_at_its_limit():
    ((severity, said),) = judged(overview(held_back={"Shop.Buy": 12}))
    assert severity == "note"
    assert said.startswith("As many of Shop.Buy run as may (max_concurrency); 12 more wait")
    long = replace(waiting(12, LONG_AGO), held_back={"Shop.Buy": 12})
    late, note = judged(long)
    assert late[0] == "warning"
    assert "it may be for the max_concurrency of its process" in late[1]
    assert note[0] == "note"


def test_work_waits_long():
    full = [each for each in EVERYBODY if each.role != "slow"] + [worker("slow", busy=2)]
    ((severity, said),) = judged(waiting(9, LONG_AGO), full)
    assert severity == "warning"
    assert "9 wait in the queue “slow”, the first since 2026-01-31 14:01 UTC: all 2 places" in said
    ((severity, said),) = judged(waiting(9, LONG_AGO))
    assert severity == "error"
    assert "although only 0 of 2 places of its 1 worker(s) are taken" in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lost": 2}, "2 executions are without the worker that ran it"),
        ({"overdue_deadlines": 1}, "1 execution is past the deadline"),
        ({"callbacks_late_since": LONG_AGO}, "the first was due at 2026-01-31 14:01 UTC"),
        ({"failed": 1}, "1 execution failed or timed out and is not acknowledged"),
        ({"failed": 7}, "7 executions failed or timed out and are not acknowledged"),
        ({"parked": 3}, "3 callbacks are parked: no further try is made until somebody asks"),
        ({"open_circuits": {"flow.example": NOW}}, "Nothing is sent to flow.example before 14:03"),
    ],
)
def test_executions_and_callbacks_in_trouble(changes, says):
    ((severity, said),) = judged(overview(**changes))
    assert severity in ("warning", "error")
    assert says in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"policy": "allkeys-lru", "evicted": 4}, "evicts keys when it is full (maxmemory-policy"),
        ({"used_bytes": 95}, "Redis is almost full"),
        ({"clients": 99}, "99 of at most 100 clients"),
        ({"failed": ("AOF",)}, "cannot write to disk (AOF)"),
        ({"is_append_only": False}, "writes no append-only file"),
        ({"is_replica": True}, "is a replica"),
    ],
)
def test_a_redis_that_is_not_as_it_should_be(changes, says):
    ((_, said),) = judged(facts=replace(HEALTHY, **changes))
    assert says in said


def test_a_redis_without_a_limit_evicts_nothing():
    assert judged(facts=replace(HEALTHY, max_bytes=0, policy="allkeys-lru")) == []


def test_different_versions():
    old = worker("slow", instance="b@host", services="Shop 1, Big shop 2")
    new = worker("slow", instance="c@host", services="Shop 1, Big shop 3")
    ((severity, said),) = judged(presences=[*EVERYBODY, old, new])
    assert severity == "warning"
    assert "different versions of the service “Big shop” (2: slow; 3: slow)" in said
    old = seen("console", "b@host", version="0.9")
    ((_, said),) = judged(presences=[*EVERYBODY, old])
    assert "different versions of flow-atom (0.9: console; 1: callbacks, listener" in said


def test_a_broker_that_is_away_comes_first_and_what_is_wanted_last():
    paused = overview(paused={"*": LONG_AGO, "Shop.Buy": LONG_AGO}, parked=1)
    found = judged(paused, broker_problem="The broker at amqp://b does not answer: refused")
    assert [severity for severity, _ in found] == ["error", "warning", "note", "note"]
    assert found[0][1].startswith("The broker at amqp://b does not answer: refused. What is")
    assert found[2][1].endswith("→ atom listeners resume")
    assert found[3][1].endswith("“Shop.Buy” takes no new requests since 2026-01-31 14:01 UTC. → "
                                "atom listeners resume Shop.Buy")  # fmt: skip
    assert [each.needs_a_person for each in Severity] == [True, True, False]


def test_unknown_server_facts_are_a_note():
    (finding,) = judged(facts=None)
    assert finding[0] == "note"
    assert "may not run INFO" in finding[1]


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        ({"cut_off_per_minute": "9", "thread_wait_seconds": "0.9"}, ""),
        ({"cut_off_per_minute": "57"}, "closed 57 connections of slow clients"),
        ({"thread_wait_seconds": "4.2", "threads": "32"}, "has waited for 4 s"),
    ],
)
def test_server_in_trouble_is_reported(details, sentence):
    listener = seen(LISTENER, **details)
    findings = judge(situation(presences=[listener, *EVERYBODY[1:]]))
    assert [finding.severity for finding in findings] == [Severity.WARNING] * bool(sentence)
    assert all(sentence in finding.sentence for finding in findings)


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [
        (-3600.0, "The clock of Redis was set back by 3600 s"),
        (60.4, "The clock of Redis was set forward by 60 s"),
    ],
)
def test_a_change_of_the_clock_is_a_warning_for_an_hour(seconds, sentence):
    recent = ClockChange(QUIET.at - timedelta(minutes=59), seconds)
    ((severity, found),) = judged(overview(clock_change=recent))
    assert severity == "warning"
    assert found.startswith(sentence)
    old = ClockChange(QUIET.at - timedelta(minutes=61), seconds)
    assert judged(overview(clock_change=old)) == []
