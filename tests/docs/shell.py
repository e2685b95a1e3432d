"""Command lines as the pages show them, taken apart without a shell."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import click

from atom.cli import main
from tests.docs.pages import Block

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_EXIT_CODE = re.compile(r"# .*\bexit code (\d+)")


@dataclass(frozen=True)
class Command:
    """One command: what is set for it, its words, and the exit code that its comment tells."""

    where: str
    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    exit_code: int = 0

    def __str__(self) -> str:
        return f"{self.where}: {shlex.join(self.words)}"


def commands(block: Block) -> Iterator[Command]:
    """The commands of a block; `&&` and `|` stand between two, `\\` continues a line."""
    lines = block.text.split("\n")
    at = 0
    while at < len(lines):
        line, number = lines[at], block.line + at
        while line.endswith("\\"):
            at += 1
            line = f"{line[:-1]} {lines[at]}"
        at += 1
        yield from _commands(line, f"{block.page}:{number}")


def _commands(line: str, where: str) -> Iterator[Command]:
    told = _EXIT_CODE.search(line)
    parser = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    parser.whitespace_split = True
    words: list[str] = []
    for word in [*parser, "&&"]:
        if word in ("&&", "|"):
            if words:
                yield _command(words, where, int(told[1]) if told else 0)
            words = []
            continue
        assert not set(word) <= set("&|;<>"), f"{where}: “{word}” needs a shell; write it simpler"
        words.append(word)


def _command(words: Sequence[str], where: str, exit_code: int) -> Command:
    environment = {}
    for at, word in enumerate(words):
        if not _ASSIGNMENT.fullmatch(word):
            return Command(where, list(words[at:]), environment, exit_code)
        name, _, value = word.partition("=")
        environment[name] = value
    return Command(where, [], environment, exit_code)


def atom_command(words: Sequence[str]) -> tuple[str, click.Command, list[str]]:
    """The command that `atom …` names, and what is left for it: ("executions list", …, […])."""
    rest, names = list(words), []
    command: click.Command = main
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        names.append(rest.pop(0))
        found = command.get_command(click.Context(command), names[-1])
        assert found is not None, f"there is no command “atom {' '.join(names)}”"
        command = found
    return " ".join(names), command, rest


def check_options(words: Sequence[str]) -> None:
    """That the command and its options are there; a placeholder may stand for a value."""
    _, command, rest = atom_command(words)
    command.make_parser(click.Context(command)).parse_args(rest)


def check_call(words: Sequence[str]) -> None:
    """That `atom` would take this, down to each value."""
    _, command, rest = atom_command(words)
    command.make_context("atom", rest)
