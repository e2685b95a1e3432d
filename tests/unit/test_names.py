"""Ids and keys that are made of something."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from atom.names import request_execution_id
from tests.support.executions import new_execution

TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


@given(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS))
def test_the_id_of_a_request_is_a_uuid_of_version_8(identity):
    execution_id = request_execution_id(*identity)
    parsed = UUID(execution_id)
    assert (parsed.version, parsed.variant) == (8, "specified in RFC 4122")
    assert execution_id == str(parsed)


def test_it_is_the_same_for_the_same_request_and_for_no_other():
    identity = ("tenant", "canary-token", "CRM", "Retrieve")
    assert request_execution_id(*identity) == "da2f1131-12f2-87b9-8d0f-418edd3c8d4e"
    others = [(*identity[:at], "other", *identity[at + 1 :]) for at in range(4)]
    shifted = ("tenantc", "anary-token", "CRM", "Retrieve")
    assert len({request_execution_id(*each) for each in (identity, shifted, *others)}) == 6


def test_execution_id_does_not_contain_the_token():
    assert "canary" not in request_execution_id("tenant", "canary", "CRM", "Retrieve")


def test_an_execution_has_the_id_of_its_request():
    new = new_execution(token="one")
    assert new.id == request_execution_id(new.tenant_id, "one", new.service, new.action)
    assert new_execution(token="one").id == new.id


def test_a_request_without_a_token_has_a_random_id():
    first, second = new_execution(token=""), new_execution(token="")
    assert first.id != second.id
    assert UUID(first.id).version == 4
