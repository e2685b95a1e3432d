"""What is installed is what is locked, and the audit says what was audited."""

from importlib.metadata import distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.audit import LOCK, verdict

# Ours, and what `make lock` resolves with.
NOT_LOCKED = {"flow-atom", "uv"}


def locked():
    return [Requirement(line) for line in LOCK.read_text().splitlines()]


def test_the_lock_names_one_exact_version_of_everything():
    for each in locked():
        (specifier,) = each.specifier
        assert specifier.operator == "==", each
        assert "*" not in specifier.version, each
        assert each.url is None, each


def test_what_is_installed_is_what_is_locked():
    wanted = {
        canonicalize_name(each.name): each
        for each in locked()
        if each.marker is None or each.marker.evaluate()
    }
    installed = {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}
    assert set(installed) - set(wanted) - NOT_LOCKED == set(), "not in the lock: run make lock"
    assert set(wanted) - set(installed) == set(), "not installed: remove .venv"
    wrong = [name for name, each in wanted.items() if installed[name] not in each.specifier]
    assert wrong == [], "another version than the locked one: remove .venv"


CLEAN = {"name": "good", "version": "1", "vulns": []}
SKIPPED = {"name": "unheard-of", "skip_reason": "not found"}
ADVISORY = {"id": "CVE-1", "fix_versions": ["1.1"]}
VULNERABLE = {"name": "bad", "version": "1", "vulns": [ADVISORY]}
OPEN = {"name": "worse", "version": "2", "vulns": [{"id": "CVE-2", "fix_versions": []}]}


@pytest.mark.parametrize(
    ("answers", "tolerate", "code", "says"),
    [
        ([[CLEAN]], False, 0, "No known vulnerability in 1 "),
        ([[CLEAN, SKIPPED], [CLEAN, CLEAN]], False, 0, "No known vulnerability in 2 "),
        ([[CLEAN, SKIPPED], []], False, 2, "1 packages (unheard-of …)"),
        ([[], []], False, 2, "any package"),
        ([[], []], True, 0, "Not audited"),
        ([[VULNERABLE, SKIPPED], [CLEAN]], True, 1, "bad 1: CVE-1, mended in 1.1"),
        ([[], [OPEN]], True, 1, "worse 2: CVE-2, mended in no version yet"),
    ],
)
def test_only_an_audit_of_everything_is_a_clean_bill(answers, tolerate, code, says):
    found, said = verdict(answers, tolerate=tolerate)
    assert found == code
    assert says in said
