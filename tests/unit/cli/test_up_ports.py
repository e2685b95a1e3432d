"""The ports of `atom up` where the settings leave them to it."""

from dataclasses import replace

from atom.cli.up import _with_ports
from atom.settings import Settings

ANY = "127.0.0.1:0"


def test_port_zero_becomes_a_free_one_for_each_role():
    given = replace(
        Settings(), bind=ANY, sandbox_bind=ANY, console_bind="127.0.0.1:8078", flower_bind=ANY
    )
    settings = _with_ports(given)
    chosen = [settings.bind, settings.sandbox_bind, settings.flower_bind]
    assert all(int(bind.removeprefix("127.0.0.1:")) > 0 for bind in chosen)
    assert settings.console_bind == "127.0.0.1:8078"
    assert settings.sandbox_bind in settings.callback_hosts
