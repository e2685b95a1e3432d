"""Fixtures that every kind of test shares."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from atom import outage
from atom.cli import embedded_redis as of_atom
from atom.cli.embedded_redis import EmbeddedRedis
from tests.support import ports, spreading
from tests.support import rabbitmq as support
from tests.support.postgres import PostgresServer, programs

# No test may depend on how fast the machine is.
settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")


# Of pytest-xdist, which may be switched off.


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `pytest -n auto`: one more than there are cores, for many tests do little but wait."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> spreading.Spreading:
    """For `pytest -n`, in the order of below."""
    config.option.loadscopereorder = False  # it would be by the number of tests in each file
    return spreading.Spreading(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Escape what the main process could not read of a report."""
    return spreading.sendable((yield))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes run the tests, what takes long comes first."""
    if hasattr(config, "workerinput"):
        items.sort(key=spreading.place)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of whoever runs it."""
    for name in [name for name in os.environ if name.startswith("ATOM_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_earlier_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the outages that earlier tests of this process left behind."""
    monkeypatch.setattr(outage, "_ongoing", {})


@pytest.fixture(scope="session", autouse=True)
def own_ports() -> Iterator[None]:
    """Every redis-server of this run keeps its port while it is down."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(of_atom, "free_port", ports.free_port)
        yield


@pytest.fixture(scope="session")
def embedded_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """One real redis-server for the tests of this run that need no more than its data."""
    directory: Path = tmp_path_factory.mktemp("redis")
    with EmbeddedRedis(directory) as redis:
        yield redis


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL, which CI has to have."""
    if programs() is None:
        missing = "needs PostgreSQL 15 or newer: apt-get install postgresql"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> PostgresServer:
    """The same, with nothing in it."""
    postgres_server.clear()
    return postgres_server


@pytest.fixture(scope="session")
def shared_rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[support.RabbitMQ]:
    """One real RabbitMQ for the tests of this run that need no more than its queues."""
    with support.RabbitMQ(tmp_path_factory.mktemp("rabbitmq")) as broker:
        yield broker


@pytest.fixture
def rabbitmq(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[support.RabbitMQ]:
    """A RabbitMQ that a test may break."""
    support.require(request.node.name)
    with support.RabbitMQ(tmp_path / "rabbitmq") as broker:
        yield broker
