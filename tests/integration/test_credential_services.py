"""`atom credentials create --service NAME` warns of services that are not declared."""

import pytest
from click.testing import CliRunner

from atom.cli import main


@pytest.fixture
def create(monkeypatch, embedded_redis, tmp_path):
    """Run `atom credentials create NAME …`; returns the result."""
    monkeypatch.setenv("ATOM_REDIS_URL", embedded_redis.url)
    monkeypatch.setenv("ATOM_SERVICES", "examples.orders")

    def run(*arguments):
        return CliRunner().invoke(main, ["credentials", "create", *arguments])

    return run


def test_declared_service_gives_no_warning(create):
    result = create("declared", "--service", "Orders")
    assert result.exit_code == 0
    assert "warning" not in result.stderr


@pytest.mark.parametrize("names", [["Nope"], ["orders"], ["Orders", "Order"], ["Nope", "Nix"]])
def test_undeclared_service_is_named_beside_the_declared_ones(create, names):
    options = [option for name in names for option in ("--service", name)]
    result = create(f"undeclared-{'-'.join(names)}", *options)
    assert result.exit_code == 0
    assert result.stdout.startswith("atom_")  # the credential is created: the service may follow
    for name in names:
        assert (f"service “{name}” is not declared" in result.stderr) == (name != "Orders")
    assert "this Atom declares Orders" in result.stderr


def test_module_that_cannot_be_imported_is_named(create, monkeypatch):
    monkeypatch.setenv("ATOM_SERVICES", "no_such_module")
    result = create("broken", "--service", "Orders")
    assert result.exit_code == 0
    assert "no_such_module could not be imported" in result.stderr
