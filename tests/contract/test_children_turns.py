"""Children wait for their turn with the priority of their process."""

import pytest

from atom.records import State
from atom.store import RedisStore
from tests.support.children import child, join_of
from tests.support.executions import new_execution


@pytest.fixture
def told():
    """What the store said was to be published, in its order."""
    return []


@pytest.fixture
def store(settings, raw, told):
    store = RedisStore(settings, on_released=told.extend)  # whose window is one
    yield store
    store.close()


def test_higher_priorities_begin_first_among_children_too(store, told):
    parent, *others = (new_execution() for _ in range(4))
    store.accept(parent)
    claim = store.claim(parent.id, "w", "1")
    for each in others:
        store.accept(each)
    join = store.open_join(claim, join_of(2, width=1))
    children = [child(claim.id, join.nonce, each, priority=5) for each in range(2)]
    store.spawn(claim, dict(enumerate(children)))

    told.clear()
    store.claim(others[0].id, "w", "1")
    assert [each.id for each in told] == [children[0].id]
    told.clear()
    begun = store.claim(children[0].id, "w", "1")
    (follows,) = told
    store.finish(begun, State.COMPLETED, b"{}", "")
    told.clear()
    store.claim(follows.id, "w", "1")
    assert [each.id for each in told] == [children[1].id]
