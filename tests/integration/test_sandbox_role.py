"""`atom sandbox` as a role of its own: what it says about secrets that it does not keep."""

import pytest

from atom.store.encryption import new_key
from tests.support.ports import free_port
from tests.support.roles import TestAtom


@pytest.mark.parametrize("keys", [(), (new_key,)], ids=["no key", "key"])
def test_sandbox_with_a_database_and_no_key_warns_that_it_keeps_no_secret(tmp_path, keys):
    atom = TestAtom(tmp_path)
    try:
        bind = f"127.0.0.1:{free_port()}"
        key = ",".join(make() for make in keys)
        database = f"--database={tmp_path / 'flows.sqlite3'}"
        atom.start("sandbox", "sandbox", database, ATOM_SANDBOX_BIND=bind, ATOM_SECRET_KEY=key)
        atom.wait_for_listener(f"http://{bind}", "/health")
        assert atom.end("sandbox") == 0
        log = atom.log("sandbox").decode()
        assert ("No ATOM_SECRET_KEY is set" in log) == (not keys)
        assert "Traceback" not in log
    finally:
        atom.close()
