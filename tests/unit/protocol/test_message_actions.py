"""The ServiceResponses of a message action, property by property."""

import orjson
import pytest

from atom.errors import Fault
from atom.protocol.message_actions import fault, forward, wait
from atom.protocol.objects import Entry, write_values
from atom.protocol.values import ContentType

OUTPUTS = write_values((Entry("Name", ContentType.STRING),), {"Name": "Ada"})
NO_OUTPUTS = write_values((Entry("Name", ContentType.STRING),), {})


def test_wait():
    assert wait("t-1", "tenant-1", "Importing 3 of 20") == {
        "token": "t-1",
        "tenantId": "tenant-1",
        "culture": None,
        "annotations": {},
        "invokeType": "WAIT",
        "waitMessage": "Importing 3 of 20",
        "outputs": [],
        "selectedOutcomeId": None,
        "rootFaults": {},
        "valueFaults": [],
        "mode": None,
    }


def test_forward():
    assert forward("t-1", "tenant-1", OUTPUTS) == {
        "token": "t-1",
        "tenantId": "tenant-1",
        "culture": None,
        "annotations": {},
        "invokeType": "FORWARD",
        "waitMessage": None,
        "outputs": [
            {
                "developerName": "Name",
                "contentType": "ContentString",
                "contentValue": "Ada",
                "objectData": None,
                "typeElementDeveloperName": None,
                "valueElementId": None,
                "typeElementId": None,
                "typeElementPropertyId": None,
                "typeElementPropertyDeveloperName": None,
            }
        ],
        "selectedOutcomeId": None,
        "rootFaults": {},
        "valueFaults": [],
        "mode": None,
    }


def test_fault_is_a_forward_with_root_faults_and_every_output_without_a_value():
    answer = fault("t-1", "tenant-1", NO_OUTPUTS, [Fault("We are closed on Sundays.", "Closed")])
    assert answer == {
        "token": "t-1",
        "tenantId": "tenant-1",
        "culture": None,
        "annotations": {},
        "invokeType": "FORWARD",
        "waitMessage": None,
        "outputs": [{**OUTPUTS[0], "contentValue": None}],
        "selectedOutcomeId": None,
        "rootFaults": {"Closed": "We are closed on Sundays."},
        "valueFaults": [],
        "mode": None,
    }


@pytest.mark.parametrize("text", ["x" * 10_000, "line\nafter\r\nline\0" * 1000])
def test_what_a_person_sees_is_one_line_of_at_most_500_characters(text):
    shown = [
        wait("t", "x", text)["waitMessage"],
        fault("t", "x", (), [Fault(text)])["rootFaults"]["Fault"],
    ]
    for message in shown:
        assert 0 < len(message) <= 500
        assert not set(message) & set("\r\n\0")


def test_wait_without_a_message():
    assert wait("t-1", "tenant-1", None)["waitMessage"] is None


def test_every_answer_is_json():
    for answer in (
        wait("t", "x", "…"),
        forward("t", "x", OUTPUTS),
        fault("t", "x", NO_OUTPUTS, [Fault("no")]),
    ):
        assert orjson.loads(orjson.dumps(answer)) == answer
