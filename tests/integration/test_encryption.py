"""A whole Atom with a key: whatever flows and processes say, nobody reads it in Redis."""

import threading
from dataclasses import replace
from urllib.parse import quote

import pytest
from redis import Redis

from atom.sandbox import Connector
from atom.settings import Settings
from atom.store import RedisStore
from atom.store.encryption import new_key
from tests.support.outspoken import RELEASE
from tests.support.redis_content import values_by_key
from tests.support.roles import TestAtom
from tests.support.waiting import until

USER = quote("ManyWhoTenantId=t-1&ManyWhoUserId=u-1&ManyWhoToken=canary-user-token")

# What is kept while they run, and what of it stays in the history.
KEPT = {"input", "step-name", "step-result", "line", "progress"}
UNDER_WAY = {*KEPT, "user-token", "file"}
AFTERWARDS = {*KEPT, "output", "fault", "record"}


class Outspoken:
    """An Atom whose processes say something everywhere, and wait."""

    def __init__(self, directory, key):
        self.release = directory / "release"
        self.atom = TestAtom(
            directory,
            "tests.support.outspoken",
            ATOM_SECRET_KEY=key,
            **{RELEASE: str(self.release)},
        )
        settings = Settings(redis_url=self.atom.redis.url)
        self.store = RedisStore(replace(settings, secret_key=(key,)))
        self.uploaded = None
        self._uploads = threading.Thread(target=self._upload)

    def begin(self):
        """Let each say what it has to; returns the flows, whose processes wait now."""
        self.atom.start_all(["--pool=threads", "--concurrency=8"])
        flows = [
            self.atom.run("Say", {"Text": text}, service="Outspoken", authorization=USER)
            for text in ("canary-input", "canary-input no")
        ]
        self._uploads.start()
        connector = Connector(self.atom.platform, f"{self.atom.url}/fs/Outspoken")
        assert connector.get("Thing", "t1")
        connector.close()
        for flow in flows:
            until(lambda flow=flow: flow.events_of("progress"), "progress", 60)
        until(lambda: self.atom.count_keys("file"), "the upload", 60)
        return flows

    def end(self, flows):
        """Let them end; returns their executions."""
        self.release.touch()
        self._uploads.join()
        for flow in flows:
            assert flow.wait_over(120).is_over, flow.events
        ids = [self.atom.execution_of(flow).id for flow in flows]
        until(
            lambda: all(self.store.get(each).callback_state == "delivered" for each in ids),
            "the callbacks",
        )
        return [self.store.get(each) for each in ids]

    def _upload(self):
        connector = Connector(self.atom.platform, f"{self.atom.url}/fs/Outspoken")
        self.uploaded = connector.upload("/file", "a", b"canary-file")
        connector.close()

    def found(self, words):
        """Which of these stand in Redis, and where."""
        with Redis.from_url(self.atom.redis.url) as client:
            content = values_by_key(client)
        return {
            (word, key)
            for word in words
            for key, value in content.items()
            if word.encode() in key + value
        }

    def close(self):
        self.release.touch()
        self.store.close()
        self.atom.close()


@pytest.fixture
def started(tmp_path):
    """Starts one with a key, or without."""
    running = []

    def start(key):
        running.append(Outspoken(tmp_path, key))
        return running[-1]

    yield start
    for each in running:
        each.close()


def canaries(names):
    return {f"canary-{name}" for name in names}


def test_with_a_key_nothing_that_was_said_stands_in_redis(started):
    outspoken = started(new_key())
    flows = outspoken.begin()
    tokens = {call.token for flow in flows for call in flow.calls.values()}
    assert len(tokens) == 2
    assert outspoken.found({"canary", *tokens}) == set()
    said, refused = outspoken.end(flows)
    assert outspoken.found({"canary", *tokens}) == set()

    # It is all there for who has the key, and the flows have heard it.
    assert "canary-input" in str(said.request)
    assert "canary-output" in str(said.response)
    assert (said.progress, refused.error) == ("canary-progress", "canary-fault")
    assert "canary-line" in [each.message for each in outspoken.store.log(said.id)]
    assert "canary-file" in str(outspoken.uploaded)
    heard = [str(event.details) for flow in flows for event in flow.events_of("resumed")]
    assert "canary-output" in heard[0]
    assert "canary-fault" in heard[1]


def test_without_one_the_same_search_finds_it(started):
    """So that the test above can fail."""
    outspoken = started("")
    flows = outspoken.begin()
    tokens = {call.token for flow in flows for call in flow.calls.values()}
    wanted = canaries(UNDER_WAY) | tokens
    assert {word for word, _ in outspoken.found(wanted)} == wanted
    outspoken.end(flows)
    wanted = canaries(AFTERWARDS)
    assert {word for word, _ in outspoken.found(wanted)} == wanted
