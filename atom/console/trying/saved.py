"""A call that was tried, as a test of pytest that makes it again."""

from collections.abc import Mapping, Sequence
from typing import Any

from atom.protocol.values import ContentType

_TEST = '''"""{title}, as it was tried; `atom sandbox` has to run."""

import os

from atom.sandbox.client import SandboxClient

SANDBOX_URL = os.environ.get("ATOM_SANDBOX_URL", {sandbox_url})
SERVICE_URL = os.environ.get("SERVICE_URL", {service_url})
# What its connector sends as its credential ("Basic …"); nothing where the service asks for none.
AUTHORIZATION = os.environ.get("SERVICE_AUTHORIZATION")

INPUTS = {inputs}


def test_{name}():
    sandbox = SandboxClient(SANDBOX_URL, authorization=AUTHORIZATION)
    flow = sandbox.start(SERVICE_URL, {action}, INPUTS)
    events = list(sandbox.watch(flow, timeout_seconds=60))
    assert sandbox.status(flow).value == {status}
    (end,) = [each.details for each in events if each.kind == "resumed"]
    assert end["rootFaults"] == {faults}
    assert [each["developerName"] for each in end["outputs"]] == {outputs}
'''


def saved_test(sandbox_url: str, service_url: str, flow: Mapping[str, Any]) -> str:
    """The text of the file.

    Args:
        sandbox_url: whose flows it runs.
        service_url: of the service.
        flow: as the sandbox told of it when it had resumed, without secrets: what is masked in
            it is for the author to fill in.
    """
    (action,) = flow["actions"]
    details = {each["kind"]: each["details"] for each in flow["events"]}
    end = details["resumed"]
    return _TEST.format(
        title=" ".join(f"{action} of {service_url}".replace("\\", "/").replace('"', "'").split()),
        sandbox_url=repr(sandbox_url),
        service_url=repr(service_url),
        inputs=repr(plain(details["requested"]["inputs"])),
        name="".join(each if each.isascii() and each.isalnum() else "_" for each in action).lower(),
        action=repr(action),
        status=repr(flow["status"]),
        faults=repr(end["rootFaults"]),
        outputs=repr([each["developerName"] for each in end["outputs"]]),
    )


def plain(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Plain values by name from EngineValues; what has no value is left out."""
    found: dict[str, Any] = {}
    for each in entries:
        kind, objects = ContentType(each["contentType"]), each.get("objectData")
        if not kind.is_structure:
            if each.get("contentValue") is not None:
                found[each["developerName"]] = each["contentValue"]
        elif objects is not None:
            rows = [plain(one["properties"]) for one in objects]
            found[each["developerName"]] = rows if kind is ContentType.LIST else rows[0]
    return found
