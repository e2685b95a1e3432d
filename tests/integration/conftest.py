"""One whole Atom for all tests that do not break it."""

from collections.abc import Iterator

import pytest

from tests.support.roles import TestAtom


@pytest.fixture(scope="session")
def atom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestAtom]:
    """Every role as a process, over a real Redis, with the sandbox as its flow platform."""
    atom = TestAtom(tmp_path_factory.mktemp("atom"))
    try:
        # Threads, so that many short processes can wait at once.
        atom.start_all(["--pool=threads", "--concurrency=40"])
        yield atom
    finally:
        atom.close()
