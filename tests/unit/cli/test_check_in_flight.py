"""The options of `atom check --in-flight`."""

import pytest
from click.testing import CliRunner

from atom.cli import main


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--in-flight", "--against", "x"], "--against and --in-flight exclude each other"),
        (["--limit", "3"], "--limit needs --in-flight"),
        (["--against", "x", "--limit", "3"], "--limit needs --in-flight"),
        (["--in-flight", "--limit", "0"], "0 is not in the range x>=1"),
        (["--service", "Shop"], "--service and --json need --against or --in-flight"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(options, problem):
    result = CliRunner().invoke(main, ["check", *options])
    assert result.exit_code == 2
    assert problem in result.stderr


def test_help_names_the_code_that_runs():
    text = " ".join(CliRunner().invoke(main, ["check", "--help"]).output.split())
    assert "No step runs, and nothing in Redis is changed." in text
    assert "Code of a process outside of its steps does run." in text
