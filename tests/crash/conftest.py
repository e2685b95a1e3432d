"""An Atom for each test here: they break it."""

from collections.abc import Iterator

import pytest

from tests.support.roles import TestAtom


@pytest.fixture
def atom(tmp_path) -> Iterator[TestAtom]:
    """Every role as a process of its own."""
    atom = TestAtom(tmp_path)
    try:
        atom.start_all()
        yield atom
    finally:
        atom.close()
