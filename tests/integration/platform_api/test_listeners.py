"""Listeners that the `boomi` client pauses and looks at."""

import pytest

from tests.support.platform_client import (
    change,
    listeners,
    refused,
    start,
)


@pytest.fixture
def all_listening(atom):
    yield
    for each in atom.store.paused():
        atom.store.resume(each)


def test_a_listener_is_paused_and_listens_again(atom, client, all_listening):
    assert set(listeners(client).values()) == {"listening"}
    assert {"Trial.Echo", "Shop.Item.get", "Shop./file.upload"} <= listeners(client).keys()
    change(client, "pause", "Trial.Echo")
    assert listeners(client, "Trial.Echo") == {"Trial.Echo": "paused"}
    assert listeners(client)["Trial.No"] == "listening"
    said = refused(503, start, client, "Trial.Echo", {"Text": "x"})
    assert said.startswith("“Trial.Echo” is paused by its operator; nothing was started.")
    change(client, "restart", "Trial.Echo")
    assert listeners(client, "Trial.Echo") == {"Trial.Echo": "listening"}
    change(client, "pause", "Trial")
    assert listeners(client, "Trial.Echo") == {"Trial.Echo": "paused"}
    assert listeners(client)["Shop.Tell"] == "listening"


def test_all_are_paused_and_listen_again(atom, client, all_listening):
    change(client, "pause", "Trial.Echo")
    change(client, "pause_all")
    assert set(listeners(client).values()) == {"paused"}
    said = refused(409, change, client, "resume", "Trial.No")
    assert "“Trial.No” was not paused. Every service is still paused" in said
    change(client, "resume_all")
    assert set(listeners(client).values()) == {"listening"}
    change(client, "resume_all")


@pytest.mark.parametrize(
    ("status", "arguments", "says"),
    [
        (404, ("pause", "Trial.Unknown"), "No service or action is called “Trial.Unknown”; there "),
        (404, ("resume", "Trial.Unknown"), "No service or action is called “Trial.Unknown”; "),
        (400, ("pause",), "The action pause needs a “listenerId”."),
        (400, ("pause_all", "Trial.Echo"), "The action pause_all takes no “listenerId”."),
        (400, ("pause", "Trial.Echo", "b"), "There is no Atom “b” here; this one is “flow-atom”."),
    ],
)
def test_what_cannot_be_changed_is_said(client, all_listening, status, arguments, says):
    assert refused(status, change, client, *arguments).startswith(says)
