"""The OpenAPI document of a service, without a listener."""

import pytest

from atom import FlowService
from atom.listener.openapi import openapi
from tests.support.services import trial


@pytest.mark.parametrize("version", ["2.4.0", "2026-01-31", "1"])
def test_the_document_has_the_version_of_the_service(version):
    assert openapi(FlowService("Versioned", version=version))["info"]["version"] == version


def test_without_a_version_the_document_has_the_digest_that_executions_have():
    assert openapi(trial)["info"]["version"] == trial.version
    assert len(trial.version) == 8
