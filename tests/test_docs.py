"""What README and docs say is run, or compared with what is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from atom.cli import main
from docs.generate import SETTINGS, settings_page

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
RELIABILITY = (ROOT / "docs/reliability.md").read_text()
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_settings_reference_is_what_the_code_says():
    assert SETTINGS.read_text() == settings_page(), "run: make docs"


def test_the_services_of_the_readme_work_and_the_first_is_twenty_lines(tmp_path):
    service, test, stock = CODE
    assert (
        sum(bool(line.strip()) and not line.startswith("#") for line in service.split("\n")) <= 20
    )
    (tmp_path / "services.py").write_text(service)
    (tmp_path / "test.py").write_text(test)
    (tmp_path / "stock.py").write_text(stock)
    for command in (["test.py"], ["-m", "atom", "check"], ["-m", "atom", "services"]):
        subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env={"ATOM_SERVICES": "services,stock", "PYTHONPATH": f"{ROOT}:{tmp_path}"},
            check=True,
            timeout=60,
        )


@pytest.mark.parametrize("promise", re.findall(r"`(tests/[^`]+::[^`]+)`", README + RELIABILITY))
def test_each_promise_names_a_test_that_is_there(promise):
    path, _, name = promise.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text()


def test_every_command_of_the_readme_is_there():
    table = README.partition("## Commands")[2].partition("##")[0]
    commands = [each.split() for each in re.findall(r"`atom ([^`]+)`", table)]
    assert len(commands) >= 9
    for words in commands:
        names = [word for word in words if re.fullmatch(r"[a-z]+", word)]
        result = CliRunner().invoke(main, [*names, "--help"])
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize("target", re.findall(r"`?make ([a-z]+)", README))
def test_every_make_target_of_the_readme_is_there(target):
    assert f"\n{target}:" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(
    "text",
    [README, ARCHITECTURE, RELIABILITY],
    ids=["README", "architecture", "reliability"],
)
def test_every_file_that_is_named_is_there(text):
    named = set(re.findall(r"`((?:atom|workers|tests|docs|examples)/[\w/.]+)[`:]", text))
    named |= set(re.findall(r"\]\(([^)#:]+)\)", text))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_import_arrows_in_the_docs_name_every_module():
    arrows = ARCHITECTURE.partition("## The imports")[2]
    modules = {path.stem for path in (ROOT / "atom").iterdir() if path.name[0] not in "._"}
    modules -= {"py"}
    assert [name for name in sorted(modules) if name not in arrows] == []
