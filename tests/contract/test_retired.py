"""What is kept of an execution at which nobody works any more."""

from datetime import timedelta

import pytest
from redis import Redis

from atom import names
from atom.cli.embedded_redis import EmbeddedRedis
from atom.records import CallbackState, Restart, State
from atom.store import RedisStore
from tests.contract.conftest import short_times
from tests.support.executions import an_attempt, new_execution

RESPONSE = b'{"invokeType":"FORWARD"}'
TENANT = "6b3f2d0e-58c1-4f7a-9f43-0c1f6f7d2a10"


def delivered(store, *, progress=False, **changes):
    """Finished, and its flow has the outcome."""
    new = new_execution(**changes)
    store.accept(new)
    claim = store.claim(new.id, "w", "1")
    if progress:
        store.progress(claim, "half way", 0.5)
        store.record_delivery(store.claim_delivery(new.id), "delivered", an_attempt("WAIT"))
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    store.record_delivery(store.claim_delivery(new.id), "delivered", an_attempt())
    return claim


def test_what_only_those_at_work_look_at_is_gone(store, raw):
    claim = delivered(store)
    kept = {each.decode() for each in raw.hkeys(names.execution_key(claim.id))}
    assert kept == {
        *("format", "service", "action", "tenant_id", "state_id", "queue", "callback_uri"),
        *(
            "profiles",
            "state",
            "fence",
            "attempts",
            "worker",
            "version",
            "worker_version",
            "callback_state",
        ),
        *("accepted_at", "started_at", "finished_at", "delivered_at", "deadline"),
    }


def test_people_see_as_much_as_before(store):
    claim = delivered(store, progress=True)
    found = store.get(claim.id)
    assert (found.state, found.callback_state) == (State.COMPLETED, CallbackState.DELIVERED)
    assert (found.worker, found.version, found.worker_version) == ("w", "1", "1")
    assert (found.queue, found.attempts) == ("processes", 1)
    assert found.accepted_at <= found.started_at <= found.finished_at <= found.delivered_at
    assert found.deadline - found.accepted_at == timedelta(seconds=600)
    assert (found.progress, found.error, found.response) == (
        "half way",
        None,
        {"invokeType": "FORWARD"},
    )
    assert found.callback_uri == "https://flow.boomi.com/api/run/1/response"
    assert [each.answer for each in found.callback_attempts] == ["WAIT", "SUCCESS"]
    assert [(each.worker, each.end) for each in found.runs] == [("w", "completed")]


def test_run_again_it_has_as_much_time_as_at_first_each_time(store, raw):
    claim = delivered(store)
    for attempt in (2, 3):
        assert store.restart(claim.id, from_start=True) is Restart.RESTARTED
        seconds, micros = raw.time()
        left = store.get(claim.id).deadline.timestamp() - seconds - micros / 1e6
        assert 599 < left <= 600
        again = store.claim(claim.id, "w", "1")
        assert (again.attempt, again.fence) == (attempt, claim.fence + 2 * (attempt - 1))
        assert store.finish(again, State.COMPLETED, RESPONSE, "").is_callback_due is False
        assert store.claim_delivery(claim.id) is None


@pytest.mark.parametrize("verdict", ["delivered", "parked"])
def test_a_listener_that_died_waiting_is_asked_again_when_the_flow_has_the_outcome(
    store, raw, verdict
):
    """The request is repeated when its callback was sent in the listener's place."""
    new = new_execution(sync_timeout_seconds=1)
    store.accept(new)
    store.finish(store.claim(new.id, "w", "1"), State.COMPLETED, RESPONSE, "")
    raw.hset(names.execution_key(new.id), "callback_due_at", 1)
    store.record_delivery(store.claim_delivery(new.id), verdict, an_attempt())
    if verdict == "parked":
        store.dismiss(new.id)
    before = store.get(new.id).callback_state
    assert store.answer(new.id).response == RESPONSE
    store.confirm_answer(new.id)
    assert store.get(new.id).callback_state is before
    assert not raw.exists(names.CALLBACKS_DUE)


def test_it_takes_two_kilobytes_beyond_its_documents(tmp_path):
    """All that there is of it, in every index: some 1,800 bytes with Redis 8, more with older ones.

    A recorded step takes some 140 more, if it is the only one. In a Redis of its own: one that was
    used for long may just be rewriting its append-only file.
    """
    document = b'{"outputs":[{"contentValue":"%s"}]}' % (b"x" * 1_120)
    with EmbeddedRedis(tmp_path) as server, Redis.from_url(server.url) as raw:
        store = RedisStore(short_times(server.url))

        def run(count):
            for _ in range(count):
                new = new_execution(tenant_id=TENANT, request=document)
                store.accept(new)
                claim = store.claim(new.id, "worker-7c9f:4711", "0f2df211")
                store.finish(claim, State.COMPLETED, document, "")
                store.record_delivery(store.claim_delivery(new.id), "delivered", an_attempt())

        run(300)  # so that what is there once is there
        before = raw.info("memory")["used_memory"]
        run(700)
        taken = (raw.info("memory")["used_memory"] - before) / 700
        store.close()
    assert taken - 2 * len(document) < 2_048
