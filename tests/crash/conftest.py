"""An Atom for each test here: they break it. Or a world, in which processes die at a point."""

from collections.abc import Iterator

import pytest

from atom.sandbox import SandboxServer
from tests.support.roles import SERVICES, TestAtom
from tests.support.world import Nursery, World


@pytest.fixture
def atom(tmp_path) -> Iterator[TestAtom]:
    """Every role as a process of its own."""
    atom = TestAtom(tmp_path, f"{SERVICES},tests.support.waits")
    try:
        atom.start_all()
        yield atom
    finally:
        atom.close()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Where processes come from that die at one of their writes."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    """The flow platform."""
    with SandboxServer() as sandbox:
        yield sandbox


@pytest.fixture
def world(embedded_redis, tmp_path, nursery, sandbox) -> Iterator[World]:
    """A healthy Atom in this process, beside which others die."""
    world = World(embedded_redis.url, tmp_path, nursery, sandbox)
    yield world
    world.close()
