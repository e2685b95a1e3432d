"""Credentials: tokens, hashes, names; and how a listener asks for them."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from atom.credentials import NOBODY, Role, create
from atom.errors import (
    CredentialError,
    Forbidden,
    StoreUnavailable,
    Unauthorized,
    Unavailable,
)
from atom.listener import Authenticator
from atom.settings import Settings
from atom.store.credential_store import CredentialStore


def basic(name, token):
    return f"Basic {base64.b64encode(f'{name}:{token}'.encode()).decode()}"


def authenticator(*credentials, is_open=False, has_certificates=False):
    return Authenticator(
        lambda: list(credentials), is_open=is_open, has_certificates=has_certificates
    )


def test_a_token_is_random_and_nowhere_in_its_credential():
    credential, token = create("boomi", ())
    _, other = create("boomi", ())
    assert token != other
    assert len(token) > 40
    assert token not in str(vars_of(credential))
    assert credential.digest not in repr(credential)
    assert credential.accepts(token)
    assert not credential.accepts(token + "x")
    assert not credential.accepts("")
    assert not replace(credential, revoked_at=datetime.now(UTC)).accepts(token)


def vars_of(credential):
    return {name: getattr(credential, name) for name in credential.__slots__}


@pytest.mark.parametrize("name", ["", "a:b", "ä", "a b", "-a", "x" * 101, "a\n"])
def test_a_name_that_basic_authentication_could_not_carry(name):
    with pytest.raises(CredentialError, match="name"):
        create(name, ())


def test_nobody_has_no_token():
    assert not NOBODY.accepts("")
    assert not NOBODY.accepts("nobody")


def test_right_credentials_pass():
    credential, token = create("boomi", ())
    authenticator(credential).check("CRM", basic("boomi", token))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic //8=",
        "Basic Ym9vbWk=",
        basic("boomi", "wrong"),
        basic("", ""),
        basic("nobody", ""),
        "Bearer x",
        "ManyWhoTenantId%3Dt",
    ],
)
@pytest.mark.parametrize("is_open", [True, False])
def test_everything_else_does_not(header, is_open):
    credential, _ = create("boomi", ())
    with pytest.raises(Unauthorized, match="user name and password"):
        authenticator(credential, is_open=is_open).check("CRM", header)


def test_a_credential_for_other_services():
    credential, token = create("boomi", ("CRM", "ERP"))
    one = authenticator(credential)
    one.check("ERP", basic("boomi", token))
    with pytest.raises(Forbidden, match="“boomi” is not for the service “Shop”"):
        one.check("Shop", basic("boomi", token))


def test_without_any_credential_loopback_is_open_and_nothing_else():
    authenticator(is_open=True).check("CRM", None)
    authenticator(is_open=True).check("CRM", basic("anybody", "anything"))
    with pytest.raises(Unauthorized):
        authenticator().check("CRM", None)


def test_a_client_certificate_is_enough_but_wrong_credentials_are_still_wrong():
    credential, token = create("boomi", ())
    certified = authenticator(credential, has_certificates=True)
    certified.check("CRM", None)
    certified.check("CRM", basic("boomi", token))
    with pytest.raises(Unauthorized):
        certified.check("CRM", basic("boomi", "wrong"))
    authenticator(has_certificates=True).check("CRM", None)


def test_while_redis_is_away_the_last_known_credentials_count(monkeypatch):
    credential, token = create("boomi", ())
    answers = [[credential], StoreUnavailable("away")]

    def read():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("atom.credentials._CACHE_SECONDS", 0)
    one = Authenticator(read, is_open=True, has_certificates=False)
    assert one.has_credentials()
    one.check("CRM", basic("boomi", token))
    assert not answers

    never = Authenticator(
        lambda: (_ for _ in ()).throw(StoreUnavailable("away")),
        is_open=True,
        has_certificates=False,
    )
    with pytest.raises(Unavailable):
        never.check("CRM", None)


def test_who_opens_the_console_neither_calls_services_nor_closes_them():
    user, token = create("ada", role=Role.OPERATOR)
    authenticator(user, is_open=True).check("CRM", None)
    assert not authenticator(user).has_credentials()
    connector, _ = create("boomi")
    with pytest.raises(Unauthorized):
        authenticator(user, connector).check("CRM", basic("ada", token))
    assert not user.permits("CRM")
    with pytest.raises(CredentialError, match="create two"):
        create("both", ("CRM",), Role.VIEWER)


@pytest.fixture
def store(embedded_redis):
    store = CredentialStore(Settings(redis_url=embedded_redis.url))
    yield store
    store._redis.delete("atom:credentials")
    store.close()


def test_what_is_kept_comes_back(store):
    one, _ = create("boomi", ("CRM",))
    other, _ = create("another", ())
    store.add(one)
    store.add(other)
    assert store.all() == [other, one]
    user, _ = create("user", role=Role.VIEWER)
    store.add(user)
    assert store.all() == [other, one, user]


@pytest.mark.parametrize(("first", "second"), [(None, Role.VIEWER), (Role.VIEWER, None)])
def test_a_name_stays_of_its_kind(store, first, second):
    """Else the last revoked credential could be replaced, and the services be open again."""
    store.add(create("ada", role=first)[0])
    store.revoke("ada")
    with pytest.raises(CredentialError, match="choose another name"):
        store.add(create("ada", role=second)[0])
    store.add(create("ada", role=first)[0])


def test_a_name_is_used_once_until_it_is_revoked(store):
    first, _ = create("boomi", ())
    second, token = create("boomi", ())
    store.add(first)
    with pytest.raises(CredentialError, match="already"):
        store.add(second)
    store.revoke("boomi")
    (revoked,) = store.all()
    assert revoked.revoked_at is not None
    with pytest.raises(CredentialError, match="revoked already"):
        store.revoke("boomi")
    with pytest.raises(CredentialError, match="does not exist"):
        store.revoke("nobody")
    store.add(second)
    (held,) = store.all()
    assert held.accepts(token)
