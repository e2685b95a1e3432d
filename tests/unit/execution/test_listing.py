"""Executions as documents."""

from dataclasses import replace

from atom.cli.executions import _copies
from atom.execution.listing import copies_document
from tests.unit.console.test_timeline import EXECUTION

COPIES = [replace(EXECUTION, id=f"copy-{number}", origin="an-id") for number in range(25)]


def test_newest_copies_are_shown_with_their_number():
    document = copies_document(COPIES)
    assert document["copy_count"] == 25
    assert [each["id"] for each in document["copies"]] == [each.id for each in COPIES[:20]]
    count, *lines = _copies(COPIES)
    assert count == "copies: 25 (the newest 20 are shown)"
    assert len(lines) == 20


def test_no_copy_is_no_line():
    assert copies_document([]) == {"copy_count": 0, "copies": []}
    assert [*_copies([])] == []
