"""Secrets that are kept for a retry leave no trace: in stores, database, logs, events and pages."""

import re

import pytest
from redis import Redis

from atom.records import CallbackState, Secrets, State
from atom.settings import Settings
from atom.store import open_store
from atom.store.encryption import new_key
from tests.integration.test_requests import CANARIES, CONFIGURATION, USER
from tests.support.browser import Browser
from tests.support.console import ConsoleAtom
from tests.support.operating import command
from tests.support.redis_content import values_by_key
from tests.support.waiting import until


class Place:
    """An Atom with a key and a history database, and everything that it writes."""

    def __init__(self, directory):
        self.database = directory / "history.db"
        key, url = new_key(), f"sqlite:///{self.database}"
        self.atom = ConsoleAtom(
            directory,
            "tests.support.shop",
            ATOM_SECRET_KEY=key,
            ATOM_HISTORY_URL=url,
            ATOM_HISTORY_AFTER_HOURS="0.000001",
        )
        self.atom.store.close()
        settings = Settings(redis_url=self.atom.redis.url, history_url=url, secret_key=(key,))
        self.atom.store = open_store(settings)
        self.redis = Redis.from_url(self.atom.redis.url)
        self.events = self.redis.pubsub()
        self.events.psubscribe("*")

    def written(self):
        """Return the content of Redis, database, logs and events, by place."""
        found = {f"Redis {key!r}": key + value for key, value in values_by_key(self.redis).items()}
        for file in self.database.parent.glob("history.db*"):
            found[file.name] = file.read_bytes()
        for number, line in enumerate(self.atom.logs().splitlines()):
            found[f"line {number} of the logs"] = line
        while message := self.events.get_message(timeout=0.5):
            found[f"event {len(found)}"] = repr(message["data"]).encode()
        return found

    def keeps(self, execution_id):
        """Return whether Redis or the database has the private request of an execution."""
        key = f"atom:execution:{execution_id}"
        if self.redis.exists(key):
            return self.redis.hexists(f"{key}:documents", "private_request")
        moved = self.atom.store._sql.whole(execution_id)
        return b"private_request" in moved[":documents"]

    def is_moved(self, execution_id):
        return not self.redis.exists(f"atom:execution:{execution_id}")

    def close(self):
        self.events.close()
        self.redis.close()
        self.atom.store.close()
        self.atom.close()


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    try:
        place.atom.start_all(["--pool=threads", "--concurrency=4"])
        place.atom.platform.configure(f"{place.atom.url}/fs/Shop", CONFIGURATION)
        yield place
    finally:
        place.close()


def assert_no_trace(found):
    assert found
    for where, content in found.items():
        assert not [canary for canary in CANARIES if canary in content], where


def delivered(atom, flow):
    """Return the execution of a flow that knows its end."""
    return until(
        lambda: (
            each
            if (each := atom.execution_of(flow)).callback_state is CallbackState.DELIVERED
            else None
        ),
        "the callback",
        60,
    )


@pytest.mark.timeout(300)
def test_kept_secrets_leave_no_trace(place):
    atom = place.atom
    fault, failure = (
        atom.run(
            "Keep",
            {"Password": "canary-password", "Cipher": f"canary-cipher-{kind}"},
            service="Shop",
            authorization=USER,
        )
        for kind in ("fault", "break")
    )
    faulted, failed = delivered(atom, fault), delivered(atom, failure)
    assert (faulted.state, failed.state) == (State.FAULTED, State.FAILED)
    until(lambda: place.is_moved(faulted.id), "its move to the database", 30)
    assert not place.is_moved(failed.id)
    browser = Browser(atom.start_console())
    for each in (faulted, failed):
        assert place.keeps(each.id)
        assert atom.store.get(each.id).secrets is Secrets.KEPT
        pages = {
            "show": command(atom, "executions", "show", each.id),
            "JSON": command(atom, "executions", "show", each.id, "--json"),
            "page": browser.get(f"/executions/{each.id}").text,
            "inbox": browser.get("/inbox").text,
        }
        assert_no_trace({name: text.encode() for name, text in pages.items()})
    assert_no_trace(place.written())

    # Retried, the first one completes and the second one fails again.
    for each in (faulted, failed):
        assert "starts again" in command(atom, "executions", "retry", each.id, "--from-start")
    again = (State.COMPLETED, State.FAILED)
    for each, state in zip((faulted, failed), again, strict=True):
        until(
            lambda each=each, state=state: (
                (found := atom.store.get(each.id)).attempts == 2 and found.state is state
            ),
            "the retry",
            60,
        )
    until(lambda: place.is_moved(faulted.id), "its second move", 30)
    assert [place.keeps(each.id) for each in (faulted, failed)] == [False, True]
    assert_no_trace(place.written())

    # A copy of the first one needs its deleted secrets: once from the CLI, once from the console.
    path, copies = f"/executions/{faulted.id}", []
    needed = "the inputs “Password”, “Cipher” (--set) and the configuration value “Api Key”"
    refusal = command(atom, "executions", "retry", faulted.id, "--as-copy", code=1)
    assert needed in refusal
    again = {
        "inputs:Password": "canary-password",
        "inputs:Cipher": "canary-cipher-again",
        "configurationValues:Api Key": "canary-api-key",
    }
    given = []
    for name, value in again.items():
        option = "--set" if name.startswith("inputs") else "--set-config"
        given += [option, f"{name.partition(':')[2]}={value}"]
    answer = command(atom, "executions", "retry", faulted.id, "--as-copy", *given)
    copies.append(re.search(r"copied as ([-0-9a-f]+)", answer)[1])
    page = browser.get(path)
    assert 'name="configurationValues:Api Key" type="password"' in page.text
    location = browser.post(f"{path}/copy", {"form": page.form_token, **again}).headers["Location"]
    copies.append(location.rpartition("/")[2])
    assert faulted.id not in copies
    for each in copies:
        until(lambda each=each: place.is_moved(each), "the move of the copy", 60)
        assert atom.store.get(each).state is State.COMPLETED
        assert not place.keeps(each)
        assert_no_trace({"page": browser.get(f"/executions/{each}").text.encode()})
    assert_no_trace({"refusal": refusal.encode(), "answer": answer.encode()})
    assert_no_trace(place.written())

    command(atom, "executions", "dismiss", failed.id)
    assert not place.keeps(failed.id)
    until(lambda: place.is_moved(failed.id), "its move", 30)
    assert not place.keeps(failed.id)
    assert_no_trace(place.written())
