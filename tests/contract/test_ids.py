"""An id from outside names an execution or nothing, never a key beside one."""

import pytest

from atom import names
from atom.records import Restart
from atom.suspension import Signalled
from tests.contract.test_ending_and_restarting import running

# Of keys of each type, and of none.
BESIDE = [
    key("").removeprefix(names.execution_key(""))
    for key in (
        names.documents_key,
        names.steps_key,
        names.signals_key,
        names.join_key,
        names.children_key,
        names.log_key,
        names.finished_key,
    )
]


@pytest.fixture
def claim(store):
    claim = running(store)
    store.signal_token(claim, "approval")
    return claim


def content(raw):
    """Return every key with its value, except for the results of calls that may be repeated."""
    return {key: raw.dump(key) for key in raw.keys("atom:*") if not key.startswith(b"atom:calls:")}


@pytest.mark.parametrize("beside", [*BESIDE, ":known", ":", "%3Adocuments"])
def test_key_beside_an_execution_is_not_one(store, claim, raw, beside):
    id_ = f"{claim.id}{beside}"
    before = content(raw)
    assert store.get(id_) is None
    assert list(store.log(id_)) == []
    assert list(store.children(id_)) == []
    assert store.restart(id_, from_start=True) is Restart.UNKNOWN
    assert store.cancel(id_, b"{}", "") is None
    assert not store.replay(id_).is_due
    assert not store.dismiss(id_)
    verdict = store.signal(id_, "approval", "1", "token")
    assert verdict not in (Signalled.WOKEN, Signalled.KEPT)
    assert content(raw) == before
