"""What an error of Redis means, in words."""

import pytest
from redis import ConnectionError as NoConnection
from redis._parsers.base import BaseParser

from atom.redis_replies import explained, reply_of

SCRIPT = " script: 9b7b1d7e3b5bd5ed4b8c9a1c94b4a7f4a4a1b1b1, on @user_script:12."


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        ("NOREPLICAS Not enough good replicas to write.", "min-replicas-to-write"),
        ("READONLY You can't write against a read only replica.", "name the primary"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "Raise its maxmemory"),
        ("MISCONF Redis is configured to save RDB snapshots", "the room on its disk"),
        ("MASTERDOWN Link with MASTER is down", "without its primary"),
        ("LOADING Redis is loading the dataset in memory", "wait"),
        ("BUSY Redis is busy running a script.", "SCRIPT KILL"),
        ("NOPERM User atom has no permissions to run the 'get' command", "docs/operating.md"),
        ("NOAUTH Authentication required.", "user and password"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "user and password"),
    ],
)
@pytest.mark.parametrize("within", ["", SCRIPT])
def test_reply_is_explained_with_its_code_and_a_remedy(reply, remedy, within):
    error = BaseParser.parse_error(reply + within)
    code, _, text = reply.rstrip(".").partition(" ")
    assert reply_of(error) == (code, text)
    assert explained(error).startswith(f"{code} {text}. ")
    assert remedy in explained(error)
    assert "user_script" not in explained(error)


def test_arguments_of_an_unknown_command_are_not_shown():
    reply = "ERR unknown command 'HSET', with args beginning with: 'atom:x' 'token' 'secret' "
    sentence = explained(BaseParser.parse_error(reply))
    assert sentence.startswith("ERR unknown command 'HSET'. It was renamed or disabled")
    assert "secret" not in sentence


def test_other_errors_are_shown_as_they_are():
    assert explained(NoConnection("Error 111 connecting to host:1. Connection refused.")) == (
        "Error 111 connecting to host:1. Connection refused."
    )
    assert explained(OSError("gone")) == "gone."
