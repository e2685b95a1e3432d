"""Children go to the history database with their parent, and stay with it."""

from atom import names
from atom.children import NewChild, NewJoin
from atom.records import State
from tests.contract.moving.test_moving import in_redis
from tests.support.executions import an_attempt, new_execution
from tests.support.moving import RESPONSE, move


def test_a_parent_that_moved_shows_its_children(store, settings):
    new = new_execution()
    store.accept(new)
    claim = store.claim(new.id, "w", "1")
    join = store.open_join(
        claim, NewJoin(position=1, name="items", total=1, width=1, stops=True, digest="d")
    )
    child = NewChild(
        id=names.child_execution_id(claim.id, join.nonce, 0),
        service="CRM",
        action="Retrieve",
        queue="processes",
        timeout_seconds=60,
        request=b"{}",
        is_item=True,
    )
    store.spawn(claim, {0: child})
    store.finish(store.claim(child.id, "w", "1"), State.COMPLETED, b'{"result":1}', "")
    store.finish(claim, State.COMPLETED, RESPONSE, "")
    store.record_delivery(store.claim_delivery(new.id), "delivered", an_attempt())
    before = store.children(new.id)
    assert [each.state for each in before] == [State.COMPLETED]
    assert move(store) == 1
    assert not in_redis(settings, new.id)
    assert store.children(new.id) == before
    assert store.get(new.id).children == 1
