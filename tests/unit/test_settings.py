"""Settings: read from the environment, checked, and each breach told by its variable."""

import pytest

from atom.endpoints import is_loopback, split_bind
from atom.errors import SettingsError
from atom.settings import Settings, settings_table


def test_defaults_are_right():
    Settings().check()
    assert Settings.from_env() == Settings()


def test_the_environment_is_read(monkeypatch):
    monkeypatch.setenv("ATOM_SERVICES", "a.b, c:d")
    monkeypatch.setenv("ATOM_LEASE_SECONDS", "2.5")
    monkeypatch.setenv("ATOM_REDIS_URL", "redis://other:1/2")
    settings = Settings.from_env()
    assert [each.strip() for each in settings.services] == ["a.b", "c:d"]
    assert settings.lease_seconds == 2.5
    assert settings.broker == "redis://other:1/2"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ATOM_LEASE_SECONDS", "soon"),
        ("ATOM_LEASE_SECONDS", "0"),
        ("ATOM_LEASE_SECONDS", "inf"),
        ("ATOM_RETENTION_DAYS", "nan"),
        ("ATOM_MAX_REQUEST_BYTES", "-1"),
        ("ATOM_HISTORY_RETENTION_DAYS", "-1"),
        ("ATOM_TENANT_REQUESTS_PER_SECOND", "-5"),
        ("ATOM_PROGRESS_SECONDS", "-1"),
        ("ATOM_LISTENER_PROCESSES", "0"),
        ("ATOM_BIND", "8077"),
        ("ATOM_BIND", "127.0.0.1:http"),
        ("ATOM_BIND", "127.0.0.1:70000"),
        ("ATOM_REDIS_URL", "localhost:6379"),
        ("ATOM_REDIS_URL", "sentinel://127.0.0.1:26379"),
        ("ATOM_LOG_LEVEL", "LOUD"),
        ("ATOM_PUBLIC_URL", "atom.example.com"),
        ("ATOM_SANDBOX_URL", "http://"),
        ("ATOM_CALLBACK_HOURS", "4321"),
        ("ATOM_CALLBACK_HOSTS", "https://flow.boomi.com"),
        ("ATOM_CALLBACK_HOSTS", "flow.boomi.com,*.flow-prod.boomi.com"),
        ("ATOM_CALLBACK_HOSTS", "http://sandbox:8079/api"),
        ("ATOM_CALLBACK_NETWORKS", "10.20.0.1/16"),
        ("ATOM_CALLBACK_NETWORKS", "10.20.0.0/16, private"),
    ],
)
def test_a_wrong_value_is_told_by_its_variable(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        Settings.from_env()


@pytest.mark.parametrize("where", ["u:canary/1@h", "u:canary[1@h", "u:canary#1@h", "u:1@h:canary"])
def test_a_mistake_in_the_url_of_the_history_is_told_without_it(monkeypatch, where):
    monkeypatch.setenv("ATOM_HISTORY_URL", f"postgresql://{where}/db")
    with pytest.raises(SettingsError, match="ATOM_HISTORY_URL") as refused:
        Settings.from_env()
    assert "canary" not in str(refused.value)


def test_the_network_that_is_wrong_is_named(monkeypatch):
    monkeypatch.setenv("ATOM_CALLBACK_NETWORKS", "10.20.0.0/16, fd00::/8, 10.0.0.0/33")
    with pytest.raises(SettingsError, match=r"' 10.0.0.0/33' is not a network such as"):
        Settings.from_env()


def test_addresses():
    assert split_bind("X", "[::1]:80") == ("::1", 80)
    assert is_loopback("127.0.0.2")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("flow.boomi.com")
    # By its own name only, whatever the version of Python: see atom/networks.py.
    assert not is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("128.0.0.1")


def test_every_setting_has_a_meaning():
    table = settings_table()
    assert len({variable for variable, _, _ in table}) == len(table)
    assert all(variable.startswith("ATOM_") and meaning for variable, _, meaning in table)
