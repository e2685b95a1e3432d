"""Executions that have ended, and moving them to the history database."""

import dataclasses

from atom import names
from atom.records import LogLine, State, Step, StepKind
from tests.support.executions import an_attempt, new_execution

RESPONSE = b'{"invokeType":"FORWARD","outputValues":[{"contentValue":"\xc3\xa9t\xc3\xa9"}]}'


def settled(store, state=State.COMPLETED, **changes):
    """An execution that has ended, and whose flow knows: with all that one can have."""
    new = new_execution(**changes)
    store.accept(new)
    end(store, new.id, state)
    return new.id


def end(store, execution_id, state=State.COMPLETED, verdict="delivered", response=RESPONSE):
    """Run what is accepted to its end, with one failed try before."""
    first = store.claim(execution_id, "first", "1")
    store.record_step(first, 1, Step("look up", '"Ada"'))
    store.hand_back(first, failed="The first try failed.")
    claim = store.claim(execution_id, "second", "2")
    kind = StepKind.RESULT if state is State.COMPLETED else StepKind.FAILURE
    store.record_step(claim, 2, Step("write", '["E","no"]', kind))
    store.progress(claim, "Half of it", 0.5)
    store.add_log(execution_id, [LogLine(first_of_all(store, execution_id), "INFO", "Begun.", 2)])
    store.finish(claim, state, response, "" if state is State.COMPLETED else "It broke.")
    delivery = store.claim_delivery(execution_id)
    if delivery is not None:
        store.record_delivery(delivery, verdict, an_attempt(), keep=False)
    if state in (State.FAILED, State.TIMED_OUT) and verdict == "delivered":
        store.dismiss(execution_id)


def first_of_all(store, execution_id):
    return store.get(execution_id).accepted_at


def move(store, limit=1000):
    """What recovery does; returns how many were moved."""
    taken = store.take_settled(limit)
    return store.remove_copied(store.copy_settled(taken)) if taken else 0


def move_these(store, ids):
    return store.remove_copied(store.copy_settled(ids))


def everything(store, execution_id):
    """All that people see of it."""
    found = store.get(execution_id)
    return found and (dataclasses.asdict(found), list(store.log(execution_id)))


def keys_of(raw, execution_id):
    """All that Redis has of it."""
    return sorted(key.decode() for key in raw.keys(f"{names.execution_key(execution_id)}*"))


def backdate(raw, execution_id, moment):
    """Have it accepted then."""
    key, at_ms = names.execution_key(execution_id), int(moment.timestamp() * 1000)
    earlier = int(raw.hget(key, "accepted_at"))
    raw.hset(key, mapping={"accepted_at": at_ms, "finished_at": at_ms + 5})
    for index in raw.scan_iter(f"{names.HISTORY}*"):
        if raw.type(index) == b"zset" and raw.zscore(index, execution_id) == earlier:
            raw.zadd(index, {execution_id: at_ms})
