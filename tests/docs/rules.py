"""What is done with each command of the pages; a command that no rule covers fails its page.

`atom …` runs for real where that is harmless, and is parsed down to its values where it is not (a
role in the foreground). `curl` becomes the same request. What belongs to other programs is held to
what the repository says: targets, extras, services of the compose file, files, settings.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import requests

from atom.cli import main
from atom.settings import Settings, settings_table
from tests.docs.compose import check_compose, compose_variables
from tests.docs.pages import ROOT
from tests.docs.running import Site
from tests.docs.shell import Command, atom_command, check_call, check_options

# Commands that go on until they are ended, and those that would change what the tests run on.
FOREGROUND = {"up", "listener", "worker", "recovery", "sandbox", "flower", "console"}
HARMLESS = {
    *("services", "check", "invoke", "status", "secret-key"),
    *("profile from-json", "profile from-schema"),
    *("executions list", "executions show", "executions cancel", "executions retry"),
    *("executions dismiss", "executions signal"),
    *("callbacks list", "callbacks replay"),
    *("listeners list", "listeners pause", "listeners resume"),
    *("credentials create", "credentials list", "credentials revoke"),
}


def variables() -> set[str]:
    """Every variable that a setting, an option of a command or the compose file reads."""
    found = {variable for variable, _, _ in settings_table()} | compose_variables()
    stack: list[click.Command] = [main]
    while stack:
        command = stack.pop()
        found |= {str(each.envvar) for each in command.params if each.envvar}
        stack += getattr(command, "commands", {}).values()
    return found


VARIABLES = variables()


class Rules:
    """Runs or checks the commands of one page, in their order."""

    def __init__(self, site: Site, number: int) -> None:
        self._site = site
        # Each page has credentials of its own: with the first one the shared listener would ask.
        self._credentials = {"ATOM_REDIS_URL": site.redis_url(database=number + 1)}

    def follow(self, command: Command) -> None:
        """Run or check it.

        Raises:
            AssertionError, click.ClickException: it is not right.
        """
        unknown = {name for name in command.environment if name not in VARIABLES}
        assert {name for name in unknown if name.startswith("ATOM_")} == set(), f"no such {unknown}"
        if not command.words:
            return
        if command.words[0] == "atom":
            self._atom(command)
        elif command.words[0] == "curl":
            _curl(command.words[1:], self._site)
        else:
            check_foreign(command.words)

    def _atom(self, command: Command) -> None:
        name, _, _ = atom_command(command.words[1:])
        words = command.words[1:]
        if name in FOREGROUND:
            check_call(words)
            if "ATOM_SERVICES" in command.environment:
                self._run(["check"], command.environment, 0)
            return
        if "--set" in words:  # inputs of a service of the reader's
            check_options(words)
            return
        assert name in HARMLESS, f"“atom {name}” is in no list of tests/docs/rules.py; add it"
        words = [self._site.id_for(name) if word == "ID" else word for word in words]
        words = [self._site.reachable(word) for word in words]
        environment = dict(command.environment)
        if name.startswith("credentials "):
            environment |= self._credentials
        self._run(words, environment, command.exit_code)

    def _run(self, words: Sequence[str], environment: dict[str, str], code: int) -> None:
        result = subprocess.run(
            [sys.executable, "-m", "atom", *words],
            cwd=self._site.directory,
            env={**os.environ, **self._site.environment, **environment},
            capture_output=True,
            text=True,
            timeout=100,
        )
        # Status says with its exit code whether something needs a person: here it may.
        expected = {0, 1} if words[0] == "status" else {code}
        assert result.returncode in expected, (
            f"exit code {result.returncode}: {result.stdout}{result.stderr}"
        )
        # What is shown of an execution may well be one.
        assert "Traceback" not in result.stderr, result.stderr


def check_foreign(words: Sequence[str]) -> None:
    """A command of another program, held to what the repository says."""
    program, *rest = words
    rule = _FOREIGN.get(program)
    assert rule is not None, f"no rule for “{program}”; add one to tests/docs/rules.py"
    rule(rest)


def check_inner(words: Sequence[str]) -> None:
    """A command that runs somewhere else: in a container, under another user."""
    if words[0] == "atom":
        name, _, _ = atom_command(words[1:])
        if name in FOREGROUND:
            check_call(words[1:])
        else:
            check_options(words[1:])
    else:
        check_foreign(words)


def _make(words: list[str]) -> None:
    text = (ROOT / "Makefile").read_text()
    for word in words:
        name, is_variable, _ = word.partition("=")
        pattern = rf"^{name} \??:?=" if is_variable else rf"^{name}:"
        assert re.search(pattern, text, re.MULTILINE), f"the Makefile has no {name}"


def _pip(words: list[str]) -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert words[0] == "install", words
    for word in words[1:]:
        extras = re.search(r"\[([\w,-]+)\]", word)
        for extra in extras[1].split(",") if extras else ():
            assert extra in project["optional-dependencies"], f"there is no extra {extra}"


def _docker(words: list[str]) -> None:
    if words[0] == "compose":
        check_compose(words[1:], check_inner)
    else:
        assert words[0] == "build", f"“docker {words[0]}” is not known; add it if it is"
        assert (ROOT / "Dockerfile").exists()


def _copy(words: list[str]) -> None:
    assert (ROOT / words[0]).exists(), f"there is no {words[0]} to copy"


def _export(words: list[str]) -> None:
    for word in words:
        name = word.partition("=")[0]
        assert not name.startswith("ATOM_") or name in VARIABLES, f"no setting is called {name}"


def _python(words: list[str]) -> None:
    assert words[:1] == ["-m"], "name a module"
    module = Path(words[1].replace(".", "/"))
    found = [ROOT / module.with_suffix(".py"), ROOT / module / "__main__.py"]
    assert words[1] in ("pytest", "build") or any(each.exists() for each in found), words[1]


def _tunnel(words: list[str]) -> None:
    """Whatever it is called, it leads to where the listener listens."""
    port = Settings().bind.rpartition(":")[2]
    assert any(port in word for word in words), f"the listener's port is {port}"


def _kubectl(words: list[str]) -> None:
    for flag, path in pairwise(words):
        if flag in ("-k", "-f"):
            assert (ROOT / path).exists(), f"there is no {path}"


_REDIS_COMMANDS = {"ACL", "BGREWRITEAOF", "BGSAVE", "CONFIG", "INFO", "LASTSAVE", "PING"}


def _redis_cli(words: list[str]) -> None:
    (command, *_) = [word for word in words if not word.startswith("-")]
    assert command in _REDIS_COMMANDS, f"redis-cli {command}: add it if it exists"


def _nothing_to_check(words: list[str]) -> None:
    """It exists everywhere, and says nothing of this project."""


_FOREIGN = {
    "cd": _nothing_to_check,
    "cloudflared": _tunnel,
    "cp": _copy,
    "docker": _docker,
    "export": _export,
    "kubectl": _kubectl,
    "make": _make,
    "mkdir": _nothing_to_check,
    "openssl": _nothing_to_check,
    "pip": _pip,
    "python": _python,
    "redis-cli": _redis_cli,
    "ssh": _tunnel,
    "systemctl": _nothing_to_check,
}


def _curl(words: Sequence[str], site: Site) -> None:
    """The request that curl would send, to the listener (or sandbox) that runs; it must succeed."""
    options = {"-X": "", "-d": "", "-u": "", "--cacert": "", "--cert": "", "--key": ""}
    headers, urls, rest = {}, [], list(words)
    while rest:
        word = rest.pop(0)
        if word == "-H":
            name, _, value = rest.pop(0).partition(":")
            headers[name] = value.strip()
        elif word in options:
            options[word] = rest.pop(0)
        elif word.startswith("-"):
            assert word in ("-s", "-f", "-i", "-sf"), f"curl: no rule for {word}"
        else:
            urls.append(word)
    (url,) = urls
    method = options["-X"] or ("POST" if options["-d"] else "GET")
    user, _, password = options["-u"].partition(":")
    reply = requests.request(
        method,
        site.reachable(url),
        data=options["-d"].encode() or None,
        headers={"Content-Type": "application/x-www-form-urlencoded", **headers}
        if options["-d"]
        else headers,
        auth=(user, password) if user else None,
        timeout=60,
    )
    assert reply.status_code < 400, f"curl {url}: {reply.status_code} {reply.text[:300]}"


def check_inline(code: str) -> None:
    """A command that the prose names: its options at least are there."""
    words = code.split()
    if words[0] == "atom" and len(words) > 1:
        check_options([word for word in words[1:] if word != "…"])
    elif words[0] == "make" and len(words) > 1:
        _make(words[1:2])
    elif words[:2] == ["docker", "compose"] and len(words) > 2:
        check_compose(words[2:], check_inner)
