"""How `make test` spreads the tests over several processes (pytest-xdist).

Each process has servers of its own, so any two tests may run side by side. What is started once for
several tests is to be started by one process, though: those stay together.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from atom.text import encodable

# Each of these tests starts what it uses, since it breaks it.
_APART = (
    *("tests/chaos/", "tests/crash/"),
    *("tests/integration/test_health.py", "tests/integration/test_up.py"),
)
# Files that share what their folder starts; of any other place, each file stays together.
_TOGETHER = ("tests/browser/", "tests/integration/platform_api/")
# What takes long comes first: at the end, short files are left to be shared out evenly.
_ORDER = ("tests/crash/", "tests/chaos/", "tests/docs/", "tests/browser/", "tests/integration/")


class Spreading(LoadScopeScheduling):
    """Gives each process a file at a time, or a folder, or a test."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_APART):
            return nodeid
        folder = next((each for each in _TOGETHER if nodeid.startswith(each)), None)
        return folder or nodeid.partition("::")[0]


def place(item: pytest.Item) -> int:
    """Where it comes in the order."""
    starts = [item.nodeid.startswith(each) for each in _ORDER]
    return starts.index(True) if any(starts) else len(_ORDER)


def sendable(report: Any) -> Any:
    """Return a serialized report whose texts can be sent to the main process, which takes UTF-8.

    Tests log and compare text that is not UTF-8; a report that cannot be sent ends the whole run.
    """
    if isinstance(report, str):
        return encodable(report)
    if isinstance(report, dict):
        return {sendable(key): sendable(value) for key, value in report.items()}
    if isinstance(report, list | tuple):
        return type(report)(sendable(value) for value in report)
    return report
