"""Records of other formats are left alone: another version of the software can read them."""

import pytest

from atom import names
from atom.records import State
from atom.store import codec
from tests.contract.test_ending_and_restarting import accepted


@pytest.mark.parametrize("other", [codec.FORMAT_VERSION - 1, codec.FORMAT_VERSION + 1, 99])
def test_record_of_another_format_is_not_claimed(store, raw, other):
    execution_id = accepted(store)
    raw.hset(names.execution_key(execution_id), "format", other)
    before = raw.hgetall(names.execution_key(execution_id)), sorted(raw.keys())
    assert store.claim(execution_id, "new", "7") is None
    assert (raw.hgetall(names.execution_key(execution_id)), sorted(raw.keys())) == before
    raw.zadd(names.ACCEPTED, {execution_id: 1})
    assert store.take_unstarted(10) == [execution_id]  # a worker that can read it hears of it again
    assert store.get(execution_id).state is State.ACCEPTED
