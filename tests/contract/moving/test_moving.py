"""What has ended goes to the history database, whole and once, whatever happens meanwhile."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from atom import names
from atom.entries import EntryKey
from atom.history import ExecutionFilter
from atom.records import CallbackState, LogLine, Restart, State, Step
from atom.store import RedisStore
from atom.suspension import Signalled
from tests.support.executions import an_attempt, new_execution
from tests.support.moving import RESPONSE, end, everything, keys_of, move, move_these, settled
from tests.support.waiting import until

DAY_MS = 86_400_000


def ids(store, **wanted):
    return [each.id for each in store.find(100, ExecutionFilter(**wanted)).executions]


def in_redis(settings, execution_id):
    store = RedisStore(settings)
    found = store.get(execution_id)
    store.close()
    return found is not None


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAULTED, State.FAILED])
def test_all_that_is_known_of_it_is_known_afterwards(store, settings, raw, state):
    execution_id = settled(store, state)
    before = everything(store, execution_id)
    assert move(store) == 1
    assert everything(store, execution_id) == before
    assert before[0]["request"] is not None
    assert before[1][0].message == "Begun."
    assert keys_of(raw, execution_id) == [f"{names.execution_key(execution_id)}:known"]
    assert not in_redis(settings, execution_id)
    for index in raw.scan_iter("atom:history*"):
        if raw.type(index) == b"zset":
            assert raw.zcard(index) == 0
    assert raw.exists(names.IN_BOTH) == 0
    assert move(store) == 0


def test_a_signal_is_told_of_the_end_in_both_places(store, settings):
    new = new_execution()
    store.accept(new)
    claim = store.claim(new.id, "w", "1")
    token = store.signal_token(claim, "approval")
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    store.record_delivery(store.claim_delivery(new.id), "delivered", an_attempt())
    for _ in range(2):
        assert store.signal(new.id, "approval", "1", token) is Signalled.ENDED
        assert store.signal(new.id, "approval", "1", token[1:]) is Signalled.REFUSED
        move(store)
    assert not in_redis(settings, new.id)
    store.restart(new.id, from_start=True)
    assert store.signal(new.id, "approval", "1", token) is Signalled.KEPT


def test_moved_execution_is_retried_from_a_step_with_its_signals(store, settings):
    new = new_execution()
    store.accept(new)
    claim = store.claim(new.id, "w", "1")
    store.signal(new.id, "approval", '"yes"', None)
    for order, name in enumerate(["look up", "approval", "mail"], 1):
        store.record_step(claim, order, Step(name, '"yes"'))
    store.finish(claim, State.COMPLETED, b"{}", "")
    store.record_delivery(store.claim_delivery(new.id), "delivered", an_attempt())
    move(store)
    assert store.restart(new.id, from_step=EntryKey("other")) is Restart.NO_STEP
    assert not in_redis(settings, new.id), "nothing is changed"
    assert store.restart(new.id, from_step=EntryKey("approval")) is Restart.RESTARTED
    claim = store.claim(new.id, "w", "1")
    assert [step.name for step in store.steps(claim).values()] == ["look up"]
    assert store.signal_event(claim, "approval").event == '"yes"'


def test_what_never_was_is_unknown(store):
    assert store.get("nobody") is None
    assert store.log("nobody") == []
    assert store.restart("nobody", from_start=True) is Restart.UNKNOWN


def test_what_somebody_has_to_do_with_stays(store, settings):
    accepted, running = new_execution(), new_execution()
    for each in (accepted, running):
        store.accept(each)
    store.claim(running.id, "w", "1")
    due, sent = new_execution(), new_execution()
    for each in (due, sent):
        store.accept(each)
        store.finish(store.claim(each.id, "w", "1"), State.COMPLETED, RESPONSE, "")
    store.claim_delivery(sent.id)
    parked, kept = new_execution(), new_execution()
    store.accept(parked)
    end(store, parked.id, verdict="parked")
    store.accept(kept)
    store.finish(store.claim(kept.id, "w", "1"), State.COMPLETED, RESPONSE, "")
    store.record_delivery(store.claim_delivery(kept.id), "delivered", an_attempt(), keep=True)
    failed = new_execution()
    store.accept(failed)
    store.finish(store.claim(failed.id, "w", "1"), State.FAILED, RESPONSE, "")
    store.record_delivery(store.claim_delivery(failed.id), "delivered", an_attempt())
    assert move(store) == 0
    # … until somebody has seen to it.
    assert [each.id for each in store.failed(10)] == [failed.id]
    store.dismiss(failed.id)
    store.dismiss(parked.id)
    assert move(store) == 2
    assert not in_redis(settings, failed.id)
    assert store.get(parked.id).callback_state is CallbackState.DISMISSED
    for each in (accepted, running, due, sent, kept):
        assert in_redis(settings, each.id)


def test_it_stays_for_the_time_that_is_wanted(make_store, raw):
    store = make_store(history_after_hours=1)
    execution_id = settled(store)
    long_ago = raw.zscore(names.HISTORY, execution_id) - 3_500_000
    raw.hset(names.execution_key(execution_id), "finished_at", int(long_ago))
    raw.zadd(names.HISTORY, {execution_id: long_ago})
    assert move(store) == 0
    raw.hset(names.execution_key(execution_id), "finished_at", int(long_ago - 200_000))
    raw.zadd(names.HISTORY, {execution_id: long_ago - 200_000})
    assert move(store) == 1


def test_when_its_retention_is_over_nobody_is_waited_for(make_store, raw):
    """What waits for a person is not lost: it goes as well, without its secrets."""
    store = make_store(retention_days=0.0000001)
    canary = {"token": "canary-token", "authorization": "canary-authorization"}
    kept, failed = new_execution(**canary), new_execution(token="canary-2")
    for each, state in ((kept, State.COMPLETED), (failed, State.FAILED)):
        store.accept(each)
        claim = store.claim(each.id, "w", "1")
        store.finish(claim, state, RESPONSE, "", b'{"canary-private":1}')
        store.record_delivery(store.claim_delivery(each.id), "delivered", an_attempt(), keep=True)
    moved = []
    until(lambda: sum(moved) == 2 or moved.append(move(store)), "their retention to be over", 5)
    assert raw.zcard(names.FAILED) == 0
    assert sorted(ids(store)) == sorted([kept.id, failed.id])
    stored = store._sql.whole(kept.id)
    assert b"canary" not in repr(stored).encode()
    assert store.get(kept.id).response == {
        "invokeType": "FORWARD",
        "outputValues": [{"contentValue": "été"}],
    }


def test_a_request_that_comes_again_is_not_run_again(store, raw):
    new = new_execution()
    store.accept(new)
    end(store, new.id)
    move(store)
    again = store.accept(new)
    assert again == (new.id, False, False)
    known_ms = raw.pttl(f"{names.execution_key(new.id)}:known")
    assert 30 * DAY_MS < known_ms <= 30 * DAY_MS + 600_000  # the retention after its deadline
    assert ids(store) == [new.id]
    # What is forgotten here is not forgotten there: nobody finds a half of it.
    assert store.answer(new.id).response is None
    assert store.claim(new.id, "w", "1") is None
    assert keys_of(raw, new.id) == [f"{names.execution_key(new.id)}:known"]


def test_a_request_is_known_for_as_long_as_its_execution_would_have_been(store, raw):
    new = new_execution(timeout_seconds=1)
    store.accept(new)
    end(store, new.id)
    raw.hset(names.execution_key(new.id), "deadline", 1)
    move(store)
    assert 29 * DAY_MS < raw.pttl(f"{names.execution_key(new.id)}:known") <= 30 * DAY_MS


@pytest.mark.parametrize("when", ["before it is copied", "before it is removed"])
def test_one_that_runs_again_meanwhile_stays(store, settings, when):
    execution_id = settled(store, State.FAILED)
    taken = store.take_settled(10)
    copied = store.copy_settled(taken) if when == "before it is removed" else None
    assert store.restart(execution_id, from_start=False) is Restart.RESTARTED
    if copied is None:
        assert store.copy_settled(taken) == []
    else:
        assert store.remove_copied(copied) == 0
    assert store.get(execution_id).state is State.ACCEPTED
    assert ids(store) == ids(store, state=State.ACCEPTED) == [execution_id]
    assert ids(store, state=State.FAILED) == []
    assert store.count_states()[State.FAILED] == 0
    assert move(store) == 0
    end(store, execution_id, response=b'{"second":true}')
    assert move(store) == 1
    assert store.get(execution_id).response == {"second": True}
    assert ids(store) == ids(store, state=State.COMPLETED) == [execution_id]
    assert sum(store.count_states().values()) == 1
    assert not in_redis(settings, execution_id)


def test_a_line_of_its_log_that_comes_late_goes_too(store, settings):
    execution_id = settled(store)
    copied = store.copy_settled(store.take_settled(10))
    store.add_log(execution_id, [LogLine(datetime.now(UTC), "INFO", "One more.", 2)])
    assert store.remove_copied(copied) == 0
    assert move(store) == 1
    assert [each.message for each in store.log(execution_id)] == ["Begun.", "One more."]
    assert not in_redis(settings, execution_id)


def test_one_that_was_copied_and_not_removed_is_seen_once(store, settings):
    execution_id = settled(store)
    before = everything(store, execution_id)
    store.copy_settled(store.take_settled(10))  # and there whoever did it died
    assert in_redis(settings, execution_id)
    assert ids(store) == [execution_id]
    assert sum(store.count_states().values()) == 1
    assert everything(store, execution_id) == before
    assert move(store) == 1
    assert ids(store) == [execution_id]
    assert sum(store.count_states().values()) == 1
    assert everything(store, execution_id) == before


def test_who_stalled_before_copying_does_not_undo_what_came_since(store):
    execution_id = settled(store, State.FAILED)
    stale = list(store._exported([execution_id]))
    store.restart(execution_id, from_start=True)
    end(store, execution_id, response=b'{"second":true}')
    assert move(store) == 1
    assert store._sql.copy(stale) == []
    assert store.get(execution_id).response == {"second": True}
    assert sum(store.count_states().values()) == 1


def test_a_newer_execution_of_the_same_id_takes_the_place(store, raw):
    """Its request comes again when nobody knows of it any more."""
    new = new_execution()
    store.accept(new)
    end(store, new.id)
    move(store)
    raw.delete(f"{names.execution_key(new.id)}:known")
    assert store.accept(new) == (new.id, True, True)
    newer = store.get(new.id)
    assert newer.state is State.ACCEPTED
    assert store.find(10).executions == [replace(newer, request=None, is_awaited=False)]
    assert ids(store, state=State.COMPLETED) == []
    end(store, new.id, response=b'{"newer":true}')
    assert move(store) == 1
    assert store.get(new.id).response == {"newer": True}
    assert ids(store) == [new.id]
    assert sum(store.count_states().values()) == 1


def test_several_move_at_once(make_store, raw):
    stores = [make_store() for _ in range(4)]
    for number in range(120):
        settled(stores[0], state_id=f"state-{number}")
    before = stores[0].find(200).executions
    moved, problems = [], []

    def work(store):
        try:
            for _ in range(40):
                moved.append(move(store, 10))
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(each,)) for each in stores]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert problems == []
    while move(stores[0]):
        pass
    assert raw.zcard(names.HISTORY) == 0
    assert sum(moved) <= 120
    assert stores[0].find(200).executions == before
    assert stores[0].count_states()[State.COMPLETED] == 120


def test_what_stays_is_passed_by_a_few_at_a_time(store, raw):
    stay = []
    for number in range(23):
        new = new_execution(state_id=f"stay-{number}")
        store.accept(new)
        stay.append(new.id)
    for _ in range(13):
        settled(store)
    moved = [move(store, 5) for _ in range(10)]
    assert max(moved) <= 5
    assert sum(moved) == 13
    assert {each.decode() for each in raw.zrange(names.HISTORY, 0, -1)} == set(stay)


def test_a_large_one_goes_there_and_comes_back(store, raw):
    new = new_execution()
    store.accept(new)
    claim = store.claim(new.id, "w", "1")
    for position in range(1, 2_500):
        store.record_step(claim, position, Step(f"step {position}", "1"))
    lines = [LogLine(datetime.now(UTC), "INFO", f"Line {number}\0.", 1) for number in range(1000)]
    store.add_log(new.id, lines)
    store.finish(claim, State.FAILED, RESPONSE, "It broke.")
    store.record_delivery(store.claim_delivery(new.id), "delivered", an_attempt())
    store.dismiss(new.id)
    before = everything(store, new.id)
    assert move(store) == 1
    assert everything(store, new.id) == before
    assert store.restart(new.id, from_start=False) is Restart.RESTARTED
    assert len(store.get(new.id).steps) == 2_499
    assert raw.llen(names.log_key(new.id)) == 1000


def test_names_that_no_index_takes_are_found(store):
    strange = {"tenant_id": "t" * 3_000, "state_id": "s\0" + "x" * 5_000}
    execution_id = settled(store, **strange)
    assert move(store) == 1
    found = store.get(execution_id)
    assert (found.tenant_id, found.flow_state_id) == tuple(strange.values())
    assert ids(store, tenant_id=strange["tenant_id"]) == [execution_id]
    assert ids(store, tenant_id="t" * 2_999) == []
    assert ids(store, text=strange["state_id"][:50]) == [execution_id]
    assert ids(store, service="\0", tenant_id="\0") == ids(store, text="\0") == []
    assert store.get("\0") is None
    for place in (f"{10**30}-{execution_id}", "5-\0"):
        assert store.find(5, older_than=place).problem == ""


def test_the_database_has_a_retention_of_its_own(make_store, raw):
    store = make_store(history_retention_days=1.0)
    old, new = settled(store, service="Old"), settled(store)
    raw.hincrby(names.execution_key(old), "finished_at", -2 * DAY_MS)
    assert move(store) == 2
    assert store.trim(10) == 1
    assert store.trim(10) == 0
    assert ids(store) == [new]
    assert store.get(old) is None
    assert sum(store.count_states().values()) == 1
    assert store.history_facts().executions == 1
    for_ever = make_store(history_retention_days=0.0)
    assert for_ever.trim(10) == 0


def test_trimming_takes_so_many_at_a_time(make_store, raw):
    store = make_store(history_retention_days=1.0)
    for _ in range(5):
        raw.hincrby(names.execution_key(settled(store)), "finished_at", -2 * DAY_MS)
    move(store)
    assert [store.trim(2) for _ in range(4)] == [2, 2, 1, 0]


# --- run once more


@pytest.mark.parametrize("from_start", [True, False])
def test_one_that_was_moved_is_run_once_more(store, settings, from_start):
    execution_id = settled(store, State.FAILED)
    before = store.get(execution_id)
    move(store)
    assert store.restart(execution_id, from_start=from_start) is Restart.RESTARTED
    found = store.get(execution_id)
    assert (found.state, found.accepted_at) == (State.ACCEPTED, before.accepted_at)
    assert [each.name for each in found.steps] == ([] if from_start else ["look up"])
    assert [each.message for each in store.log(execution_id)] == ["Begun."]
    assert ids(store) == ids(store, state=State.ACCEPTED) == [execution_id]
    assert ids(store, tenant_id="tenant", service="CRM") == [execution_id]
    assert ids(store, text=found.flow_state_id) == [execution_id]
    assert store.count_states() == {**dict.fromkeys(State, 0), State.ACCEPTED: 1}
    assert execution_id in store.take_scheduled(10)
    end(store, execution_id, response=b'{"second":true}')
    assert store.get(execution_id).attempts == before.attempts + 2
    assert move(store) == 1
    assert ids(store) == ids(store, state=State.COMPLETED) == [execution_id]
    assert store.get(execution_id).response == {"second": True}
    assert store.count_states() == {**dict.fromkeys(State, 0), State.COMPLETED: 1}


def test_one_that_cannot_be_run_again_says_why(store, raw):
    secret = new_execution(private_request=b'{"canary":1}')
    store.accept(secret)
    end(store, secret.id)
    move(store)
    assert store.restart(secret.id, from_start=True) is Restart.SECRET
    # It was brought back for that, and goes again.
    assert raw.exists(names.execution_key(secret.id))
    assert 0 < raw.pttl(names.execution_key(secret.id)) <= 31 * DAY_MS
    assert ids(store) == [secret.id]
    assert move(store) == 1
    assert ids(store) == [secret.id]


def test_nothing_is_brought_back_over_what_is_there(store):
    execution_id = settled(store)
    move(store)
    moved = store._sql.whole(execution_id)
    assert store.restart(execution_id, from_start=True) is Restart.RESTARTED
    store.restart(execution_id, from_start=True)
    assert store.get(execution_id).state is State.ACCEPTED
    assert moved is not None


def test_for_all_else_it_has_ended(store):
    execution_id = settled(store, State.FAILED)
    move(store)
    assert store.cancel(execution_id, b"{}", "") is None
    assert not store.dismiss(execution_id)
    assert not store.replay(execution_id).is_due
    assert move_these(store, [execution_id]) == 0
    assert store.get(execution_id).state is State.FAILED


def test_moved_executions_are_found_by_their_versions(store):
    moved, other = settled(store, version="1.0"), settled(store)
    assert move(store) == 2
    new = new_execution(version="1.0")
    store.accept(new)
    assert ids(store, version="1.0") == [new.id, moved]
    assert ids(store, version="1.0", state=State.COMPLETED) == [moved]
    assert ids(store, version="1.0", service="CRM", tenant_id="tenant") == [new.id, moved]
    assert ids(store, worker_version="2") == [other, moved]
    assert ids(store, worker_version="2", version="1") == [other]
    assert ids(store, version="3.0") == []
    assert store.count_states(ExecutionFilter(version="1.0")) is None
