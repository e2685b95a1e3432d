"""What an operator of a test's Atom does and sees."""

import os
import subprocess
import sys

from tests.support.roles import ROOT


def run_atom(environment, *arguments):
    """`atom …` to its end, as it is installed here."""
    return subprocess.run(
        [sys.executable, "-m", "atom", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def check_refused(environment, role, says):
    """That a role does not start, and says why in a sentence."""
    refused = run_atom(environment, role)
    assert refused.returncode == 1
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr


def command(atom, *arguments, code=0, **env):
    """What `atom …` says, called as a person calls it; its exit code must be the one given."""
    result = run_atom({**os.environ, **atom.environment, **env}, *arguments)
    said = result.stdout + result.stderr
    assert result.returncode == code, said
    # Of the command itself; that of a process is in its log, indented.
    assert "\nTraceback" not in f"\n{said}"
    return said


def resumed(flow):
    """The outputs and root faults with which a flow resumed: once, and by one move."""
    status = flow.wait_over(120)
    assert status.is_over, flow.events
    (event,) = flow.events_of("resumed")
    assert [call.moves for call in flow.calls.values()] == [1]
    outputs = {each["developerName"]: each["contentValue"] for each in event.details["outputs"]}
    return outputs, event.details["rootFaults"]


def health(atom):
    """Exit code and words of `atom-health`, which sees no installed package."""
    result = subprocess.run(
        [sys.executable, "-I", "-S", ROOT / "atom" / "health.py"],
        env={"TMPDIR": atom.environment["TMPDIR"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == ""
    return result.returncode, result.stdout.strip()
