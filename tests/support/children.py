"""Children as a process asks its store for them."""

from atom import names
from atom.children import NewChild, NewJoin
from atom.entries import EntryKey


def join_of(total, width=2, *, stops=True, digest="d"):
    return NewJoin(key=EntryKey("items"), total=total, width=width, stops=stops, digest=digest)


def child(parent, nonce, index, **changes):
    values = {
        "id": names.child_execution_id(parent, nonce, index),
        "service": "CRM",
        "action": "Retrieve",
        "queue": "processes",
        "timeout_seconds": 60,
        "request": b'{"item":%d}' % index,
        "is_item": True,
        "version": "1",
        "profiles": "",
    }
    return NewChild(**{**values, **changes})


def begun(store, claim, total=1, width=2, **options):
    """The ids of children that an execution waits for from now on."""
    join = store.open_join(claim, join_of(total, width, **options))
    ids = {index: names.child_execution_id(claim.id, join.nonce, index) for index in range(total)}
    ids |= join.ids
    missing = {each: child(claim.id, join.nonce, each) for each in ids if each not in join.ids}
    store.spawn(claim, missing)
    return list(ids.values())
