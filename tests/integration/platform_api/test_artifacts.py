"""Execution artifacts as the `boomi` client downloads them."""

import json
from io import BytesIO
from zipfile import ZipFile

import pytest
from boomi.models import ExecutionArtifacts

from atom.catalog import Catalog
from atom.execution.copying import copy
from tests.support.console import settled
from tests.support.platform_client import a_client, refused
from tests.support.services import trial


def artifacts_of(client, execution_id):
    content = client.execution_artifacts.download_execution_artifacts(
        ExecutionArtifacts(execution_id)
    )
    with ZipFile(BytesIO(content)) as archive:
        assert archive.namelist() == ["execution.json"]
        return json.loads(archive.read("execution.json"))


@pytest.mark.parametrize("user", ["robot", "watcher"])
def test_artifacts_have_steps_documents_and_log(atom, console, operator, viewer, user, tmp_path):
    client = a_client(console, user, operator if user == "robot" else viewer)
    inputs = {"Count": "2", "Bad": "1", "How": "fault", "File": str(tmp_path / "lines")}
    execution = settled(atom, atom.run("Squares all the same", inputs, "Lasting"))
    document = artifacts_of(client, execution.id)
    assert (document["id"], document["state"]) == (execution.id, "completed")
    (entry,) = document["steps"]
    assert entry["label"] == "map squares (2 items)"
    bad = {"name": "Bad", "message": "1 is bad.", "entry": None}
    assert entry["result"] == [{"result": 0}, {"faults": [bad]}]
    assert document["response"]["outputs"][0]["contentValue"] == "int,Fault"


def test_artifacts_have_the_reason_of_a_failure_and_its_traceback_without_secrets(atom, client):
    inputs = {"Text": "canary-text", "Password": "canary-password"}
    echoed = settled(atom, atom.run("Echo", inputs))
    assert "canary-password" not in json.dumps(artifacts_of(client, echoed.id))
    failed = settled(atom, atom.run("Break"))
    document = artifacts_of(client, failed.id)
    assert document["error"] == failed.error
    assert any("Traceback" in line["message"] for line in document["log"])


def test_artifacts_name_the_copies(atom, client):
    execution = settled(atom, atom.run("Echo", {"Text": "x"}))
    copied = copy(Catalog([trial]), atom.store, execution.id, {"Text": "y"}).copy
    document = artifacts_of(client, execution.id)
    assert document["copy_count"] == 1
    assert [each["id"] for each in document["copies"]] == [copied]
    assert artifacts_of(client, copied)["origin"] == execution.id


def test_artifacts_of_an_unknown_execution_are_refused(client):
    create = client.execution_artifacts.create_execution_artifacts
    assert "There is no execution nobody" in refused(404, create, ExecutionArtifacts("nobody"))
    assert "executionId" in refused(400, create, ExecutionArtifacts())
