"""A Redis user with exactly the permissions that the documentation lists."""

from urllib.parse import urlsplit, urlunsplit

import redis

from tests.docs.pages import PAGES
from tests.docs.shell import commands

USER, PASSWORD = "atom", "password"
PAGE = "docs/operating.md"


def documented_rules() -> list[list[str]]:
    """The arguments of each `ACL SETUSER` on the page: for the store, then for the broker."""
    blocks = (block for block in PAGES[PAGE].blocks if block.language == "sh")
    words = [command.words for block in blocks for command in commands(block)]
    return [each[3:] for each in words if each[:3] == ["redis-cli", "ACL", "SETUSER"]]


def permitted_commands() -> set[str]:
    """Every command that the page grants, in lower case."""
    rules = (rule for rules in documented_rules() for rule in rules)
    return {rule[1:] for rule in rules if rule.startswith("+")}


def grant(url: str, *rules: str) -> str:
    """Make a Redis user of these rules (default: the documented ones); the URL with that user."""
    with redis.Redis.from_url(url) as client:
        client.execute_command("ACL", "DELUSER", USER)
        for each in [[USER, "on", f">{PASSWORD}", *rules]] if rules else documented_rules():
            client.execute_command("ACL", "SETUSER", *each)
        client.execute_command("ACL", "LOG", "RESET")
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{USER}:{PASSWORD}@{parts.netloc}"))


def denied(url: str) -> set[str]:
    """What the user was refused since then: command, key or channel, as ACL LOG has it."""
    with redis.Redis.from_url(url) as client:
        log = client.acl_log()
    return {f"{each['reason']} {each['object']}" for each in log if each["username"] == USER}
