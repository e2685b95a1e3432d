"""A service that says something in every place where something can be said, and then waits."""

import os
import time
from pathlib import Path

from atom import Fault, FlowService, Profile, fields

outspoken = FlowService("Outspoken", summary="Says it everywhere")

# Processes wait until this file is there: what they hold meanwhile can be looked for.
RELEASE = "OUTSPOKEN_RELEASE"


class Said(Profile):
    text = fields.String(data_key="Text")


def _wait():
    while not Path(os.environ[RELEASE]).exists():
        time.sleep(0.05)


@outspoken.message_action("Say", request=Said, response=Said)
def say(request, execution):
    """Answer with an output, or say no where that was asked for."""
    execution.step("canary-step-name", lambda: "canary-step-result")
    execution.log.info("canary-line")
    execution.progress("canary-progress")
    _wait()
    if request["text"] == "canary-input no":
        raise Fault("canary-fault", name="No")
    return {"text": "canary-output"}


class Thing(Profile):
    id = fields.String(data_key="ID")
    name = fields.String(data_key="Name")


thing = outspoken.data_action("Thing", profile=Thing, key="id")


@thing.get
def get_thing(id, execution):
    return {"id": id, "name": "canary-record"}


files = outspoken.file_resource("/file")


@files.upload
def upload(file, execution):
    _wait()
    return {"id": execution.id, "name": file.read().decode()}
