"""Every block of code and every command of the pages is run, or checked, or fails."""

import configparser
import json
import os
import re
import subprocess
import sys
import tomllib
from xml.etree import ElementTree

import click
import pytest
import yaml

from atom.settings import Settings
from tests.docs.compose import compose_file
from tests.docs.pages import BLOCKS, PAGES, ROOT, Block, Page, files_of_the_pages
from tests.docs.rules import VARIABLES, Rules, check_inner
from tests.docs.running import Site, make_site
from tests.docs.shell import commands

PYTHON_PAGES, SHELL_PAGES = (
    [name for name, page in PAGES.items() if language in {each.language for each in page.blocks}]
    for language in ("python", "sh")
)


def an_ini(text):
    """Also a systemd unit: what it starts is a command of ours, with settings of ours."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_string(text)
    for section in parser.sections():
        for name, value in parser.items(section):
            if name == "ExecStart":
                path, *rest = value.split()
                check_inner([os.path.basename(path), *rest])
            elif name == "Environment":
                assert value.partition("=")[0] in VARIABLES


def an_env_file(text):
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            assert line.partition("=")[0] in {*VARIABLES, "COMPOSE_PROFILES"}, line


def a_dockerfile(text):
    """It begins with our image, and ends as the user that ours runs as."""
    instructions = [line.split()[0] for line in text.splitlines() if line]
    assert set(instructions) <= {"FROM", "USER", "COPY", "RUN"}
    image = compose_file()["services"]["worker"]["image"]
    assert text.splitlines()[0].removeprefix("FROM ") in image
    assert text.rstrip().endswith("\nUSER atom")


def a_proxy(text):
    """No parser of these is at hand: braces close, and what is behind is the listener."""
    assert text.count("{") == text.count("}")
    assert Settings().bind.rpartition(":")[2] in text


PARSERS = {
    "caddyfile": a_proxy,
    "dockerfile": a_dockerfile,
    "env": an_env_file,
    "ini": an_ini,
    "json": json.loads,
    "nginx": a_proxy,
    "toml": tomllib.loads,
    "xml": ElementTree.fromstring,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
}
# Python and commands are run below; a text is for people.
RUN_OR_READ = {"python", "sh", "text"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_every_block_is_of_a_kind_that_is_checked(block):
    assert block.language, f"{block.where}: name the language of this block (text, if it is none)"
    if block.language not in RUN_OR_READ:
        assert block.language in PARSERS, f"{block.where}: no rule for “{block.language}”"
        PARSERS[block.language](block.text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_site(tmp_path_factory.mktemp("folder"))


def run_in(folder, *command, **env):
    result = subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", **env},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_the_python_of_a_page_runs(page, folder):
    run_in(folder, "-m", "tests.docs.run_page", page)


@pytest.mark.parametrize(
    "name", [name for name in files_of_the_pages() if name.startswith("test_")]
)
def test_the_tests_that_the_pages_show_pass(name, folder):
    run_in(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", name)


def follow_all(rules, block):
    for command in commands(block):
        try:
            rules.follow(command)
        except (AssertionError, click.ClickException) as error:
            raise AssertionError(f"{command}: {getattr(error, 'message', error)}") from error


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("roles"))
    try:
        site.start()
        yield site
    finally:
        site.atom.close()


# One command after the other, each a process of its own: minutes where the machine is busy.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", SHELL_PAGES)
def test_the_commands_of_a_page_do_what_they_should(page, site):
    rules = Rules(site, SHELL_PAGES.index(page))
    for block in PAGES[page].blocks:
        if block.language == "sh":
            follow_all(rules, block)


# What the checks above would say of pages that are wrong.


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("atom execution list", "no command"),
        ("atom executions list --stat failed", "No such option"),
        ("atom worker --pool=gevent", "gevent"),
        ("atom up --concurrency none", "none"),
        ("ATOM_SERVICE=services atom up", "ATOM_SERVICE"),
        ("ATOM_SERVICES=nowhere atom up", "nowhere"),
        ("atom executions show no-such-id", "no-such-id"),
        ("atom services --json  # exit code 3", "exit code 0"),
        ("make sandwich", "sandwich"),
        ("pip install -e '.[everything]'", "everything"),
        ("curl http://127.0.0.1:8077/fs/Nowhere/openapi.json", "404"),
        ("curl --insecure http://127.0.0.1:8077/health", "--insecure"),
        ("cp nothing.example .env", "nothing.example"),
        ("export ATOM_NOTHING=1", "ATOM_NOTHING"),
        ("rm -rf .atom", "no rule"),
        ("atom services > services.txt", "needs a shell"),
    ],
)
def test_a_wrong_command_is_found(line, says, site):
    with pytest.raises(AssertionError) as found:
        follow_all(Rules(site, 14), Block("x.md", 1, "sh", line))
    assert says in str(found.value)


def test_a_block_ends_where_its_fence_or_its_indentation_does():
    page = Page(
        "x.md",
        "# A\n\n    make a\n\n    make b\n\ntext `in line`\n\n```python\n    x = 1\n```\n"
        "- list\n\n  ```json\n  {}\n  ```\n## A\n",
    )
    assert [(b.language, b.text, b.line) for b in page.blocks] == [
        ("sh", "make a\n\nmake b\n", 3),
        ("python", "    x = 1\n", 10),
        ("json", "{}\n", 15),
    ]
    assert page.inline_code == ["in line"]
    assert page.anchors == {"a", "a-1"}
    assert re.findall("make", page.prose) == []
