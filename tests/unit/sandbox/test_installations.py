"""Installed services over a restart of the sandbox: with a key, without one, with another one."""

from contextlib import closing

import pytest
from flask import abort

from atom.sandbox import Platform, SandboxError
from atom.sandbox.database import SandboxDatabase
from atom.store.encryption import new_key

CREDENTIAL = "Basic Y2FuYXJ5OmNhbmFyeQ=="
VALUES = {"Region": "canary-region", "Key": "canary-key"}


class Restarting:
    """A platform over a file; each restart may have other keys."""

    def __init__(self, path):
        self.path, self._open = path, []

    def start(self, *keys):
        database = SandboxDatabase(self.path, keys)
        self._open.append(database)
        return Platform(database=database)

    def content(self):
        return b"".join(each.read_bytes() for each in self.path.parent.iterdir())

    def close(self):
        for database in self._open:
            database.close()


@pytest.fixture
def sandbox(tmp_path):
    with closing(Restarting(tmp_path / "sandbox" / "flows.sqlite3")) as sandbox:
        yield sandbox


@pytest.fixture
def guarded(service):
    """The service, asking for the credential."""

    def check(headers):
        if headers.get("Authorization") != CREDENTIAL:
            abort(401)

    service.before_metadata = check
    return service


def set_up(platform, service, authorization=CREDENTIAL, values=VALUES):
    platform.install(service.url, authorization=authorization)
    if authorization is not None:
        platform.remember(service.url, authorization)
    if values:
        platform.configure(service.url, values)


def sent(platform, service, **options):
    """Run an action as the sandbox's API does; returns the credential and the values sent."""
    options.setdefault("authorization", platform.authorization(service.url))
    platform.send(platform.prepare(service.url, [("Do it", {})], **options))
    request = service.requests[-1]
    values = {
        each["developerName"]: each["contentValue"] for each in request["configurationValues"]
    }
    return request["_headers"].get("Authorization"), values


@pytest.mark.parametrize("values", [{}, VALUES], ids=["no values", "values"])
@pytest.mark.parametrize("authorization", [None, CREDENTIAL], ids=["open", "credential"])
def test_credential_and_values_outlive_a_restart_with_a_key(
    sandbox, service, authorization, values
):
    key = new_key()
    set_up(sandbox.start(key), service, authorization, values)
    platform = sandbox.start(key)
    (installed,) = platform.connections()
    assert installed["hasCredential"] == (authorization is not None)
    assert installed["configured"] == sorted(values)
    assert (installed["lostCredential"], installed["lostValues"]) == (False, [])
    assert [each["developerName"] for each in installed["description"]["actions"]] == ["Do it"]
    assert sent(platform, service) == (authorization, values)


def test_file_holds_no_secret_in_plain_text(sandbox, service):
    for keys in ([], [new_key()]):
        set_up(sandbox.start(*keys), service)
        assert service.url.encode() in sandbox.content()
        for text in (b"canary", b"Y2FuYXJ5"):
            assert text not in sandbox.content()


def test_last_change_counts(sandbox, service):
    key = new_key()
    platform = sandbox.start(key)
    set_up(platform, service)
    platform.remember(service.url, "Basic bmV3OnRva2Vu")
    platform.configure(service.url, {"Region": "", "Key": "second"})
    assert sent(sandbox.start(key), service) == ("Basic bmV3OnRva2Vu", {"Key": "second"})


def test_service_that_is_away_stays_installed(sandbox, service):
    key = new_key()
    set_up(sandbox.start(key), service)
    metadata, service.before_metadata = service.before_metadata, None  # answers 500 from here on
    platform = sandbox.start(key)
    assert platform.connections()[0]["url"] == service.url
    flow = platform.compose(service.url, [("Do it", {})])
    assert flow.calls
    service.before_metadata = metadata


@pytest.mark.parametrize("keys", [[], [new_key()]], ids=["no key", "another key"])
def test_lost_secrets_are_named_and_have_to_be_set_again(sandbox, guarded, keys):
    set_up(sandbox.start(*([new_key()] if keys else [])), guarded)
    platform = sandbox.start(*keys)
    (installed,) = platform.connections()
    assert (installed["hasCredential"], installed["configured"]) == (False, [])
    assert (installed["lostCredential"], installed["lostValues"]) == (True, ["Key", "Region"])
    with pytest.raises(
        SandboxError, match=r"The credential that was set cannot be read .*ATOM_SEC"
    ):
        sent(platform, guarded)
    with pytest.raises(SandboxError, match=r"set \(“Key”, “Region”\) cannot be read"):
        sent(platform, guarded, authorization=CREDENTIAL)
    platform.install(guarded.url, authorization=CREDENTIAL)
    platform.remember(guarded.url, CREDENTIAL)
    platform.configure(guarded.url, {"Key": "new"})
    assert platform.connections()[0]["lostValues"] == ["Region"]
    with pytest.raises(SandboxError, match="“Region”"):
        sent(platform, guarded)
    # An empty text removes a value that was lost.
    platform.configure(guarded.url, {"Region": ""})
    assert sent(platform, guarded) == (CREDENTIAL, {"Key": "new"})


def test_lost_values_may_be_given_with_a_flow(sandbox, service):
    set_up(sandbox.start(), service)
    values = {"Region": "north", "Key": "k"}
    found = sent(sandbox.start(), service, authorization=CREDENTIAL, configuration=values)
    assert found == (CREDENTIAL, values)


def test_names_of_lost_secrets_outlive_another_restart(sandbox, service):
    set_up(sandbox.start(), service)
    sandbox.start().configure(service.url, {"Key": "again"})
    (installed,) = sandbox.start(new_key()).connections()
    assert (installed["lostCredential"], installed["lostValues"]) == (True, ["Key", "Region"])


def test_service_that_no_longer_asks_for_a_credential_needs_none(sandbox, service):
    set_up(sandbox.start(), service, values={})
    platform = sandbox.start()
    assert platform.connections()[0]["lostCredential"] is True
    assert sent(platform, service) == (None, {})
    assert platform.connections()[0]["lostCredential"] is False


def test_lost_value_that_the_service_no_longer_declares_is_not_missed(sandbox, service):
    platform = sandbox.start()
    platform.configure(service.url, {"Former": "x"})  # before it is installed
    assert sent(sandbox.start(), service) == (None, {})


def test_restored_key_brings_the_secrets_back(sandbox, service):
    key = new_key()
    set_up(sandbox.start(key), service)
    assert sandbox.start(new_key()).connections()[0]["lostCredential"] is True
    # Neither a run nor changed metadata overwrites what cannot be read.
    platform = sandbox.start()
    sent(platform, service, configuration=VALUES)
    assert platform.connections()[0]["lostCredential"] is False
    assert sent(sandbox.start(key), service) == (CREDENTIAL, VALUES)


def test_value_that_was_removed_while_its_key_was_lost_stays_removed(sandbox, service):
    key = new_key()
    set_up(sandbox.start(key), service)
    sandbox.start().configure(service.url, {"Region": ""})
    assert sent(sandbox.start(key), service) == (CREDENTIAL, {"Key": "canary-key"})


def test_rotated_key_is_used_from_the_next_start_on(sandbox, service):
    old, new = new_key(), new_key()
    set_up(sandbox.start(old), service)
    assert sent(sandbox.start(new, old), service) == (CREDENTIAL, VALUES)
    assert sent(sandbox.start(new), service) == (CREDENTIAL, VALUES)


def test_change_that_cannot_be_written_is_not_made(sandbox, service):
    key = new_key()
    platform = sandbox.start(key)
    set_up(platform, service)
    sandbox.close()
    for change in (
        lambda: platform.remember(service.url, "Basic other"),
        lambda: platform.configure(service.url, {"Key": "other"}),
    ):
        with pytest.raises(SandboxError, match="cannot write its database"):
            change()
    assert platform.authorization(service.url) == CREDENTIAL
    values = {
        each["developerName"]: each["contentValue"] for each in platform.configuration(service.url)
    }
    assert values == VALUES
