"""The service that the tests call: one action for each thing a process can do."""

import os
import signal
import time

from atom import Fault, FlowService, Profile, fields

trial = FlowService("Trial", summary="What the tests call")


class Line(Profile):
    sku = fields.String(data_key="Sku", required=True)
    quantity = fields.Integer(data_key="Quantity", required=True)


class Everything(Profile):
    text = fields.String(data_key="Text", required=True)
    password = fields.Password(data_key="Password")
    content = fields.Content(data_key="Content")
    encrypted = fields.Encrypted(data_key="Encrypted")
    number = fields.Number(data_key="Number")
    flag = fields.Boolean(data_key="Flag")
    moment = fields.DateTime(data_key="Moment")
    line = fields.Nested(Line, data_key="Line")
    lines = fields.List(fields.Nested(Line), data_key="Lines")


class Text(Profile):
    text = fields.String(data_key="Text")


class Seconds(Profile):
    seconds = fields.Float(data_key="Seconds", load_default=0.0)
    file = fields.String(data_key="File")


@trial.message_action("Echo", request=Everything, response=Everything, wait_message="Echoing…")
def echo(request, execution):
    return request


@trial.message_action("Plain name: ä/b?", response=Text)
def oddly_named(request, execution):
    return {"text": "found"}


@trial.message_action("Progress", response=Text)
def progress(request, execution):
    for number in range(5):
        execution.progress(f"message {number}", number / 5)
        time.sleep(0.25)
    return {"text": "done"}


@trial.message_action("Nothing", response=Everything)
def nothing(request, execution):
    return {"text": ""}


@trial.message_action("No", response=Text)
def no(request, execution):
    raise Fault("We are closed on Sundays.", name="Closed")


@trial.message_action("Break", response=Text)
def broken(request, execution):
    execution.step("charge card", lambda: None)
    raise RuntimeError("canary-in-an-exception")


@trial.message_action("Wrong result", response=Text)
def wrong_result(request, execution):
    return {"texd": "typo"}


@trial.message_action("Sync", request=Seconds, response=Text, sync_timeout=2)
def sync(request, execution):
    time.sleep(request["seconds"])
    return {"text": "in time?"}


@trial.message_action("Boundary", request=Seconds, response=Text, sync_timeout=1)
def boundary(request, execution):
    time.sleep(request["seconds"])
    return {"text": "at the boundary"}


@trial.message_action("Short", request=Seconds, response=Text, timeout=5)
def short(request, execution):
    time.sleep(request["seconds"])
    return {"text": "too late"}


@trial.message_action("Dies once", request=Seconds, response=Text)
def dies_once(request, execution):
    """Write a line for each run of the step; kill the worker at the first attempt."""

    def step():
        assert os.path.isabs(request["file"]), "a fuzzed name, and no file of a test's"
        with open(request["file"], "a") as file:
            file.write("ran\n")

    execution.step("append", step)
    if execution.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"text": f"attempt {execution.attempt}"}


@trial.message_action("Always dies", response=Text)
def always_dies(request, execution):
    os.kill(os.getpid(), signal.SIGKILL)
