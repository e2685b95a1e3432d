"""What the compose file knows, to hold `docker compose …` lines of the pages to it."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from tests.docs.pages import ROOT

# The options that the pages use, by subcommand: whether each takes a value.
_OPTIONS = {
    "": {"--profile": True, "-f": True},
    "build": {},
    "config": {"--quiet": False, "--services": False},
    "cp": {},
    "down": {"--volumes": False},
    "exec": {"-T": False, "--env": True},
    "kill": {"-s": True},
    "logs": {"-f": False, "--tail": True, "--since": True},
    "ps": {"--all": False},
    "pull": {},
    "restart": {},
    "run": {"--rm": False, "--no-deps": False, "-T": False, "--env": True},
    "stop": {},
    "up": {"-d": False, "--build": False, "--scale": True, "--wait": False, "--no-deps": False},
}


def compose_file() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def compose_variables() -> set[str]:
    """What the file takes from the environment (or from .env) beside the settings of the roles."""
    return set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))


def check_compose(words: Sequence[str], check_inner: Callable[[list[str]], None]) -> None:
    """That services, profiles and options of a `docker compose` line are there.

    Args:
        words: behind `docker compose`.
        check_inner: judges the command that `exec` or `run` runs in a service.
    """
    document = compose_file()
    services = document["services"]
    profiles = {each for service in services.values() for each in service.get("profiles", ())}
    values, rest = _options("", words)
    for name, value in values:
        if name == "--profile":
            assert value in profiles, f"no service has the profile {value}"
        if name == "-f":
            assert (ROOT / value).exists(), f"there is no {value}"
    assert rest, "docker compose needs a subcommand"
    subcommand, *rest = rest
    assert subcommand in _OPTIONS, f"“docker compose {subcommand}” is not known; add it if it is"
    values, rest = _options(subcommand, rest)
    for name, value in values:
        if name == "--scale":
            service, _, count = value.partition("=")
            assert service in services, f"--scale names no service: {service}"
            assert re.fullmatch(r"\d+", count), f"--scale takes a number, not {count}"
    if subcommand in ("exec", "run"):
        assert rest[0] in services, f"there is no service {rest[0]}"
        # Where it is our image, `run` hands its words to the entry point.
        is_ours = subcommand == "run" and "build" in services[rest[0]]
        check_inner([*(["atom"] if is_ours else []), *rest[1:]])
    elif subcommand == "cp":
        assert any(each.split(":")[0] in services for each in rest), "cp names no service"
    else:
        assert set(rest) <= set(services), f"there is no service {set(rest) - set(services)}"


def _options(subcommand: str, words: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    known, found, rest = _OPTIONS[subcommand], [], list(words)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        assert name in known, f"docker compose {subcommand}: {name} is not known; add it if it is"
        if known[name] and not equals:
            value = rest.pop(0)
        found.append((name, value))
    return found, rest
