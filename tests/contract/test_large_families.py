"""Many children: no script looks at all of them, and a death between two pieces loses nothing."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from atom import names
from atom.catalog import Catalog
from atom.errors import StoreUnavailable
from atom.execution.ending import cancel
from atom.execution.recovery import _CHILDREN_AT_ONCE
from atom.records import Restart, State, Step, StepKind
from atom.store import RedisStore
from atom.suspension import Wait, WaitKind
from tests.contract.conftest import short_times
from tests.contract.test_ending_and_restarting import RESPONSE, hold, running
from tests.support.children import begun, child, join_of
from tests.support.executions import an_attempt
from tests.support.permissions import grant

DAY_MS = 86_400_000
WAIT = Wait(name="items", kind=WaitKind.CHILDREN, until=None)
FAILED_STEP = Step("items", '["no"]', StepKind.FAILURE)


@pytest.fixture
def settings(embedded_redis):
    return short_times(grant(embedded_redis.url))


@pytest.fixture
def store(settings, raw) -> Iterator[RedisStore]:
    told: list[Any] = []
    store = RedisStore(settings, on_released=told.extend)
    store.set_windows({"processes": 10})
    yield store
    store.close()


def parked(store, parent):
    store.record_delivery(store.claim_delivery(parent.id), "parked", an_attempt())


def complete(store, ids):
    for each in ids:
        content = b'{"result":"%s"}' % each.encode()
        store.finish(hold(store, each), State.COMPLETED, content, "")


def expiries(raw, ids):
    """In days, rounded up; -1 for what does not expire."""
    parts = [names.execution_key(each) + part for each in ids for part in ("", ":documents")]
    with raw.pipeline(transaction=False) as pipeline:
        for each in parts:
            pipeline.pttl(each)
        found = pipeline.execute()
    return Counter(-1 if each == -1 else -(-each // DAY_MS) for each in found)


# --- what a script costs


class Costs:
    """How many commands Redis ran in the most expensive call of each script."""

    def __init__(self, raw: redis.Redis) -> None:
        self._raw = raw
        self.most: Counter[str] = Counter()

    def commands(self) -> int:
        found = self._raw.info("commandstats")
        return sum(each["calls"] for name, each in found.items() if name != "cmdstat_info")

    @contextmanager
    def counted(self, store: RedisStore) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, script in list(vars(store._scripts).items()):
                patch.setattr(store._scripts, name, self._counting(name, script))
            yield

    def _counting(self, name: str, script: Any) -> Any:
        def call(*arguments: Any) -> Any:
            before = self.commands()
            try:
                return script(*arguments)
            finally:
                self.most[name] = max(self.most[name], self.commands() - before)

        return call


def walk(store, raw, total):
    """A map that is cancelled, run again, fails, is run again and ends; the cost of each script."""
    costs = Costs(raw)
    with costs.counted(store):
        claim = running(store)
        ids = begun(store, claim, total, width=5)
        store.suspend(claim, WAIT)
        complete(store, ids[:3])
        cancel(Catalog([]), store, claim.id)
        parked(store, claim)
        assert store.restart(claim.id, from_start=False) is Restart.RESTARTED
        again = hold(store, claim.id)
        ids = begun(store, again, total, width=5)
        complete(store, ids[3:6])
        store.close_join(again, 1, FAILED_STEP)
        store.finish(again, State.FAILED, RESPONSE, "why")
        parked(store, again)
        assert store.replay(claim.id).is_due
        parked(store, again)
        assert store.dismiss(claim.id)
        while store.tend_families(_CHILDREN_AT_ONCE):
            pass
        assert store.restart(claim.id, from_start=True) is Restart.RESTARTED
        last = hold(store, claim.id)
        begun(store, last, total, width=5)
        store.finish(last, State.COMPLETED, RESPONSE, "")
        while store.tend_families(_CHILDREN_AT_ONCE):
            pass
        store.trim(10)
    return costs.most


def test_no_script_costs_more_where_there_are_more_children(store, raw):
    small, large = walk(store, raw, 300), walk(store, raw, 1200)
    assert set(small) == set(large)
    for name, most in large.items():
        assert most <= 1.2 * small[name] + 20, (name, small[name], most)
        assert most < 4_000, name


# --- a death between two pieces


def test_children_are_kept_with_their_parent_piece_by_piece(store, raw, settings):
    claim = running(store)
    ids = begun(store, claim, 250, width=250)
    complete(store, ids)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    assert expiries(raw, ids) == {32: 500}  # rounded up
    parked(store, claim)
    first = expiries(raw, ids)
    assert first[-1] < 500  # there are more of them than one script looks at
    pieces = 0
    while expiries(raw, ids)[-1] < 500:
        after_a_death = RedisStore(settings)
        assert after_a_death.tend_families(30) == 30
        after_a_death.close()
        pieces += 1
    assert pieces > 3
    store.tend_families(100)
    assert store.tend_families(100) == 0
    assert store.dismiss(claim.id)
    assert expiries(raw, [claim.id]) == {-1: 2}  # else nobody would find the others
    while store.tend_families(30):
        assert expiries(raw, [claim.id])[-1] == 2 or expiries(raw, ids) == {31: 500}
    assert expiries(raw, [claim.id, *ids]) == {31: 502}
    assert not raw.exists(names.FAMILIES)


def test_a_parent_that_is_needed_again_meanwhile_keeps_all_its_children(store, raw):
    claim = running(store)
    ids = begun(store, claim, 250, width=250)
    complete(store, ids)
    store.finish(claim, State.FAILED, RESPONSE, "why")
    parked(store, claim)
    assert store.dismiss(claim.id)
    store.tend_families(50)
    assert store.restart(claim.id, from_start=False) is Restart.RESTARTED
    while store.tend_families(50):
        pass
    assert expiries(raw, [claim.id, *ids]) == {-1: 502}


def test_children_of_children_are_kept_too(store, raw):
    claim = running(store)
    ids = begun(store, claim, 120, width=120)
    nested = []
    for each in ids[:3]:
        parent = hold(store, each)
        nested += begun(store, parent, 60, width=60)
        complete(store, nested[-60:])
        store.finish(parent, State.COMPLETED, RESPONSE, "")
    complete(store, ids[3:])
    store.finish(claim, State.FAILED, RESPONSE, "why")
    for end in (lambda: parked(store, claim), lambda: store.dismiss(claim.id)):
        end()
        while store.tend_families(7):
            pass
        assert len(expiries(raw, [claim.id, *ids, *nested])) == 1
    assert not raw.keys("atom:execution:*:family")


def test_what_completed_is_taken_over_after_a_death_in_between(store, raw, monkeypatch):
    claim = running(store)
    ids = begun(store, claim, 260, width=260)
    complete(store, ids[:250])
    store.finish(hold(store, ids[255]), State.FAILED, b"{}", "why")
    store.close_join(claim, 1, FAILED_STEP)
    store.hand_back(claim, failed="no")
    again, adopt, calls = hold(store, claim.id), store._scripts.adopt, []

    def die(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise StoreUnavailable("It died here.")
        return adopt(*arguments)

    monkeypatch.setattr(store._scripts, "adopt", die)
    with pytest.raises(StoreUnavailable):
        store.open_join(again, join_of(260, 260))
    store.release(again)
    monkeypatch.undo()
    again = hold(store, claim.id)
    join = store.open_join(again, join_of(260, 260))
    assert join.ids == dict(enumerate(ids[:250]))
    assert {json.loads(each.response)["result"] for each in join.ends.values()} == set(ids[:250])
    missing = {n: child(claim.id, join.nonce, n) for n in range(250, 260)}
    store.spawn(again, missing)
    store.suspend(again, WAIT)
    for each in missing.values():
        assert store.get(claim.id).state is State.SUSPENDED
        complete(store, [each.id])
    assert store.get(claim.id).state is State.ACCEPTED


def test_nothing_is_left_of_a_join_that_was_left(store, raw):
    """Results may have secrets, which are forgotten with it."""
    claim = running(store)
    ids = begun(store, claim, 3, width=1)
    store.finish(hold(store, ids[0]), State.COMPLETED, b"{}", "", b'{"result":"canary"}')
    assert b'completed {"result":"canary"}' in raw.hvals(names.join_key(claim.id))
    store.finish(claim, State.FAILED, RESPONSE, "why")
    store.record_delivery(store.claim_delivery(claim.id), "delivered", an_attempt())
    kept = {each.decode() for each in raw.keys(f"{names.execution_key(claim.id)}*")}
    assert not [each for each in kept if each.endswith((":join", ":held", ":family"))]
    assert b"canary" not in b"".join(raw.hvals(f"{names.execution_key(claim.id)}:documents"))
