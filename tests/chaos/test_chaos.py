"""Chaos in small: the same code as `make chaos`, half a minute of faults and a fixed seed."""

import pytest

from tests.chaos.campaign import LEASE_SECONDS, Plan, run
from tests.chaos.report import tell
from tests.chaos.schedule import PAUSE, RABBITMQ, REDIS, schedule
from tests.support.rabbitmq import require

KINDS = {REDIS: 18, RABBITMQ: 22}  # of faults, over all roles, by broker


@pytest.mark.timeout(600)
@pytest.mark.parametrize("broker", KINDS)
def test_nothing_is_lost_while_everything_breaks(request, tmp_path, broker):
    if broker == RABBITMQ:
        require(request.node.name)
    told: list[str] = []
    plan = Plan(seed=7, duration=27, flows=40, broker=broker)
    outcome = run(plan, tmp_path, told.append)
    tell(outcome, told.append)
    report = "\n".join(told)
    assert not outcome.violations, report
    assert outcome.settled_seconds is not None, report
    # It was put to the test at all: on any machine each flow in flight is asked for and each fault
    # of the schedule done, but for a child or a role that is not there at that moment.
    assert sum(flow.is_accepted for flow in outcome.evidence.flows) >= plan.flows, report
    assert outcome.faults.total() >= KINDS[broker] - 3, report
    assert outcome.retries > 0, report


def test_a_schedule_is_the_same_for_the_same_seed():
    assert schedule(7, 300, 2.8, LEASE_SECONDS) == schedule(7, 300, 2.8, LEASE_SECONDS)
    assert schedule(7, 300, 2.8, LEASE_SECONDS) != schedule(8, 300, 2.8, LEASE_SECONDS)


@pytest.mark.parametrize(("duration", "interval", "fewest"), [(300, 2.8, 90), (27, 27 / 22, 18)])
def test_a_schedule_has_every_kind_and_enough_of_them(duration, interval, fewest):
    for seed in range(20):
        faults = schedule(seed, duration, interval, LEASE_SECONDS)
        assert len(faults) >= fewest
        assert len({each.described for each in faults}) == KINDS[REDIS]
        assert all(
            each.seconds > LEASE_SECONDS
            for each in faults
            if each.kind == PAUSE and each.target != "redis"
        )


def test_a_schedule_with_rabbitmq_breaks_that_too():
    faults = schedule(7, 300, 2.8, LEASE_SECONDS, RABBITMQ)
    assert len({each.described for each in faults}) == KINDS[RABBITMQ]
