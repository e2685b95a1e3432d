"""`atom check --against` with a real listener that serves an earlier version."""

import orjson

from tests.support.operating import run_atom
from tests.support.roles import TestAtom

SOURCE = """
from atom import FlowService, Profile, fields

class Request(Profile):
    name = fields.String(data_key="{entry}", required=True)

crm = FlowService("CRM")

@crm.message_action("Retrieve", request=Request)
def retrieve(request, execution):
    return None
"""


def test_new_version_is_compared_with_the_listener_of_the_earlier_one(tmp_path):
    (tmp_path / "crm_earlier.py").write_text(SOURCE.format(entry="Name"))
    (tmp_path / "crm_later.py").write_text(SOURCE.format(entry="Full Name"))
    atom = TestAtom(tmp_path / "atom", "crm_earlier", PYTHONPATH=str(tmp_path))
    try:
        token = run_atom(atom.environment, "credentials", "create", "ci").stdout.split()[0]
        atom.start("listener", "listener")
        atom.wait_for_listener(atom.url, "/health")

        def check(version, **env):
            environment = {**atom.environment, "ATOM_SERVICES": version, **env}
            return run_atom(environment, "check", "--against", atom.url, "--json")

        refused = check("crm_earlier")
        assert refused.returncode == 1
        assert "asks for a credential: set ATOM_CREDENTIAL" in refused.stderr
        same = check("crm_earlier", ATOM_CREDENTIAL=f"ci:{token}")
        assert (same.returncode, orjson.loads(same.stdout)["services"]) == (0, {"CRM": []})
        later = check("crm_later", ATOM_CREDENTIAL=f"ci:{token}")
        assert later.returncode == 1
        changes = orjson.loads(later.stdout)["services"]["CRM"]
        assert [(each["subject"], each["change"], each["name"]) for each in changes] == [
            ("input", "removed", "Name"),
            ("input", "added as required", "Full Name"),
        ]
        assert changes[0]["renamed_to"] == "Full Name"
    finally:
        atom.close()
